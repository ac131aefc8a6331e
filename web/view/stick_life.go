package view

import (
	"slices"

	"github.com/stickpress/stickpress/api"
)

// StickMore is what a stick's page says beside the stick itself.
type StickMore struct {
	At           StickAt
	Certificates []api.Certificate
	Events       []api.StickEvent // the oldest first
	Tasks        []api.StickTask
	Form         StickForm
	Problem      Problem
}

// StickForm is what was typed about a stick.
type StickForm struct {
	Act       string // which form it was: "issue", "return", "undo", "lost", "found", "retire", "data", "task"
	Holder    string
	Reference string
	Reason    string
	Data      string
	Signer    string
}

// problem is what is wrong with a field of one of the forms.
func (m *StickMore) problem(act string) Problem {
	if m.Form.Act == act && m.Problem.Field != "" {
		return m.Problem
	}
	return Problem{}
}

// loose is what is wrong and stands at no field: of the stick itself, or of a form
// that the page no longer has because somebody else moved the stick.
func (m *StickMore) loose(f Frame, s *api.Stick) string {
	there := map[string]bool{
		"issue":  s.Issuable() && f.Actor.Can(api.UseIssueStick),
		"found":  s.Life == "lost" && f.Actor.Can(api.UseStickFound),
		"lost":   s.Losable() && f.Actor.Can(api.UseDeclareStickLost),
		"retire": s.Retirable() && f.Actor.Can(api.UseRetireStick),
		"data":   s.Data == api.DataOpen && f.Actor.Can(api.UseSettleStickData),
	}
	if m.Problem.Field != "" && there[m.Form.Act] {
		return ""
	}
	return m.Problem.Rest()
}

// StickName is what has to be typed before a stick is taken out of use.
func StickName(s *api.Stick) string {
	if s.Serial != "" {
		return s.Serial
	}
	return s.ID
}

// undoable is the event that can be taken back; none if there is no such.
func (m *StickMore) undoable(f Frame) (api.StickEvent, bool) {
	i := slices.IndexFunc(m.Events, func(e api.StickEvent) bool { return e.Undoable })
	if i < 0 || !f.Actor.Can(api.UseUndoStickMove) {
		return api.StickEvent{}, false
	}
	return m.Events[i], true
}

// newestFirst turns events round.
func newestFirst(events []api.StickEvent) []api.StickEvent {
	events = slices.Clone(events)
	slices.Reverse(events)
	return events
}

func stickEventSentence(f Frame, e api.StickEvent) string {
	key := "stick_event." + e.Type
	if e.Type == "stick_data_settled" {
		key = "stick_event.data_" + e.Data
	}
	sentence := f.T(key, "actor", e.ActorName, "port", e.Port, "holder", e.Holder, "signer", e.Signer)
	if e.Check != nil {
		sentence = sentences(sentence, f.T("verify.outcome_"+e.Check.Outcome))
	}
	if e.Fault != nil {
		sentence = sentences(sentence, f.L.Fault(e.Fault.Code, e.Fault.Params))
	}
	return sentence
}

// lifeTone is the look of an event in the life of a stick.
func lifeTone(e api.StickEvent) string {
	switch {
	case e.Fault != nil || e.Type == "stick_lost":
		return "bad"
	case e.Type == "stick_verified" || e.Type == "stick_wiped":
		return "good"
	case e.Type == "stick_pressing" || e.Type == "stick_erasing" || e.Type == "stick_issued":
		return "run"
	case e.Type == "stick_returned" || e.Type == "stick_found" || e.Type == "stick_retired":
		return "warn"
	}
	return "idle"
}
