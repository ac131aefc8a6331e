package kill

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// TestKilledInEachStep kills the agent in the steps of the other kinds of jobs.
// Each ends truthfully: what only reads has touched nothing, what writes left
// nothing that counts as done. Then the same job is tried again, and goes well.
func TestKilledInEachStep(t *testing.T) {
	b := newBench(t, big)
	devices := b.sticks(1)
	pressed := b.ended(b.queue(devices).ID)
	b.verified(pressed)
	disk := b.diskImage(448) // long enough to be met in each step
	for i, c := range []struct {
		in    api.QueueJobInput
		step  protocol.Step
		stick string // "" is the pressed one
		left  string // state of the stick
	}{
		{api.QueueJobInput{Kind: protocol.JobRaw, Version: disk.ID}, protocol.StepFetch, "raw-1", "unknown"},
		{api.QueueJobInput{Kind: protocol.JobRaw, Version: disk.ID}, protocol.StepWrite, "raw-2", "incomplete"},
		{api.QueueJobInput{Kind: protocol.JobRaw, Version: disk.ID}, protocol.StepVerify, "raw-3", "incomplete"},
		{wiping(), protocol.StepErase, "wipe-1", "incomplete"},
		{wiping(), protocol.StepVerify, "wipe-2", "incomplete"},
		{api.QueueJobInput{Kind: protocol.JobVerify}, protocol.StepVerify, "", "verified"},
		{capturing("2.0.0"), protocol.StepCapture, "", "verified"},
		{capturing("2.0.1"), protocol.StepUpload, "", "verified"},
	} {
		b.Run(fmt.Sprint(c.in.Kind, " in ", c.step), func(*testing.T) {
			port := devices[0].Port
			if c.stick != "" {
				b.AddStick(c.stick, 512*mib) // too small to be pressed, and for nothing else
				port = c.stick + ".img"
			}
			in := c.in
			in.Host = world.Host
			d := b.free(port, in.Kind)
			in.Devices = []api.QueueDevice{{Identity: d.Identity}}
			before := trace(b.T, b.file(d))
			job := b.killedIn(b.queueAs(in), c.step)
			b.builds(job, "failed", "agent_restarted", c.left == "incomplete")
			b.stickState(job.Builds[0].StickID, c.left)
			if c.left != "incomplete" && trace(b.T, b.file(d)) != before {
				b.T.Error("a stick that was not touched was written to")
			}
			if list, err := b.Client.StickCertificates(b.Context(), job.Builds[0].StickID); err != nil || len(list) != 0 {
				b.T.Errorf("certificates %+v, %v", list, err)
			}
			b.uncaptured(in)
			if i%2 == 1 { // of each kind one
				b.again(job, port)
			}
		})
	}
	b.checkHistory()
}

func wiping() api.QueueJobInput {
	return api.QueueJobInput{Kind: protocol.JobWipe, Options: protocol.JobOptions{
		Wipe: &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1},
	}}
}

func capturing(version string) api.QueueJobInput {
	return api.QueueJobInput{Kind: protocol.JobCapture, Options: protocol.JobOptions{
		Capture: &protocol.CaptureOptions{Image: "captured", Version: version},
	}}
}

// uncaptured: half an image is no version.
func (b *bench) uncaptured(in api.QueueJobInput) {
	if in.Options.Capture == nil {
		return
	}
	_, err := b.Client.FindVersion(b.Context(), "captured", in.Options.Capture.Version, "")
	if !client.IsCode(err, "image_version_not_found") && !client.IsCode(err, "image_not_found") {
		b.T.Errorf("half an image was published: %v", err)
	}
}

// diskImage publishes a disk with a partition full of noise, of some MiB.
func (b *bench) diskImage(size int) api.Version {
	b.T.Helper()
	path := filepath.Join(b.T.TempDir(), "disk.img")
	tool(b.T, "sh", "-ec", fmt.Sprintf("head -c %dM /dev/urandom >%s; sgdisk --zap-all -n1:2048:0 %[2]s", size, path))
	up, err := b.Client.UploadFile(b.Context(), path, nil, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	v, err := b.Client.PublishVersion(b.Context(), api.PublishVersionInput{UploadID: up.ID, Image: "disk", Version: "1.0.0"})
	if err != nil {
		b.T.Fatal(err)
	}
	return v
}

// free waits until a stick may be had for a kind of job.
func (b *bench) free(port string, kind protocol.JobKind) api.Device {
	b.T.Helper()
	return b.seeThat("free", func(d *api.Device) bool { return d.JobID == "" && !d.Busy && d.Refusal(kind) == nil }, port)[0]
}

// killedIn kills the agent when the job's only build is in a step, and starts it
// again.
func (b *bench) killedIn(job api.Job, step protocol.Step) api.Job {
	b.T.Helper()
	steps := job.Kind.Steps()
	b.pauseWhen(fmt.Sprintf("a %s job is in its step %s", job.Kind, step), func() bool {
		j, err := b.Client.GetJob(b.Context(), job.ID)
		if err != nil {
			b.T.Fatal(err)
		}
		// A later one is too late: what follows says so.
		return slices.Index(steps, j.Builds[0].Step) >= slices.Index(steps, step) || j.Ended()
	})
	b.Agent.Kill()
	b.StartAgent()
	job = b.ended(job.ID)
	if f := job.Builds[0].Fault; f == nil || f.Params["step"] != string(step) {
		b.T.Fatalf("killed too late: %s, %+v", job.State, f)
	}
	return job
}

// again tries a job a second time, with what is in the port as it was.
func (b *bench) again(job api.Job, port string) {
	b.T.Helper()
	b.free(port, job.Kind)
	again, err := b.Client.RetryBuilds(b.Context(), api.RetryBuildsInput{JobID: job.ID})
	if err != nil {
		b.T.Fatalf("try again: %v", err)
	}
	if x := again.Builds[0]; x.State != "queued" || x.Fault != nil || x.Touched {
		b.T.Errorf("queued again it is %+v", x)
	}
	again = b.ended(job.ID)
	if x := again.Builds[0]; again.State != "succeeded" || x.Attempt != 2 || x.Fault != nil {
		b.T.Errorf("the second attempt: %s, %+v", again.State, x)
	}
}
