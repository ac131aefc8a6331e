package view

import (
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// A build's bar is one line from its first step to its last: each step has a
// share of it, by what usually takes how long.
var stepShare = map[protocol.Step]int64{
	protocol.StepPreflight: 10,
	protocol.StepFetch:     90,
	protocol.StepMaster:    200,
	protocol.StepWrite:     400,
	protocol.StepVerify:    280,
	protocol.StepTable:     10,
	protocol.StepEject:     10,
	protocol.StepErase:     600,
	protocol.StepCapture:   700,
	protocol.StepUpload:    250,
	protocol.StepPublish:   40,
}

// shareTotal is the whole of a bar.
const shareTotal = 1000

// buildDone is how far a build is, out of shareTotal.
func buildDone(kind protocol.JobKind, b api.Build) int64 {
	if b.State == "verified" {
		return shareTotal
	}
	// The steps before the one begun last are done; lists say no more.
	var done, total int64
	begun := false
	for _, s := range kind.Steps() {
		begun = begun || s == b.Step
		if !begun {
			done += stepShare[s]
		}
		total += stepShare[s]
	}
	switch p := b.Progress; {
	case b.Step == "" || total == 0:
		return 0
	case p != nil && p.Step == b.Step && p.Total > 0:
		done += stepShare[b.Step] * min(p.Done, p.Total) / p.Total
	}
	return shareTotal * done / total
}

func jobDone(j api.Job) int64 {
	if j.Ended() { // what counts in the end is what may be handed out
		return shareTotal * int64(countBuilds(j, "verified"))
	}
	var done int64
	for _, b := range j.Builds {
		done += buildDone(j.Kind, b)
	}
	return done
}

func jobTotal(j api.Job) int64 { return shareTotal * int64(max(len(j.Builds), 1)) }

// jobTitle is what people call a job: how many sticks, and for whom.
func jobTitle(f Frame, j api.Job) string {
	if o := j.Options.Capture; o != nil {
		return f.T("capture.title", "image", o.Image, "version", o.Version)
	}
	sticks := jobSticks(f, j.Kind, len(j.Builds))
	if j.Holder == "" {
		return sticks
	}
	return f.T("job.for", "sticks", sticks, "holder", j.Holder)
}

// jobSticks is what is done with how many sticks; pressing goes without saying.
func jobSticks(f Frame, k protocol.JobKind, count int) string {
	sticks := f.L.N("job.title", count)
	if k == protocol.JobPress {
		return sticks
	}
	return f.T("job.kind_of", "kind", f.T("job_kind."+string(k)), "sticks", sticks)
}

// jobSucceeded says what to do with the sticks of a job that succeeded.
func jobSucceeded(f Frame, j api.Job) string {
	switch j.Kind { //nolint:exhaustive // the others carry something now
	case protocol.JobWipe:
		return f.L.N("job.wiped", len(j.Builds))
	case protocol.JobVerify:
		return f.L.N("job.checked", len(j.Builds))
	case protocol.JobCapture:
		return f.T("capture.done")
	case protocol.JobRaw:
		return f.L.N("raw.done", len(j.Builds))
	}
	if j.Holder == "" {
		return f.L.N("job.succeeded", len(j.Builds))
	}
	return f.L.N("job.succeeded_for", len(j.Builds), "holder", j.Holder)
}

// jobLike is the form of a new job like one, without its sticks.
func jobLike(j api.Job) NewJob {
	return NewJob{
		Kind: j.Kind, Version: j.VersionID, Host: j.HostID, Sequence: j.TaskSequenceID,
		Reference: j.ExternalRef.ID, Holder: j.Holder, ComputerName: j.Variables[api.VariableComputerName], Fields: fieldsOf(&j),
	}
}

// jobAgain is the form of a new job for the sticks that are not verified.
func jobAgain(j api.Job) NewJob {
	p := jobLike(j)
	p.again(j)
	return p
}

// jobWithOnly is a new job for one stick, whose fault is let pass.
func jobWithOnly(j api.Job, b api.Build) NewJob {
	p := jobLike(j)
	p.Reference, p.Holder, p.ComputerName = b.ExternalRef.ID, b.Holder, b.Variables[api.VariableComputerName]
	p.Chosen, p.Overrides = []protocol.Identity{b.Identity}, append(slices.Clone(j.Overrides), b.Fault.Code)
	return p
}

func barLook(state string) string {
	switch tone(state) {
	case "good":
		return "good"
	case "bad":
		return "bad"
	}
	return ""
}

func countBuilds(j api.Job, state string) int {
	n := 0
	for _, b := range j.Builds {
		if b.State == state {
			n++
		}
	}
	return n
}

// currentStep is the step that a build is in, or empty.
func currentStep(b api.Build) protocol.Step {
	for _, s := range b.Steps {
		if s.BegunAt != nil && s.DoneAt == nil {
			return s.Step
		}
	}
	return ""
}

// stepState is what the step list shows for one step of a build. An attempt that
// ended badly before its next step began did so in the step before.
func stepState(b api.Build, s api.BuildStep) string {
	switch {
	case s.BegunAt != nil && s.Step == b.Step && (b.State == "failed" || b.State == "cancelled"):
		return b.State
	case s.DoneAt != nil:
		return "done"
	case s.BegunAt == nil:
		return "waiting"
	case b.State == "failed":
		return "failed"
	case b.State == "cancelled":
		return "cancelled"
	}
	return "running"
}

func buildTime(b api.Build) string { return between(b.StartedAt, b.EndedAt) }

func between(begun, ended *time.Time) string {
	if begun == nil || ended == nil || ended.Sub(*begun) < time.Second {
		return ""
	}
	return locale.Duration(ended.Sub(*begun))
}

// mayRetry reports whether there is anything to try again, and whether the
// reader may. A job that is being cancelled has to end first.
func mayRetry(f Frame, j api.Job) bool {
	return j.State != "cancelling" && f.Actor.Can(api.UseRetryBuilds) && slices.ContainsFunc(j.Builds, unfinished)
}

// mayRetryStick reports whether one stick can be tried again, and the others stay
// as they are.
func mayRetryStick(f Frame, j api.Job, b api.Build) bool {
	return len(j.Builds) > 1 && unfinished(b) && mayRetry(f, j)
}

// mayAgain reports whether the page leads to a new job with the sticks that are
// not as they should be.
func mayAgain(f Frame, j api.Job) bool {
	return j.Ended() && j.State != "succeeded" && f.Actor.Can(api.UseQueueJob)
}

// jobBelow is what is read below a job's title: what goes onto the sticks, where,
// and for which ticket.
func jobBelow(j api.Job) string {
	var parts []string
	for _, p := range []string{strings.TrimSpace(j.ImageName + " " + j.Version), j.HostName, j.ExternalRef.ID} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " · ")
}

