package view

import (
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// What the page of a job says differs by what the job does: a stick that was
// wiped is not handed out, and a capture leaves its source alone.

// buildState is the state of a build in the words of its kind.
func buildState(k protocol.JobKind, state string) string {
	switch {
	case state == "verified" && k == protocol.JobWipe:
		return "wiped"
	case state == "verified" && k == protocol.JobCapture:
		return "captured"
	}
	return state
}

// notSucceeded says how much of a job that is over may be relied on.
func notSucceeded(f Frame, j api.Job) string {
	key := "job.not_succeeded"
	switch j.Kind { //nolint:exhaustive // the others are handed out
	case protocol.JobRaw:
		key = "raw.not_done"
	case protocol.JobVerify:
		key = "verify.not_done"
	case protocol.JobWipe:
		key = "wipe.not_done"
	case protocol.JobCapture:
		key = "capture.not_done"
	}
	return f.T(key, "verified", countBuilds(j, "verified"), "count", len(j.Builds))
}

// cancelHint says what a cancelled job leaves behind.
func cancelHint(f Frame, k protocol.JobKind) string {
	switch k { //nolint:exhaustive // the others write
	case protocol.JobVerify:
		return f.T("verify.cancel_hint")
	case protocol.JobWipe:
		return f.T("wipe.cancel_hint")
	case protocol.JobCapture:
		return f.T("capture.cancel_hint")
	}
	return f.T("job.cancel_hint")
}

// touched says what a build that did not end well has left of its stick.
func touched(f Frame, k protocol.JobKind, touched bool) string {
	switch {
	case k == protocol.JobCapture:
		return f.T("capture.untouched")
	case !touched:
		return f.T("job.untouched")
	case k == protocol.JobWipe:
		return f.T("job.touched_wipe")
	case k == protocol.JobRaw:
		return f.T("raw.touched")
	}
	return f.T("job.touched")
}

// jobAgainWord is on the link to a job like one that did not succeed.
func jobAgainWord(f Frame, j api.Job) string {
	switch j.Kind { //nolint:exhaustive // the other is pressed again
	case protocol.JobRaw:
		return f.T("raw.again")
	case protocol.JobVerify:
		return f.T("job.check_again")
	case protocol.JobWipe:
		return f.T("job.wipe_again")
	case protocol.JobCapture:
		return f.T("capture.again")
	}
	return f.T("job.again")
}

// letPassWord is on the button that begins again with a refusal overridden.
func letPassWord(f Frame, k protocol.JobKind) string {
	if k == protocol.JobPress {
		return f.T("job.let_pass")
	}
	return f.T("job.let_pass_again")
}

// newJobTitle is what the form of a kind of job is called.
func newJobTitle(f Frame, k protocol.JobKind) string {
	switch k { //nolint:exhaustive // the other is pressed
	case protocol.JobRaw:
		return f.T("raw.new")
	case protocol.JobVerify:
		return f.T("host.check")
	case protocol.JobWipe:
		return f.T("host.wipe")
	case protocol.JobCapture:
		return f.T("capture.new")
	}
	return f.T("job.new")
}

// newJobHint is below that.
func newJobHint(f Frame, k protocol.JobKind) string {
	switch k { //nolint:exhaustive // the others write an image
	case protocol.JobVerify:
		return f.T("verify.hint")
	case protocol.JobWipe:
		return f.T("wipe.hint")
	case protocol.JobCapture:
		return f.T("capture.hint")
	}
	return f.T("job_new.hint")
}
