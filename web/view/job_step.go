package view

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// stepPart is what the stream calls a fold.
func stepPart(s Shown, step protocol.Step) string {
	return "step-" + strconv.Itoa(s.Position) + "-" + string(step)
}

// stepName is what a fold is called.
func stepName(f Frame, step protocol.Step) string {
	if step == stepBegin {
		return f.T("job.begin")
	}
	return f.T("step." + string(step))
}

// stepItem is a step as its fold shows it.
func stepItem(f Frame, s Shown, step protocol.Step) StepItem {
	state := foldState(s, step)
	return StepItem{Name: stepName(f, step), State: state, Word: f.T("step_state." + state), Took: foldTook(s, step), Rate: shownStepRate(s, step)}
}

// foldState is where a step stands: "waiting", "running", "done", "failed",
// "cancelled".
func foldState(s Shown, step protocol.Step) string {
	if step != stepBegin {
		if v, ok := stepIn(s.Steps, step); ok {
			return stepState(s.Build, v)
		}
		return "waiting"
	}
	switch {
	case s.StartedAt != nil:
		return "done"
	case s.State == "failed" || s.State == "cancelled":
		return s.State
	case s.State == "queued":
		return "waiting"
	}
	return "running"
}

func stepIn(steps []api.BuildStep, step protocol.Step) (api.BuildStep, bool) {
	i := slices.IndexFunc(steps, func(v api.BuildStep) bool { return v.Step == step })
	if i < 0 {
		return api.BuildStep{}, false
	}
	return steps[i], true
}

// foldTook is how long a step took, or lasted until the attempt was over.
func foldTook(s Shown, step protocol.Step) string {
	v, _ := stepIn(s.Steps, step)
	end := cmp.Or(v.DoneAt, v.LeftAt, s.EndedAt)
	if v.BegunAt == nil || end == nil || end.Before(*v.BegunAt) {
		return ""
	}
	took := end.Sub(*v.BegunAt)
	if took < time.Second {
		return "< 1 s"
	}
	return locale.Duration(took)
}

// shownStepRate is how fast a step that is over was; while it runs that is in
// what moves.
func shownStepRate(s Shown, step protocol.Step) string {
	v, ok := stepIn(s.Steps, step)
	if !ok || v.DoneAt == nil {
		return ""
	}
	b := s.Build
	b.Progress = nil
	if rate := stepRate(b, v); rate > 0 {
		return locale.Rate(rate)
	}
	return ""
}
