package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) webhooks(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "webhooks", api.WebhookFields, func(f api.WebhookFilter, p api.Page) (api.List[api.Webhook], error) {
		return s.console.ListWebhooks(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	stopped, err := s.console.StoppedWebhooks(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Webhooks(s.frame(r, "webhooks"), narrowing, list, stopped))
}

func (s *Web) webhookNew(w http.ResponseWriter, r *http.Request) error {
	return s.webhookNewWith(w, r, view.WebhookForm{Every: true, Everywhere: true}, nil)
}

func (s *Web) webhookNewWith(w http.ResponseWriter, r *http.Request, form view.WebhookForm, problem error) error {
	if err := needs(r, api.UseSaveWebhook); err != nil {
		return err
	}
	sites, err := s.allSites(r)
	if err != nil {
		return err
	}
	p := view.WebhookPage{Form: form, Sites: sites, Problem: view.NewProblem(localeOf(r), problem)}
	page := view.WebhookNew(s.frame(r, "webhooks"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// webhookForm reads what was typed, what it asks for, and what is wrong about it.
func webhookForm(r *http.Request) (view.WebhookForm, api.SaveWebhookInput, error) {
	f := view.WebhookForm{
		URL: r.PostFormValue("url"), Description: r.PostFormValue("description"),
		Every: r.PostFormValue("every") != "no", Types: r.PostForm["type"],
		Everywhere: r.PostFormValue("everywhere") != "no", Sites: r.PostForm["site"],
	}
	in := api.SaveWebhookInput{URL: f.URL, Description: f.Description, Types: f.Types, Sites: f.Sites}
	return f, in, fault.All(chosen(f.Every, f.Types, errNoTypes()), chosen(f.Everywhere, f.Sites, noSites()))
}

// webhookCreate shows the secret of the new webhook, this once.
func (s *Web) webhookCreate(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseSaveWebhook); err != nil {
		return err
	}
	form, in, wrong := webhookForm(r)
	made, err := s.console.CreateWebhook(r.Context(), actorOf(r).Refused(wrong), in)
	if err := fault.All(wrong, err); err != nil {
		return s.webhookNewWith(w, r, form, err)
	}
	return s.webhookWith(w, r, made.ID, view.WebhookPage{Secret: made.Secret})
}

func (s *Web) webhook(w http.ResponseWriter, r *http.Request) error {
	return s.webhookWith(w, r, chi.URLParam(r, "id"), view.WebhookPage{})
}

// webhookWith shows a webhook with what the page has already: a secret, or what
// was refused.
func (s *Web) webhookWith(w http.ResponseWriter, r *http.Request, id string, p view.WebhookPage) error {
	ctx, actor := r.Context(), actorOf(r)
	var err error
	if p.Webhook, err = s.console.GetWebhook(ctx, actor, id); err != nil {
		return err
	}
	if p.Problem.Sentence == "" {
		p.Form = view.FormOf(p.Webhook)
	}
	if p.Sites, err = s.allSites(r); err != nil {
		return err
	}
	filter := api.DeliveryFilter{State: r.URL.Query().Get("state")}
	if p.Deliveries, err = s.console.ListDeliveries(ctx, actor, id, filter, pageOf(r)); err != nil {
		return err
	}
	p.State = filter.State
	if p.History, err = s.history(r, "webhook", id); err != nil {
		return err
	}
	page := view.Webhook(s.frame(r, "webhooks"), p)
	if p.Refused != nil {
		return s.again(w, r, p.Refused, page)
	}
	return s.show(w, r, page)
}

// webhookRefused shows a webhook with what was refused of a form on its page.
func (s *Web) webhookRefused(w http.ResponseWriter, r *http.Request, err error) error {
	return s.webhookWith(w, r, chi.URLParam(r, "id"), view.WebhookPage{Refused: err, Danger: view.NewProblem(localeOf(r), err)})
}
