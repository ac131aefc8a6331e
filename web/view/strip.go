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
		line := Strip{ID: "strip-" + b.ID, Port: portName(b.PortLabel, b.Identity.Port), Name: runName(f, j, b)}
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
		case s.LeftAt != nil:
			step.End = s.LeftAt.Sub(begun)
		case b.EndedAt != nil: // by somebody who did not wait for the host
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

// Widths of a strip that texts are chosen for, in CSS pixels: the least of a wide
// one (strip.css, @container), and that of a telephone.
const (
	stripWide   = 640
	stripNarrow = 280
)

// text is what stands in a segment of a strip of a width, by how much room it has.
func (s StripStep) text(span time.Duration, width float64) string {
	took := locale.Duration(s.End - s.Begin)
	texts := []string{s.Name + " " + took, s.Name, took}
	switch s.State {
	case "expected":
		texts = []string{"+" + took}
	case "failed":
		texts = []string{"✗ " + s.Name + " " + took, "✗ " + s.Name, "✗"} // no colour alone says it
	case "cancelled":
		texts = []string{"– " + s.Name + " " + took, "– " + s.Name, "–"}
	}
	room := width*share(s.End-s.Begin, span)/100 - 9
	for _, t := range texts {
		if textWidth(t) <= room {
			return t
		}
	}
	return ""
}

// textWidth is about how wide a text of 12 px is, in pixels; Chinese characters
// are square.
func textWidth(text string) float64 {
	wide := 0.0
	for _, r := range text {
		if r >= 0x2e80 {
			wide += 12
		} else {
			wide += 7
		}
	}
	return wide
}

// title is what a segment is, in words.
func (s StripStep) title(f Frame) string {
	return f.T("strip.step", "name", s.Name, "how", f.T("step_state."+s.State), "time", locale.Duration(s.End-s.Begin))
}

// stripTicks are the steps of the axis that people read at a glance.
var stripTicks = []time.Duration{
	2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// ticks are the times that the axis names between its ends, at most four; none
// stands so near the end that the two would touch.
func (all Strips) ticks() []time.Duration {
	step := stripTicks[len(stripTicks)-1]
	for _, t := range stripTicks {
		if all.Span <= 5*t {
			step = t
			break
		}
	}
	var ticks []time.Duration
	for at := step; at <= all.Span*85/100 && len(ticks) < 4; at += step {
		ticks = append(ticks, at)
	}
	return ticks
}

// said is the strip in words.
func (s Strip) said(f Frame) string {
	var parts []string
	for _, step := range s.Steps {
		parts = append(parts, step.title(f))
	}
	if len(parts) == 0 {
		return f.T("strip.waiting")
	}
	return strings.Join(parts, f.T("strip.and"))
}
