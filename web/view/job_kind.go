package view

import (
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// What the pages of a job say differs by what the job does: a stick that was
// wiped is not handed out, and a capture leaves its source alone.

// kindWords are keys of the catalogue for one kind of job.
type kindWords struct {
	title, hint  string // of the form
	chooseOne    string // on which nothing was chosen
	confirmTitle string // of the confirmation
	plan         string // above what will be done
	cancelHint   string // what a cancelled job leaves behind
	notDone      string // how much of a job that did not succeed may be relied on
	again        string // on the link to a job like one that did not succeed
}

var wordsOf = map[protocol.JobKind]kindWords{
	protocol.JobPress: {
		title: "job.new", hint: "job_new.hint", chooseOne: "job_new.choose_one", confirmTitle: "job_new.confirm_title", plan: "job_new.then",
		cancelHint: "job.cancel_hint", notDone: "job.not_succeeded", again: "job.again",
	},
	protocol.JobRaw: {
		title: "raw.new", hint: "job_new.hint", chooseOne: "job_new.choose_one", confirmTitle: "job_new.confirm_title", plan: "job_new.then",
		cancelHint: "job.cancel_hint", notDone: "raw.not_done", again: "raw.again",
	},
	protocol.JobVerify: {
		title: "host.check", hint: "verify.hint", chooseOne: "job_new.choose_one", confirmTitle: "verify.confirm_title", plan: "verify.plan",
		cancelHint: "verify.cancel_hint", notDone: "verify.not_done", again: "job.check_again",
	},
	protocol.JobWipe: {
		title: "host.wipe", hint: "wipe.hint", chooseOne: "job_new.choose_one", confirmTitle: "wipe.confirm_title", plan: "wipe.plan",
		cancelHint: "wipe.cancel_hint", notDone: "wipe.not_done", again: "job.wipe_again",
	},
	protocol.JobCapture: {
		title: "capture.new", hint: "capture.hint", chooseOne: "capture.choose_one", confirmTitle: "capture.confirm_title", plan: "capture.plan",
		cancelHint: "capture.cancel_hint", notDone: "capture.not_done", again: "capture.again",
	},
}

// ChooseOne is what a form says on which nothing was chosen.
func ChooseOne(f Frame, k protocol.JobKind) string { return f.T(wordsOf[k].chooseOne) }

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
	return f.T(wordsOf[j.Kind].notDone, "verified", countBuilds(j, "verified"), "count", len(j.Builds))
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

// letPassWord is on the button that begins again with a refusal overridden.
func letPassWord(f Frame, k protocol.JobKind) string {
	if k == protocol.JobPress {
		return f.T("job.let_pass")
	}
	return f.T("job.let_pass_again")
}
