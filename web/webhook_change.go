package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// errNoTypes is the refusal of a form that chooses types and names none.
func errNoTypes() *fault.Error {
	return fault.New(fault.KindInvalid, "event_types_missing").At("types")
}

func (s *Web) webhookSave(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseSaveWebhook); err != nil {
		return err
	}
	id := chi.URLParam(r, "id")
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	form, in, wrong := webhookForm(r)
	in.ID, in.Revision = id, revision
	_, err = s.console.UpdateWebhook(r.Context(), actorOf(r).Refused(wrong), in)
	if err := fault.All(wrong, err); err != nil {
		return s.webhookWith(w, r, id, view.WebhookPage{Form: form, Refused: err, Problem: view.NewProblem(localeOf(r), err)})
	}
	s.flash(r, localeOf(r).T("webhook.saved"))
	return see(w, r, "/webhooks/"+id)
}

// webhookPause pauses a webhook or lets it go on.
func (s *Web) webhookPause(w http.ResponseWriter, r *http.Request) error {
	id, do, done := chi.URLParam(r, "id"), s.console.PauseWebhook, "webhook.paused_done"
	if r.PostFormValue("back") != "" {
		do, done = s.console.ResumeWebhook, "webhook.resumed_done"
	}
	if _, err := do(r.Context(), actorOf(r), id, 0); err != nil {
		return err
	}
	s.flash(r, localeOf(r).T(done))
	return see(w, r, "/webhooks/"+id)
}

// webhookSecret replaces the secret and shows the new one, this once.
func (s *Web) webhookSecret(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	made, err := s.console.RotateWebhookSecret(r.Context(), actorOf(r), api.RotateSecretInput{ID: id})
	if err != nil {
		return err
	}
	return s.webhookWith(w, r, id, view.WebhookPage{Secret: made.Secret})
}

// webhookPing sends a test and shows how it goes.
func (s *Web) webhookPing(w http.ResponseWriter, r *http.Request) error {
	d, err := s.console.PingWebhook(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	return see(w, r, view.DeliveryPath(d))
}

// webhookDelete forgets a webhook after its host was typed.
func (s *Web) webhookDelete(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseDeleteWebhook); err != nil {
		return err
	}
	hook, err := s.console.GetWebhook(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	if name := view.HostOf(hook.URL); r.PostFormValue("name") != name {
		return s.webhookRefused(w, r, wrongName(name))
	}
	if err := s.console.DeleteWebhook(r.Context(), actorOf(r), hook.ID, revision); err != nil {
		return s.webhookRefused(w, r, err)
	}
	s.flash(r, localeOf(r).T("webhook.deleted_done"))
	return see(w, r, "/webhooks")
}

// delivery shows what was sent, and each attempt.
func (s *Web) delivery(w http.ResponseWriter, r *http.Request) error {
	ctx, actor := r.Context(), actorOf(r)
	hook, err := s.console.GetWebhook(ctx, actor, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	d, err := s.console.GetDelivery(ctx, actor, hook.ID, chi.URLParam(r, "delivery"))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Delivery(s.frame(r, "webhooks"), hook, d))
}

// deliverySend sends it once more.
func (s *Web) deliverySend(w http.ResponseWriter, r *http.Request) error {
	d, err := s.console.Redeliver(r.Context(), actorOf(r), chi.URLParam(r, "id"), chi.URLParam(r, "delivery"))
	if err != nil {
		return err
	}
	s.flash(r, localeOf(r).T("webhook.sent_again"))
	return see(w, r, view.DeliveryPath(d))
}
