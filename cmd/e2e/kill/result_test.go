package kill

import (
	"path/filepath"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// builds checks that every build of a job ended in a state, at its first
// attempt, with a fault ("" for none) and touched or not.
func (b *bench) builds(job api.Job, state, fault string, touched bool) {
	b.T.Helper()
	for _, x := range job.Builds {
		code := ""
		if x.Fault != nil {
			code = x.Fault.Code
		}
		if x.State != state || code != fault || x.Touched != touched || (x.Fault != nil && x.Fault.Touched != touched) || x.Attempt != 1 {
			b.T.Errorf("%s: %s, attempt %d, touched %v, fault %+v; want %s, attempt 1, touched %v, fault %q",
				x.Identity.Port, x.State, x.Attempt, x.Touched, x.Fault, state, touched, fault)
		}
	}
	if b.T.Failed() {
		b.T.FailNow()
	}
}

// stickState checks what the console says about a stick.
func (b *bench) stickState(id, want string) {
	b.T.Helper()
	s, err := b.Client.GetStick(b.Context(), id)
	if err != nil {
		b.T.Fatal(err)
	}
	if s.State != want {
		b.T.Errorf("stick %s is %s, want %s", id, s.State, want)
	}
}

// verified checks that a job ended well, in numbers, in the console's words and
// on the sticks.
func (b *bench) verified(job api.Job) {
	b.T.Helper()
	if job.State != "succeeded" {
		b.T.Errorf("the job is %s", job.State)
	}
	b.builds(job, "verified", "", true)
	for _, x := range job.Builds {
		b.checkResult(&x)
		b.stickState(x.StickID, "verified")
		checkStick(b.T, filepath.Join(b.Sticks(), x.Identity.Port), job.Layout)
	}
}

func (b *bench) checkResult(x *api.Build) {
	b.T.Helper()
	r := x.Result
	if r == nil {
		b.T.Fatalf("%s: verified without a result", x.Identity.Port)
	}
	held := allocated(b.T, filepath.Join(b.Sticks(), x.Identity.Port))
	if r.BytesWritten < 20*mib || r.BytesVerified < r.BytesWritten || held < r.BytesWritten || held > r.BytesWritten+8*mib {
		b.T.Errorf("%s: %d bytes written, %d verified, %d in the file", x.Identity.Port, r.BytesWritten, r.BytesVerified, held)
	}
	if r.WriteMS <= 0 || r.VerifyMS <= 0 || len(r.ContentDigest) != 64 || len(r.MasterDigest) != 64 || r.DiskID == "" {
		b.T.Errorf("%s: result %+v", x.Identity.Port, *r)
	}
	last := *x.StartedAt
	for _, s := range x.Steps {
		if s.BegunAt == nil || s.DoneAt == nil || s.BegunAt.Before(last) || s.DoneAt.Before(*s.BegunAt) {
			b.T.Errorf("%s: step %s begun %v, done %v, the one before %v", x.Identity.Port, s.Step, s.BegunAt, s.DoneAt, last)
			break
		}
		if s.Step != protocol.StepFetch { // may be needed again while the master is made
			last = *s.BegunAt
		}
	}
	if x.EndedAt.Before(last) || len(x.Steps) != len(protocol.JobPress.Steps()) {
		b.T.Errorf("%s: ended %v, steps %v", x.Identity.Port, x.EndedAt, x.Steps)
	}
}

// incomplete checks that nobody hands out the job's sticks: no firmware and no
// system finds anything to start on them, and the console says so.
func (b *bench) incomplete(job api.Job) {
	b.T.Helper()
	for _, x := range job.Builds {
		b.stickState(x.StickID, "incomplete")
		checkNoTable(b.T, filepath.Join(b.Sticks(), x.Identity.Port))
	}
}

// untouched checks that not a byte of new sticks was written.
func (b *bench) untouched(devices []api.Device) {
	b.T.Helper()
	for _, d := range devices {
		if n := allocated(b.T, b.file(d)); n != 0 {
			b.T.Errorf("%s: %d bytes were written", d.Port, n)
		}
	}
}
