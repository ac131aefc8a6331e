package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

func (s *REST) deliveryRoutes() {
	type many struct {
		Paging
		Narrowed[api.DeliveryFilter]
		Webhook string `path:"webhook" doc:"ID of a webhook."`
	}
	op := get("/webhooks/{webhook}/deliveries", "list_deliveries", "webhooks", "What was sent in the last two weeks, newest first")
	narrow(&op, api.DeliveryFields)
	registerOn(s, loose{s.huma}, op, func(ctx context.Context, a api.Actor, in *many) (*listed[api.Delivery], error) {
		l, err := s.console.ListDeliveries(ctx, a, in.Webhook, in.Narrowed.filter, in.page())
		return pageOf(&in.Paging, l, err)
	})

	type one struct {
		Webhook  string `path:"webhook" doc:"ID of a webhook."`
		Delivery string `path:"delivery" doc:"ID of a delivery: the receiver's webhook-id."`
	}
	register(s, get("/webhooks/{webhook}/deliveries/{delivery}", "get_delivery", "webhooks", "What was sent, and each attempt"),
		func(ctx context.Context, a api.Actor, in *one) (*plain[api.Delivery], error) {
			return plainOf(s.console.GetDelivery(ctx, a, in.Webhook, in.Delivery))
		})

	type ping struct {
		Webhook string `path:"webhook" doc:"ID of a webhook."`
	}
	register(s, work("/webhooks/{webhook}/pings", "ping_webhook", "webhooks", "Send a test, once; a paused webhook gets it, too"),
		func(ctx context.Context, a api.Actor, in *ping) (*sent[api.Delivery], error) {
			return deliverySent(s.console.PingWebhook(ctx, a, in.Webhook))
		})
	register(s, work("/webhooks/{webhook}/deliveries/{delivery}/attempts", "redeliver_webhook", "webhooks", "Send once more, now, with the same ID"),
		func(ctx context.Context, a api.Actor, in *one) (*sent[api.Delivery], error) {
			return deliverySent(s.console.Redeliver(ctx, a, in.Webhook, in.Delivery))
		})
}

// deliverySent answers with a delivery that is on its way.
func deliverySent(d api.Delivery, err error) (*sent[api.Delivery], error) {
	return sentOf(d, "/webhooks/"+d.WebhookID+"/deliveries/"+d.ID, err)
}
