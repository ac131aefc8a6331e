package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Delivery is one message for a webhook: an event, or a test, and how it went.
type Delivery struct {
	ID        string           `json:"id" doc:"The receiver's webhook-id, the same in each attempt."`
	WebhookID string           `json:"webhook_id"`
	EventID   string           `json:"event_id,omitempty" doc:"Left out for a test."`
	Type      string           `json:"type"`
	State     string           `json:"state" enum:"pending,delivered,failed"`
	Attempts  int              `json:"attempts"`
	NextAt    *time.Time       `json:"next_at,omitempty" doc:"When it is tried again."`
	Status    int              `json:"status,omitempty" doc:"HTTP status of the newest attempt; left out without an answer."`
	Fault     *DeliveryFault   `json:"fault,omitempty" doc:"Why the newest attempt failed."`
	CreatedAt time.Time        `json:"created_at"`
	EndedAt   *time.Time       `json:"ended_at,omitempty"`
	Body      string           `json:"body,omitempty" doc:"As it is sent; of one delivery alone."`
	Log       []DeliveryResult `json:"log,omitempty" doc:"Its attempts; of one delivery alone."`
}

// DeliveryFault says why an attempt failed.
type DeliveryFault struct {
	Code   string            `json:"code"`
	Params map[string]string `json:"params,omitempty"`
}

// DeliveryResult is one attempt of a delivery.
type DeliveryResult struct {
	Number     int            `json:"number" doc:"From 1."`
	ActorKind  ActorKind      `json:"actor_kind" doc:"system: the schedule; else who asked for it."`
	ActorName  string         `json:"actor_name"`
	BegunAt    time.Time      `json:"begun_at"`
	DurationMS *int64         `json:"duration_ms,omitempty" doc:"Left out while it is under way."`
	Status     int            `json:"status,omitempty"`
	Answer     string         `json:"answer,omitempty" doc:"The first 1,024 bytes of the answer's body."`
	Fault      *DeliveryFault `json:"fault,omitempty"`
}

// The states of a delivery.
const (
	DeliveryPending   = string(store.MessagePending)
	DeliveryDelivered = string(store.MessageDelivered)
	DeliveryFailed    = string(store.MessageFailed)
)

// DeliveryFilter narrows ListDeliveries; empty fields do not.
type DeliveryFilter struct {
	State string
	Type  string
}

// DeliveryFields are the fields of a DeliveryFilter.
var DeliveryFields = []Field[DeliveryFilter]{
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{DeliveryPending, DeliveryDelivered, DeliveryFailed}, Doc: "How far it is."}, func(f *DeliveryFilter) *string { return &f.State }},
	{FieldInfo{Name: "type", Kind: FieldChoice, Values: append(eventNames(), EventPing), Doc: "Of the event, or ping."}, func(f *DeliveryFilter) *string { return &f.Type }},
}

// ListDeliveries lists what was sent to a webhook in the last two weeks, newest
// first (admin). Faults: webhook_not_found, and those of checkFilter.
func (c *Console) ListDeliveries(ctx context.Context, a Actor, webhook string, f DeliveryFilter, p Page) (List[Delivery], error) {
	if err := allow(a, UseGetWebhook); err != nil {
		return List[Delivery]{}, err
	}
	if err := checkFilter(DeliveryFields, &f); err != nil {
		return List[Delivery]{}, err
	}
	w, err := findWebhook(ctx, c.store.Reader, webhook)
	if err != nil {
		return List[Delivery]{}, err
	}
	query := store.MessageFilter{State: store.MessageState(f.State), Type: f.Type}
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.MessageID](p); err != nil {
		return List[Delivery]{}, err
	}
	rows, err := c.store.Messages(ctx, w.ID, query)
	if err != nil {
		return List[Delivery]{}, err
	}
	return listOf(p, rows, func(m *store.Message) (Delivery, error) { return deliveryOf(m), nil },
		func(m store.Message) string { return m.ID.String() })
}

// GetDelivery returns a delivery with what was sent and its attempts (admin).
// Faults: webhook_not_found, message_not_found.
func (c *Console) GetDelivery(ctx context.Context, a Actor, webhook, id string) (Delivery, error) {
	if err := allow(a, UseGetWebhook); err != nil {
		return Delivery{}, err
	}
	key, err := parse[store.MessageID]("message", id)
	if err != nil {
		return Delivery{}, err
	}
	var m store.Message
	var attempts []store.MessageAttempt
	err = c.store.InSnapshot(ctx, func(r store.Reader) error {
		if m, err = findMessage(ctx, r, webhook, id); err == nil {
			attempts, err = r.MessageAttempts(ctx, []store.MessageID{key})
		}
		return err
	})
	if err != nil {
		return Delivery{}, err
	}
	out, n := deliveryOf(&m), c.names()
	out.Body = string(m.Body)
	for _, x := range attempts {
		r := DeliveryResult{
			Number: x.Number, ActorKind: ActorKind(x.ByKind), BegunAt: x.BegunAt, Status: x.Status, Answer: x.Answer, Fault: deliveryFault(x.Fault),
		}
		if x.EndedAt != nil {
			ms := x.EndedAt.Sub(x.BegunAt).Milliseconds()
			r.DurationMS = &ms
		}
		if r.ActorName, err = n.actor(ctx, x.ByKind, x.ByID); err != nil {
			return Delivery{}, err
		}
		out.Log = append(out.Log, r)
	}
	return out, nil
}

