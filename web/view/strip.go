package view

import (
	"strings"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// StripStep is one segment of a build strip.
type StripStep struct {
	Name       string
	State      string        // "done", "running", "failed", "cancelled", "expected"
	Begin, End time.Duration // since the strips' beginning
}

// Strip is one stick of a job in time.
type Strip struct {
	ID    string // unique on the page
	Port  string
	Name  string
	Href  string // may be empty
	Steps []StripStep
	Took  string
}

// Strips are the builds of a job over one span of time, so that what happened
// at the same time stands at the same place.
type Strips struct {
	Span  time.Duration
	Lines []Strip
}

// leastSpan is the least time that strips cover; what takes less is not worth a
// closer look.
const leastSpan = 10 * time.Second

// StripsOf draws the newest attempts of a job's builds as they are at a time.
// What a step that runs still needs is drawn as expected, as far as its rate
// says.
func StripsOf(f Frame, j api.Job, now time.Time) Strips {
	var begun time.Time
	for _, b := range j.Builds {
		for _, s := range b.Steps {
			if s.BegunAt != nil && (begun.IsZero() || s.BegunAt.Before(begun)) {
				begun = *s.BegunAt
			}
		}
	}
	all := Strips{Span: leastSpan}
	for _, b := range j.Builds {
		line := Strip{ID: "strip-" + b.ID, Port: portName(b.PortLabel, b.Identity.Port), Name: sourceName(f, b)}
		if b.StickID != "" {
			line.Href = "/sticks/" + b.StickID
		}
		line.Steps = stripSteps(f, b, begun, now)
		if n := len(line.Steps); n > 0 {
			all.Span = max(all.Span, line.Steps[n-1].End)
			line.Took = locale.Duration(tookUntil(line.Steps) - line.Steps[0].Begin)
		}
		all.Lines = append(all.Lines, line)
	}
	return all
}

// tookUntil is where the last segment that is more than expected ends.
func tookUntil(steps []StripStep) time.Duration {
	var end time.Duration
	for _, s := range steps {
		if s.State != "expected" {
			end = s.End
		}
	}
	return end
}

func stripSteps(f Frame, b api.Build, begun, now time.Time) []StripStep {
	var steps []StripStep
	for _, s := range b.Steps {
		if s.BegunAt == nil {
			continue
		}
		step := StripStep{Name: f.T("step." + string(s.Step)), State: stepState(b, s), Begin: s.BegunAt.Sub(begun)}
		switch {
		case s.DoneAt != nil:
			step.End = s.DoneAt.Sub(begun)
		case b.EndedAt != nil:
			step.End = b.EndedAt.Sub(begun)
		default:
			step.End = now.Sub(begun)
		}
		step.End = max(step.End, step.Begin) // a host's clock may jump
		steps = append(steps, step)
		if p := b.Progress; p != nil && step.State == "running" && p.Step == s.Step && p.ETA() > 0 {
			steps = append(steps, StripStep{Name: step.Name, State: "expected", Begin: step.End, End: step.End + p.ETA()})
		}
	}
	return steps
}

// text is what stands in a segment, by how much room it has.
func (s StripStep) text(span time.Duration) string {
	took := locale.Duration(s.End - s.Begin)
	switch part := share(s.End-s.Begin, span); {
	case part < 6:
		return ""
	case s.State == "expected":
		return "+" + took
	case part < 9:
		return took
	case part < 14:
		return s.Name
	}
	return s.Name + " " + took
}

// said is the strip in words.
func (s Strip) said(f Frame) string {
	var parts []string
	for _, step := range s.Steps {
		parts = append(parts, f.T("strip.step", "name", step.Name, "how", f.T("step_state."+step.State), "time", locale.Duration(step.End-step.Begin)))
	}
	if len(parts) == 0 {
		return f.T("strip.waiting")
	}
	return strings.Join(parts, f.T("strip.and"))
}
