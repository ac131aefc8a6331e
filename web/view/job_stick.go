package view

import (
	"net/url"
	"strconv"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// stickNowText says in words where a stick is, or why it is no further.
func stickNowText(f Frame, j api.Job, b api.Build) string {
	step := currentStep(b)
	switch {
	case step != "" && b.State == "running":
		return f.T("step_now." + string(step))
	case b.State == "failed" && b.Fault != nil:
		return f.L.Fault(b.Fault.Code, b.Fault.Params)
	case foundOf(f, b) != "":
		return foundOf(f, b)
	case b.State == "verified" && j.Kind != protocol.JobCapture:
		return f.T("job.every_byte")
	case b.Fault == nil && b.State != "verified":
		return f.T("state_hint." + b.State)
	}
	return ""
}

// runName is whose stick it is, where each is for somebody else: of one model they
// all are. Else it is what it is.
func runName(f Frame, j api.Job, b api.Build) string {
	if b.Holder != "" && b.Holder != j.Holder {
		return b.Holder
	}
	return sourceName(f, b)
}

// meanRate is how fast a stick that is done was written.
func meanRate(b api.Build) string {
	if r := b.Result; r != nil && r.WriteMS > 0 && r.BytesWritten > 0 {
		return locale.Rate(r.BytesWritten * 1000 / r.WriteMS)
	}
	return ""
}

// mayCancelStick reports whether one stick can be stopped and the others go on.
func mayCancelStick(f Frame, j api.Job, b api.Build) bool {
	return len(j.Builds) > 1 && b.EndedAt == nil && b.CancelRequestedAt == nil && j.CancelRequestedAt == nil && f.Actor.Can(api.UseCancelBuild)
}

// attemptTabs lead to the attempts of a stick.
func (x *JobRun) attemptTabs(f Frame, b api.Build) []Tab {
	name := func(number int, state string) string {
		return f.T("job.attempt", "number", number) + " · " + f.T("state."+buildState(x.Job.Kind, state))
	}
	var tabs []Tab
	for _, a := range b.Earlier {
		tabs = append(tabs, Tab{
			Link: Link{Name: name(a.Attempt, a.State), Path: x.attempt(b.Position, a.Attempt)},
			Here: a.Attempt == x.Attempts[b.Position], Count: -1,
		})
	}
	newest := Link{Name: name(newestAttempt(b), b.State), Path: x.attempt(b.Position, 0)}
	return append(tabs, Tab{Link: newest, Here: !x.shown(b).Earlier, Count: -1})
}

// attempt is the address of a page that shows an attempt of a stick; 0 is the
// newest.
func (x *JobRun) attempt(position, number int) string {
	return x.page(position, number, "")
}

// opened is the address of a page on which a stick stays unfolded while it
// loads itself again.
func (x *JobRun) opened(position int) string { return x.page(0, 0, strconv.Itoa(position)) }

func (x *JobRun) page(position, number int, open string) string {
	q := url.Values{}
	for at, n := range x.Attempts {
		q.Set("b"+strconv.Itoa(at), strconv.Itoa(n))
	}
	if position > 0 {
		q.Del("b" + strconv.Itoa(position))
		if number > 0 {
			q.Set("b"+strconv.Itoa(position), strconv.Itoa(number))
		}
	}
	if x.Search != "" {
		q.Set("q", x.Search)
	}
	if open != "" {
		q.Set("open", open)
	}
	path := "/jobs/" + x.Job.ID
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	if position == 0 {
		position, _ = strconv.Atoi(open)
	}
	return path + "#b" + strconv.Itoa(position)
}

// live is the address of the page's stream, after the last line that it has.
func (x *JobRun) live() string {
	q := url.Values{"after": {strconv.FormatInt(lastSeq(x.Events), 10)}}
	for at, n := range x.Attempts {
		q.Set("b"+strconv.Itoa(at), strconv.Itoa(n))
	}
	if x.Search != "" {
		q.Set("q", x.Search)
	}
	return "/jobs/" + x.Job.ID + "/live?" + q.Encode()
}
