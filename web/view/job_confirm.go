package view

import (
	"github.com/stickpress/stickpress/agent/protocol"
)

// What the confirmation of a job says differs by what the job does to sticks.

// confirmDone says what will be done to the sticks.
func confirmDone(f Frame, p NewJob) string {
	switch p.Kind { //nolint:exhaustive // the others erase
	case protocol.JobVerify:
		return f.L.N("verify.will_read", len(p.Chosen))
	case protocol.JobCapture:
		return f.T("capture.will_read")
	}
	return f.L.N("job_new.will_erase", len(p.Chosen))
}

// placeWord is above where they are.
func placeWord(f Frame, p NewJob) string {
	if len(p.Chosen) == 1 && p.Chosen[0].Kind == protocol.KindFile {
		return f.T("capture.source")
	}
	return f.T("device.port")
}

// heldWord is above what the sticks hold.
func heldWord(f Frame, k protocol.JobKind) string {
	if k.Writes() {
		return f.T("job_new.lost")
	}
	return f.T("device.holds")
}

// timeWord says how long it will take, from history, or for a wipe that nobody
// asked for yet from what sticks can do.
func timeWord(f Frame, p NewJob) string {
	if p.Kind == protocol.JobWipe && p.Estimate.Builds == 0 {
		return wipeTime(f, p)
	}
	return estimateWord(f, p.Estimate)
}

// confirmWord is on the button that queues the job, and confirmButton its class.
func confirmWord(f Frame, p NewJob) string {
	switch p.Kind { //nolint:exhaustive // the other is pressed
	case protocol.JobRaw:
		return f.L.N("raw.submit", len(p.Chosen))
	case protocol.JobVerify:
		return f.L.N("verify.submit", len(p.Chosen))
	case protocol.JobWipe:
		return f.L.N("wipe.submit", len(p.Chosen))
	case protocol.JobCapture:
		return f.T("capture.submit")
	}
	return f.L.N("job_new.submit", len(p.Chosen))
}

func confirmButton(k protocol.JobKind) string {
	if k == protocol.JobWipe {
		return "btn-danger"
	}
	return "btn-primary"
}
