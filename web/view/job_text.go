package view

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/a-h/templ"

	"github.com/stickpress/stickpress/api"
)

// logTime is an exact time in a log as text.
const logTime = "2006-01-02T15:04:05.000Z"

// WriteLog writes a job's history as text: when (UTC), how loud, which stick
// and attempt, what. A sentence of several lines is one line.
func WriteLog(w *bytes.Buffer, f Frame, u api.JobUpdate) {
	at := make(map[string]int, len(u.Job.Builds))
	for _, b := range u.Job.Builds {
		at[b.ID] = b.Position
	}
	oneLine := strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")
	for _, e := range u.Events {
		who := "job"
		if e.BuildID != "" {
			who = fmt.Sprintf("stick %d.%d", at[e.BuildID], attemptOf(e))
		}
		fmt.Fprintf(w, "%s %-5s %-10s %s\n", eventTime(e).UTC().Format(logTime), eventLevel(e), who, oneLine.Replace(eventSentence(f, e)))
	}
}

// Part is one part of a page, by the name that its stream has for it.
type Part struct {
	Name      string
	Component templ.Component
}

// StepLines are the closed folds of a stick, where its newest attempt is shown.
func (x *JobRun) StepLines(f Frame, b api.Build) []Part {
	s := x.shown(b)
	if s.Earlier {
		return nil
	}
	var parts []Part
	for _, step := range shownSteps(x.Job.Kind) {
		parts = append(parts, Part{stepPart(s, step), StepLine(f, s, step)})
	}
	return parts
}
