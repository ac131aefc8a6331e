package view

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// JobRun is what a job's page shows: the job, its history, and what of them the
// reader asked for.
type JobRun struct {
	api.JobUpdate
	Search   string      // only lines of the log that have this
	Attempts map[int]int // the attempt that is shown of a stick, by position, where it is not the newest
	Open     int         // position of the stick that is unfolded with all its steps; 0 for none
	URL      string      // of the console, for commands
	Problem  Problem     // what was wrong with what was asked for

	places map[place][]api.JobEvent // what Search leaves of the events, once it was asked for
}

// place is where the page shows an event; of the job's own all is empty.
type place struct {
	build   string
	attempt int
	step    protocol.Step
}

// stepBegin stands for what happens to an attempt before its first step.
const stepBegin protocol.Step = "begin"

// Shown is a stick as the page unfolds it: as its newest attempt has it, or an
// earlier one that was asked for.
type Shown struct {
	api.Build
	Number  int  // of the attempt; the one to come where the stick waits
	Earlier bool // it is not the newest one
}

func (x *JobRun) shown(b api.Build) Shown {
	s := Shown{Build: b, Number: newestAttempt(b)}
	for _, a := range b.Earlier {
		if a.Attempt == x.Attempts[b.Position] {
			s.Number, s.Earlier = a.Attempt, true
			s.State, s.Step, s.Steps, s.Preflight = a.State, a.Step, a.Steps, a.Preflight
			s.Touched, s.Fault, s.Result, s.Progress = a.Touched, a.Fault, a.Result, nil
			s.StartedAt, s.EndedAt, s.CertificateID = a.StartedAt, a.EndedAt, ""
		}
	}
	return s
}

// newestAttempt is the number of a build's newest attempt, or of the one that
// it waits for.
func newestAttempt(b api.Build) int {
	if n := len(b.Earlier); n > 0 {
		return b.Earlier[n-1].Attempt + 1
	}
	return max(b.Attempt, 1)
}

// attemptOf is the attempt that an event belongs to.
func attemptOf(e api.JobEvent) int { return max(e.Of, e.Attempt, 1) }

// at are the events that a place shows, by what is searched for.
func (x *JobRun) at(f Frame, p place) []api.JobEvent {
	if x.places == nil {
		x.places = map[place][]api.JobEvent{}
		for _, e := range x.Events {
			if matches(f, e, x.Search) {
				x.places[placeOf(e)] = append(x.places[placeOf(e)], e)
			}
		}
	}
	return x.places[p]
}

func placeOf(e api.JobEvent) place {
	if e.BuildID == "" {
		return place{}
	}
	return place{e.BuildID, attemptOf(e), stepOf(e)}
}

// lines are the events of one step of what is shown of a stick.
func (x *JobRun) lines(f Frame, s Shown, step protocol.Step) []api.JobEvent {
	return x.at(f, place{s.ID, s.Number, step})
}

// history are the events of the job itself.
func (x *JobRun) history(f Frame) []api.JobEvent { return x.at(f, place{}) }

// found counts the lines that the search leaves.
func (x *JobRun) found(f Frame) int {
	n := len(x.history(f))
	for p, events := range x.places {
		if p != (place{}) {
			n += len(events)
		}
	}
	return n
}

func stepOf(e api.JobEvent) protocol.Step {
	if e.In == "" {
		return stepBegin
	}
	return e.In
}

// matches reports whether a line has the text that is searched for, whatever
// its case.
func matches(f Frame, e api.JobEvent, search string) bool {
	return search == "" || strings.Contains(strings.ToLower(eventSentence(f, e)), strings.ToLower(search))
}

// unfolded reports whether a stick is open when the page comes: one that
// failed, the only one, or one that was asked for.
func (x *JobRun) unfolded(f Frame, b api.Build) bool {
	s := x.shown(b)
	if s.State == "failed" || len(x.Job.Builds) == 1 || x.Open == b.Position || s.Earlier {
		return true
	}
	for _, step := range shownSteps(x.Job.Kind) {
		if x.Search != "" && len(x.lines(f, s, step)) > 0 {
			return true
		}
	}
	return false
}

// stepUnfolded reports whether the lines of a step are: those of the one that
// failed, or those that the search left.
func (x *JobRun) stepUnfolded(f Frame, s Shown, step protocol.Step) bool {
	if x.Search != "" {
		return len(x.lines(f, s, step)) > 0
	}
	last := s.Step
	if last == "" {
		last = stepBegin
	}
	return x.Open == s.Position || s.State == "failed" && step == last
}

// shownSteps are the folds of a stick.
func shownSteps(k protocol.JobKind) []protocol.Step {
	return append([]protocol.Step{stepBegin}, k.Steps()...)
}

