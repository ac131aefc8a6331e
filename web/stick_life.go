package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// move is what a form does with the stick of its address.
type move func(r *http.Request, id string, form *view.StickForm) (api.Stick, error)

// movedAsSeen moves a stick that is as the form shows it.
func movedAsSeen(
	r *http.Request, u api.UseCase, move func(context.Context, api.Actor, api.MoveStickInput) (api.Stick, error), id, reason string,
) (api.Stick, error) {
	revision, err := seenBy(r, u)
	if err != nil {
		return api.Stick{}, err
	}
	return move(r.Context(), actorOf(r), api.MoveStickInput{ID: id, Reason: reason, Revision: revision})
}

// stickMove is the handler of a form that moves a stick in its life; done is the
// sentence that says so. It leads back to where the form stood.
func (s *Web) stickMove(act, done string, do move) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		form := view.StickForm{
			Act: act, Holder: r.PostFormValue("holder"), Reference: r.PostFormValue("reference"), Reason: r.PostFormValue("reason"),
		}
		x, err := do(r, chi.URLParam(r, "id"), &form)
		if err != nil {
			return s.stickWith(w, r, form, err)
		}
		s.flash(r, localeOf(r).T(done, "stick", view.StickName(&x), "holder", x.Holder))
		return see(w, r, "/sticks/"+x.ID)
	}
}

func (s *Web) stickIssue(r *http.Request, id string, form *view.StickForm) (api.Stick, error) {
	revision, err := seenBy(r, api.UseIssueStick)
	if err != nil {
		return api.Stick{}, err
	}
	return s.console.IssueStick(r.Context(), actorOf(r), api.IssueStickInput{ID: id, Holder: form.Holder, Reference: form.Reference, Revision: revision})
}

func (s *Web) stickReturn(r *http.Request, id string, _ *view.StickForm) (api.Stick, error) {
	return movedAsSeen(r, api.UseReturnStick, s.console.ReturnStick, id, "")
}

// stickUndo takes back that the stick was handed out or returned, by the event that
// its page shows as the last one.
func (s *Web) stickUndo(r *http.Request, id string, _ *view.StickForm) (api.Stick, error) {
	if err := needs(r, api.UseUndoStickMove); err != nil {
		return api.Stick{}, err
	}
	seq, err := strconv.ParseInt(r.PostFormValue("seq"), 10, 64)
	if err != nil {
		return api.Stick{}, fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	return s.console.UndoStickMove(r.Context(), actorOf(r), id, seq)
}

func (s *Web) stickLost(r *http.Request, id string, form *view.StickForm) (api.Stick, error) {
	return movedAsSeen(r, api.UseDeclareStickLost, s.console.DeclareStickLost, id, form.Reason)
}

func (s *Web) stickFound(r *http.Request, id string, form *view.StickForm) (api.Stick, error) {
	return movedAsSeen(r, api.UseStickFound, s.console.StickFound, id, form.Reason)
}

// stickRetire takes a stick out of use after its name was typed.
func (s *Web) stickRetire(r *http.Request, id string, form *view.StickForm) (api.Stick, error) {
	if err := needs(r, api.UseRetireStick); err != nil {
		return api.Stick{}, err
	}
	x, err := s.console.GetStick(r.Context(), actorOf(r), id)
	if err != nil {
		return x, err
	}
	if name := view.StickName(&x); r.PostFormValue("name") != name {
		return x, wrongName(name)
	}
	return movedAsSeen(r, api.UseRetireStick, s.console.RetireStick, id, form.Reason)
}

// stickData says what becomes of the data on a stick that came back.
func (s *Web) stickData(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	form := view.StickForm{Act: "data", Data: r.PostFormValue("data"), Signer: r.PostFormValue("signer"), Reason: r.PostFormValue("reason")}
	revision, err := seenBy(r, api.UseSettleStickData)
	if err == nil {
		_, err = s.console.SettleStickData(r.Context(), actorOf(r), api.SettleStickDataInput{
			Stick: id, Data: form.Data, Signer: form.Signer, Reason: form.Reason, Revision: revision,
		})
	}
	if err != nil {
		return s.stickWith(w, r, form, err)
	}
	s.flash(r, localeOf(r).T("stick.data_done"))
	return see(w, r, "/sticks/"+id)
}

// stickTask ticks off something that is to be disabled, or takes that back.
func (s *Web) stickTask(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	revision, err := seenBy(r, api.UseTickStickTask)
	if err == nil {
		_, err = s.console.TickStickTask(r.Context(), actorOf(r), api.TickStickTaskInput{
			Stick: id, Task: chi.URLParam(r, "task"), Done: r.PostFormValue("done") != "", Revision: revision,
		})
	}
	if err != nil {
		return s.stickWith(w, r, view.StickForm{Act: "task"}, err)
	}
	return see(w, r, "/sticks/"+id+"#tasks")
}