// unfinished reports whether a stick may be tried again.
func unfinished(b api.Build) bool { return b.State == "failed" || b.State == "cancelled" }

// jobSum says how many sticks are in which state.
func jobSum(f Frame, j api.Job) string {
	var parts []string
	for _, state := range []string{"queued", "assigned", "running", "verified", "failed", "cancelled"} {
		if n := countBuilds(j, state); n > 0 {
			parts = append(parts, f.T("job.sum", "count", n, "state", buildState(j.Kind, state)))
		}
	}
	return strings.Join(parts, " · ")
}

// stepRate is how fast a step writes or reads the stick now, or did, in bytes
// per second; 0 where that is not known.
func stepRate(b api.Build, s api.BuildStep) int64 {
	if p := b.Progress; p != nil && b.State == "running" && p.Step == s.Step {
		return p.Rate
	}
	switch r := b.Result; {
	case r == nil:
		return 0
	case (s.Step == protocol.StepWrite || s.Step == protocol.StepErase) && r.WriteMS > 0:
		return r.BytesWritten * 1000 / r.WriteMS
	case s.Step == protocol.StepVerify && r.VerifyMS > 0:
		return r.BytesVerified * 1000 / r.VerifyMS
	}
	return 0
}

// foundOnHost reports whether a fault is one that a host found and an admin may
// let pass.
func foundOnHost(code string) bool {
	return slices.Contains([]string{protocol.FaultCapacity, protocol.FaultTooSlow, protocol.FaultTooSlowRandom}, code)
}

// checkSentence is a check with its values. Some checks have two sides.
func checkSentence(f Frame, c protocol.Check) string {
	name := string(c.Name)
	switch {
	case c.Name == protocol.CheckRemovable && c.Params["removable"] == "true":
		name = "removable_true"
	case c.Name == protocol.CheckTransport && c.Params["uasp"] == "true":
		name = "transport_uasp"
	case c.Name == protocol.CheckSpeed && c.Verdict == protocol.VerdictWarn:
		name = "speed_fell_back"
	case c.Name == protocol.CheckCapacity && c.Params["offset"] != "":
		name = "capacity_false"
	}
	return f.L.Check(name, c.Params)
}

// eventSentence is one line of the log.
func eventSentence(f Frame, e api.JobEvent) string {
	switch {
	case e.Log != nil && e.Log.Code != "":
		return f.L.Log(e.Log.Code, e.Log.Params)
	case e.Log != nil:
		return e.Log.Text
	}
	pairs := []any{"actor", e.ActorName}
	if e.Step != "" {
		pairs = append(pairs, "step", f.T("step."+string(e.Step)))
	}
	if e.NotBefore != nil {
		pairs = append(pairs, "at", e.NotBefore.UTC().Format("2006-01-02 15:04 UTC"))
	}
	for name, value := range e.Params {
		pairs = append(pairs, name, value)
	}
	sentence := f.T(eventKey(e), pairs...)
	if e.Preflight != nil {
		for _, c := range e.Preflight.Checks {
			key := "job.check"
			if c.Verdict != protocol.VerdictOK {
				key = "job.check_not_ok"
			}
			sentence = sentences(sentence, f.T(key, "check", checkSentence(f, c), "verdict", f.T("verdict."+string(c.Verdict))))
		}
	}
	if e.Fault != nil {
		sentence = sentences(sentence, f.L.Fault(e.Fault.Code, e.Fault.Params))
	}
	return sentence
}

// eventKey names the sentence of an event: what a build's end means depends on
// what it was to do.
func eventKey(e api.JobEvent) string {
	switch r := e.Result; {
	case e.Type == "job_rescheduled" && e.NotBefore == nil:
		return "event.job_rescheduled_now"
	case e.Type != "build_verified" || r == nil:
	case r.Wipe != nil:
		return "event.build_wiped"
	case r.Check != nil:
		return "event.build_checked"
	case r.Capture != nil:
		return "event.build_captured"
	}
	return "event." + e.Type
}

// eventLevel is how loud a line is: info, warn or error.
func eventLevel(e api.JobEvent) string {
	if e.Log != nil {
		return e.Log.Level
	}
	if e.Fault != nil {
		return "error"
	}
	if e.Preflight != nil && slices.ContainsFunc(e.Preflight.Checks, func(c protocol.Check) bool { return c.Verdict != protocol.VerdictOK }) {
		return "warn"
	}
	return "info"
}

func eventTime(e api.JobEvent) time.Time {
	if e.HostAt != nil {
		return *e.HostAt
	}
	return e.At
}