// lineID names a line in an address: "b3-L12" is line 12 of the third stick,
// "job-L2" line 2 of the job itself.
func lineID(positions map[string]int, e api.JobEvent) string {
	if e.BuildID == "" {
		return "job-L" + strconv.Itoa(e.Line)
	}
	return "b" + strconv.Itoa(positions[e.BuildID]) + "-L" + strconv.Itoa(e.Line)
}

// positions are the builds' places by their IDs.
func (x *JobRun) positions() map[string]int {
	at := make(map[string]int, len(x.Job.Builds))
	for _, b := range x.Job.Builds {
		at[b.ID] = b.Position
	}
	return at
}

// logID names the box with the lines of a step.
func logID(b api.Build, step protocol.Step) string {
	return "log-" + strconv.Itoa(b.Position) + "-" + string(step)
}

// nowOf is what moves on the page all the time, small enough for thirty-two
// sticks every second: scripts put it where it belongs, nothing is replaced.
type nowOf struct {
	All    int64      `json:"all"` // of the job, in thousandths
	Sticks []stickNow `json:"sticks"`
}

type stickNow struct {
	At   int    `json:"b"`           // position
	Done int64  `json:"d"`           // of the stick's bar, in thousandths
	Text string `json:"t"`           // how much of the step
	Rate string `json:"r,omitempty"` // how fast
	Left string `json:"l,omitempty"` // how long the step will take
	KBps int64  `json:"k,omitempty"` // how fast, for the line
}

// Now encodes what moves on a job's page.
func Now(f Frame, j api.Job) string {
	now := nowOf{All: shareTotal * jobDone(j) / jobTotal(j), Sticks: []stickNow{}}
	for _, b := range j.Builds {
		if p := b.Progress; p != nil && b.State == "running" {
			now.Sticks = append(now.Sticks, stickNow{
				At: b.Position, Done: buildDone(j.Kind, b), Text: amountNow(p), Rate: rateNow(p), Left: leftNow(f, p), KBps: p.Rate / 1000,
			})
		}
	}
	raw, err := json.Marshal(now)
	if err != nil {
		panic(err) // plain data
	}
	return string(raw)
}

func amountNow(p *api.Progress) string {
	if p.Total <= 0 {
		return locale.Bytes(p.Done)
	}
	return locale.Bytes(p.Done) + " / " + locale.Bytes(p.Total)
}

func rateNow(p *api.Progress) string {
	if p.Rate <= 0 {
		return ""
	}
	return locale.Rate(p.Rate)
}

// leftNow is how long the step will take, as a range where the rates of the
// last seconds differ.
func leftNow(f Frame, p *api.Progress) string {
	soonest, latest := time.Duration(p.Soonest)*time.Second, time.Duration(p.Latest)*time.Second
	if p.Soonest == 0 {
		eta := p.ETA()
		if eta == 0 {
			return ""
		}
		return f.T("job.eta", "time", locale.Duration(coarse(eta)))
	}
	soonest, latest = coarse(soonest), coarse(latest)
	if soonest == latest {
		return f.T("job.eta", "time", locale.Duration(latest))
	}
	return f.T("job.eta", "time", locale.Duration(soonest)+"–"+locale.Duration(latest))
}

// coarse rounds what nobody knows exactly: to five seconds, above two minutes
// to half a minute.
func coarse(d time.Duration) time.Duration {
	unit := 5 * time.Second
	if d > 2*time.Minute {
		unit = 30 * time.Second
	}
	return max(d.Round(unit), unit)
}

// still is a job without what Now says, to see whether anything else of it
// changed.
func still(j api.Job) api.Job {
	j.Builds = slices.Clone(j.Builds)
	for i := range j.Builds {
		j.Builds[i].Progress = nil
	}
	return j
}

// Still is the page without what Now says.
func (x *JobRun) Still() *JobRun {
	y := *x
	y.Job = still(x.Job)
	return &y
}

// sparkValues is the line of rates.
func sparkValues(p *api.Progress) []float64 {
	if p == nil {
		return nil
	}
	values := make([]float64, len(p.Rates))
	for i, r := range p.Rates {
		values[i] = float64(r)
	}
	return values
}

// sparkTop is the greatest rate: the line says how even they are, the number
// beside it how high.
func sparkTop(p *api.Progress) float64 { return slices.Max(append([]float64{1}, sparkValues(p)...)) }

// sparkRates is the line of rates in kB/s for the script that goes on with it.
func sparkRates(p *api.Progress) string {
	if p == nil {
		return ""
	}
	texts := make([]string, len(p.Rates))
	for i, r := range p.Rates {
		texts[i] = strconv.FormatInt(r/1000, 10)
	}
	return strings.Join(texts, " ")
}
