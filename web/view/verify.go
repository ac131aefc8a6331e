package view

import (
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// verifyingOf is the form of a new job that compares devices of a host with
// their records.
func verifyingOf(host string, devices ...protocol.Identity) NewJob {
	return NewJob{Kind: protocol.JobVerify, Host: host, Chosen: devices}
}

// evidenceOf says how it is known that a stick's Windows has run.
func evidenceOf(f Frame, c *protocol.CheckResult) string {
	var all []string
	for _, e := range c.Evidence {
		all = append(all, f.T("verify.evidence_"+e))
	}
	return sentences(all...)
}

// foundOf is what a comparison found on a build's stick, in short, or "".
func foundOf(f Frame, b api.Build) string {
	if b.Result == nil || b.Result.Check == nil {
		return ""
	}
	return f.T("stick.checked_" + b.Result.Check.Outcome)
}

// checkOf is what the last comparison of a stick found: "intact", "used",
// "changed", or "" for one that was not compared since it was written.
func checkOf(s api.Stick) string {
	switch {
	case s.CheckFault != nil:
		return "changed"
	case s.Check != nil:
		return s.Check.Outcome
	}
	return ""
}