// PingWebhook sends a webhook a test, which is not tried again (admin); a paused
// one gets it, too. Faults: webhook_not_found.
func (c *Console) PingWebhook(ctx context.Context, a Actor, webhook string) (Delivery, error) {
	var id store.MessageID
	err := c.change(ctx, a, UsePingWebhook, func(tx *store.Tx, by store.Actor) error {
		w, err := findWebhook(ctx, tx.Reader, webhook)
		if err != nil {
			return err
		}
		body, err := json.Marshal(ping{Type: EventPing, Version: 1, Timestamp: tx.At(), ActorKind: a.Kind, ActorID: store.ActorText(by.Kind, by.ID)})
		if err != nil {
			return fmt.Errorf("write a test: %w", err)
		}
		ids, err := tx.AddMessages(ctx, []store.NewMessage{{WebhookID: w.ID, Type: EventPing, Body: body}})
		if err != nil {
			return err
		}
		id = ids[0]
		if err := tx.EnqueueShared(ctx, c.background, webhookQueue, []river.JobArgs{byHand(w.ID, id, by)}); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UsePingWebhook), ObjectKind: "webhook", ObjectID: w.ID.String(), After: map[string]string{"delivery": id.String()},
		})
	})
	if err != nil {
		return Delivery{}, err
	}
	return c.GetDelivery(ctx, a, webhook, id.String())
}

// ping is the body of a test: an Event that is about nothing.
type ping struct {
	Type      string    `json:"type"`
	Version   int       `json:"version"`
	Timestamp time.Time `json:"timestamp"`
	ActorKind ActorKind `json:"actor_kind"`
	ActorID   string    `json:"actor_id"`
	Data      struct{}  `json:"data"`
}

// Redeliver has a delivery attempted once more, now, with the same ID (admin);
// its schedule goes on besides. Faults: webhook_not_found, message_not_found,
// delivery_under_way.
func (c *Console) Redeliver(ctx context.Context, a Actor, webhook, id string) (Delivery, error) {
	err := c.change(ctx, a, UseRedeliverWebhook, func(tx *store.Tx, by store.Actor) error {
		m, err := findMessage(ctx, tx.Reader, webhook, id)
		if err != nil {
			return err
		}
		if m.ClaimedUntil != nil && m.ClaimedUntil.After(tx.At()) {
			return fault.New(fault.KindConflict, CodeDeliveryBusy)
		}
		if err := tx.EnqueueShared(ctx, c.background, webhookQueue, []river.JobArgs{byHand(m.WebhookID, m.ID, by)}); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseRedeliverWebhook), ObjectKind: "webhook", ObjectID: webhook, After: map[string]string{"delivery": id, "type": m.Type},
		})
	})
	if err != nil {
		return Delivery{}, err
	}
	return c.GetDelivery(ctx, a, webhook, id)
}

func byHand(w store.WebhookID, m store.MessageID, by store.Actor) delivery {
	return delivery{WebhookID: w, MessageID: m, ByHand: true, By: store.ActorText(by.Kind, by.ID)}
}

func findMessage(ctx context.Context, r store.Reader, webhook, id string) (store.Message, error) {
	w, err := findWebhook(ctx, r, webhook)
	if err != nil {
		return store.Message{}, err
	}
	key, err := parse[store.MessageID]("message", id)
	if err != nil {
		return store.Message{}, err
	}
	m, err := r.Message(ctx, key)
	if err == nil && m.WebhookID != w.ID {
		err = store.NotFound("message", id)
	}
	return m, err
}

func deliveryOf(m *store.Message) Delivery {
	return Delivery{
		ID: m.ID.String(), WebhookID: m.WebhookID.String(), EventID: m.EventID, Type: m.Type, State: string(m.State), Attempts: m.Attempts,
		NextAt: m.NextAt, Status: m.Status, Fault: deliveryFault(m.Fault), CreatedAt: m.CreatedAt, EndedAt: m.EndedAt,
	}
}

func deliveryFault(r *store.Refusal) *DeliveryFault {
	if r == nil {
		return nil
	}
	return &DeliveryFault{Code: r.Code, Params: r.Params}
}
