package web

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

// requests lists what tickets want. Those that are chosen are answered on the
// form of a new job.
func (s *Web) requests(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "requests", api.StickRequestFields, func(f api.StickRequestFilter, p api.Page) (api.List[api.StickRequest], error) {
		return s.console.ListStickRequests(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	return s.show(w, r, view.Requests(s.frame(r, "requests"), narrowing, list))
}

func (s *Web) request(w http.ResponseWriter, r *http.Request) error {
	return s.requestWith(w, r, "", nil)
}

func (s *Web) requestWith(w http.ResponseWriter, r *http.Request, reason string, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	q, err := s.console.GetStickRequest(ctx, actor, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	p := view.RequestPage{Request: q, Reason: reason, Problem: view.NewProblem(localeOf(r), problem)}
	if p.WriteBacks, err = s.console.RequestWriteBacks(ctx, actor, q.ID); err != nil {
		return err
	}
	if p.History, err = s.history(r, "stick_request", q.ID); err != nil {
		return err
	}
	page := view.Request(s.frame(r, "requests"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) requestDecline(w http.ResponseWriter, r *http.Request) error {
	return s.requestMove(w, r, s.console.DeclineStickRequest, "request.declined_done")
}

func (s *Web) requestReopen(w http.ResponseWriter, r *http.Request) error {
	return s.requestMove(w, r, s.console.ReopenStickRequest, "request.reopened_done")
}

func (s *Web) requestMove(
	w http.ResponseWriter, r *http.Request, move func(context.Context, api.Actor, api.MoveRequestInput) (api.StickRequest, error), done string,
) error {
	in := api.MoveRequestInput{ID: chi.URLParam(r, "id"), Reason: r.PostFormValue("reason")}
	var err error
	if in.Revision, err = revisionOf(r); err != nil {
		return err
	}
	q, err := move(r.Context(), actorOf(r), in)
	if err != nil {
		return s.requestWith(w, r, in.Reason, err)
	}
	s.flash(r, localeOf(r).T(done, "ticket", q.Ticket))
	return see(w, r, "/requests/"+q.ID)
}

// requested finds the requests that a form answers.
func (s *Web) requested(r *http.Request, p *view.NewJob) error {
	for _, id := range r.Form["request"] {
		q, err := s.console.GetStickRequest(r.Context(), actorOf(r), id)
		if err != nil {
			return err
		}
		p.Requests = append(p.Requests, q)
	}
	return nil
}
