package kill

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// cancelled: a job cancelled in mid-write leaves its sticks so that nobody
// hands them out.
func (b *bench) cancelled() []stickTrace {
	job, devices := b.inWrite(2)
	asked, err := b.Client.CancelJob(b.Context(), job.ID)
	if err != nil {
		b.T.Fatal(err)
	}
	if asked.Ended() {
		b.T.Errorf("the job ended before its host said so: %s", asked.State)
	}
	if _, err := b.Client.CancelJob(b.Context(), job.ID); err != nil {
		b.T.Errorf("cancel again: %v", err)
	}
	b.signal(syscall.SIGCONT)
	job = b.ended(job.ID)
	if job.State != "cancelled" {
		b.T.Errorf("the job is %s", job.State)
	}
	b.builds(job, "cancelled", "cancelled", true)
	b.incomplete(job)
	return b.traces(devices)
}

// cancelledBefore: what was never begun is not touched, also when the host
// comes later.
func (b *bench) cancelledBefore() {
	devices := b.sticks(2)
	b.Agent.Stop()
	job := b.queue(devices)
	job, err := b.Client.CancelJob(b.Context(), job.ID)
	if err != nil {
		b.T.Fatal(err)
	}
	if job.State != "cancelled" || !job.Ended() {
		b.T.Errorf("the job is %s", job.State)
	}
	for _, x := range job.Builds {
		if x.State != "cancelled" || x.Attempt != 0 || x.Touched {
			b.T.Errorf("%s: %s, attempt %d, touched %v", x.Identity.Port, x.State, x.Attempt, x.Touched)
		}
	}
	b.StartAgent()
	b.see(devices[0].Port, devices[1].Port)
	b.untouched(devices)
	b.checkEvents(job)
}

// pulledOut: one stick goes in mid-write; the other one does not care.
func (b *bench) pulledOut() {
	job, devices := b.inWrite(2)
	if err := os.Remove(b.file(devices[0])); err != nil {
		b.T.Fatal(err)
	}
	b.signal(syscall.SIGCONT)
	job = b.ended(job.ID)
	if job.State != "failed" {
		b.T.Errorf("the job is %s", job.State)
	}
	gone, good := job, job
	gone.Builds, good.Builds = job.Builds[:1], job.Builds[1:]
	b.builds(gone, "failed", "device_gone", true)
	b.stickState(gone.Builds[0].StickID, "incomplete")
	b.builds(good, "verified", "", true)
	checkStick(b.T, b.file(devices[1]), job.Layout)
}

// revoked: a host that is removed in mid-job is cut off at once. Its agent
// stops, says why, and leaves nothing that starts.
func (b *bench) revoked() []stickTrace {
	job, devices := b.inWrite(2)
	if _, err := b.Client.RevokeHost(b.Context(), api.ChangeHostInput{ID: job.HostID}); err != nil {
		b.T.Fatal(err)
	}
	job = b.ended(job.ID) // the console does not wait for a host that it does not trust
	for _, x := range job.Builds {
		if x.State != "failed" || x.Fault == nil || !x.Touched {
			b.T.Errorf("%s: %s, fault %+v, touched %v", x.Identity.Port, x.State, x.Fault, x.Touched)
		}
	}
	b.signal(syscall.SIGCONT)
	var exit *exec.ExitError
	if err := b.Agent.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		b.T.Errorf("the agent ended with %v\n%s", err, b.Agent.Output())
	}
	b.incomplete(job)
	_, err := b.Client.GetHost(b.Context(), world.Host)
	b.refused(err, 404, "host_not_found")
	b.StartAgent() // it may not come back
	if err := b.Agent.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		b.T.Errorf("the agent ended with %v\n%s", err, b.Agent.Output())
	}
	return b.traces(devices)
}
