package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) webhookRoutes() {
	list(s, get("/webhooks", "list_webhooks", "webhooks", "Who is told of events, newest first"), api.WebhookFields, s.console.ListWebhooks)

	type input struct{ Body wire.CreateWebhook }
	op := secret(create("/webhooks", "create_webhook", "webhooks", "Have somebody told of what happens from now on; the secret is shown only once"), "secret")
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*made[api.NewWebhook], error) {
		w, err := s.console.CreateWebhook(ctx, a, api.SaveWebhookInput{
			URL: in.Body.URL, Description: in.Body.Description, Types: in.Body.Types, Sites: in.Body.Sites,
		})
		return madeOf(w, "/webhooks/"+w.ID, w.Revision, err)
	})

	type one struct {
		Webhook string `path:"webhook" doc:"ID of a webhook."`
	}
	register(s, get("/webhooks/{webhook}", "get_webhook", "webhooks", "Somebody who is told of events"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.Webhook], error) {
			w, err := s.console.GetWebhook(ctx, a, in.Webhook)
			return foundOf(w, w.Revision, err)
		})

	type change struct {
		Webhook string `path:"webhook" doc:"ID of a webhook."`
		Match
		Body wire.ChangeWebhook
	}
	register(s, patch("/webhooks/{webhook}", "save_webhook", "webhooks", "Change where, or of what, somebody is told"),
		func(ctx context.Context, a api.Actor, in *change) (*found[api.Webhook], error) {
			before, err := s.console.GetWebhook(ctx, a, in.Webhook)
			if err != nil {
				return nil, err
			}
			save := api.SaveWebhookInput{
				ID: before.ID, URL: or(in.Body.URL, before.URL), Description: or(in.Body.Description, before.Description),
				Types: or(in.Body.Types, before.Types), Sites: or(in.Body.Sites, before.Sites), Revision: in.revision,
			}
			if save.Revision == 0 {
				save.Revision = before.Revision // what is left out is as it was seen here
			}
			w, err := s.console.UpdateWebhook(ctx, a, save)
			return foundOf(w, w.Revision, err)
		})

	type gone struct {
		Webhook string `path:"webhook" doc:"ID of a webhook."`
		Match
	}
	register(s, remove("/webhooks/{webhook}", "delete_webhook", "webhooks", "Forget a webhook and what was sent to it"),
		func(ctx context.Context, a api.Actor, in *gone) (*struct{}, error) {
			return nil, s.console.DeleteWebhook(ctx, a, in.Webhook, in.revision)
		})

	s.pauseWebhook("pauses", "pause_webhook", "Send nothing for now: what happens meanwhile is not sent later", s.console.PauseWebhook)
	s.pauseWebhook("resumptions", "resume_webhook", "Send what happens from now on again", s.console.ResumeWebhook)

	type rotate struct {
		Webhook string `path:"webhook" doc:"ID of a webhook."`
		MayMatch
		Body *wire.RotateSecret
	}
	register(s, secret(action("/webhooks/{webhook}/secrets", "rotate_webhook_secret", "webhooks", "Replace the secret, which is shown only once; for a while both sign"), "secret"),
		func(ctx context.Context, a api.Actor, in *rotate) (*found[api.NewWebhook], error) {
			turn := api.RotateSecretInput{ID: in.Webhook, Revision: in.revision}
			if in.Body != nil {
				turn.Overlap = wire.Duration(in.Body.OverlapSeconds)
			}
			w, err := s.console.RotateWebhookSecret(ctx, a, turn)
			return foundOf(w, w.Revision, err)
		})
	s.deliveryRoutes()
}

// pauseWebhook registers POST /webhooks/{webhook}/<noun>.
func (s *REST) pauseWebhook(noun, id, summary string, do func(context.Context, api.Actor, string, int64) (api.Webhook, error)) {
	type input struct {
		MayMatch
		Webhook string `path:"webhook" doc:"ID of a webhook."`
	}
	register(s, action("/webhooks/{webhook}/"+noun, id, "webhooks", summary),
		func(ctx context.Context, a api.Actor, in *input) (*found[api.Webhook], error) {
			w, err := do(ctx, a, in.Webhook, in.revision)
			return foundOf(w, w.Revision, err)
		})
}

// or is what a body says, or what was there.
func or[T any](said *T, before T) T {
	if said != nil {
		return *said
	}
	return before
}
