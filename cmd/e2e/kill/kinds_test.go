package kill

import (
	"fmt"
	"path/filepath"
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
	disks := map[int]api.Version{} // by how many MiB they have
	raw := api.QueueJobInput{Kind: protocol.JobRaw}
	for i, c := range []struct {
		in    api.QueueJobInput
		step  protocol.Step
		fresh bool   // no stick that was pressed
		left  string // state of the stick
	}{
		{raw, protocol.StepFetch, true, "unknown"},
		{raw, protocol.StepWrite, true, "incomplete"},
		{raw, protocol.StepVerify, true, "incomplete"},
		{wiping(), protocol.StepErase, true, "incomplete"},
		{wiping(), protocol.StepVerify, true, "incomplete"},
		{api.QueueJobInput{Kind: protocol.JobVerify}, protocol.StepVerify, false, "verified"},
		{capturing(), protocol.StepCapture, false, "verified"},
		{capturing(), protocol.StepUpload, false, "verified"},
	} {
		b.Run(fmt.Sprint(c.in.Kind, " in ", c.step), func(*testing.T) {
			in, port, before := c.in, devices[0].Port, ""
			var job api.Job
			b.meet(fmt.Sprintf("%s in %s", in.Kind, c.step), func(n int) (met bool) {
				size := 256 << n // MiB: too small to be pressed, and each time the step is longer
				if c.fresh {
					name := fmt.Sprintf("%s-%d-%d", in.Kind, i, n)
					b.AddStick(name, int64(size)*mib)
					port = name + ".img"
				}
				if in.Kind == protocol.JobRaw {
					if _, made := disks[size]; !made {
						disks[size] = b.diskImage(size - 64)
					}
					in.Version = disks[size].ID
				}
				if in.Options.Capture != nil {
					in.Options.Capture.Version = fmt.Sprintf("2.%d.%d", i, n)
				}
				in.Host = world.Host
				d := b.free(port, in.Kind)
				in.Devices = []api.QueueDevice{{Identity: d.Identity}}
				before = trace(b.T, b.file(d))
				job, met = b.inStep(in, c.step)
				return met
			})
			job = b.killed(job, c.step)
			b.builds(job, "failed", "agent_restarted", c.left == "incomplete")
			b.stickState(job.Builds[0].StickID, c.left)
			if c.left != "incomplete" && trace(b.T, filepath.Join(b.Sticks(), port)) != before {
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

func capturing() api.QueueJobInput {
	return api.QueueJobInput{Kind: protocol.JobCapture, Options: protocol.JobOptions{
		Capture: &protocol.CaptureOptions{Image: "captured"},
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
	v, err := b.Client.PublishVersion(b.Context(), api.PublishVersionInput{UploadID: up.ID, Image: "disk", Version: fmt.Sprintf("1.0.%d", size)})
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

// killed kills the agent in the step in which it was stopped, and starts it
// again.
func (b *bench) killed(job api.Job, step protocol.Step) api.Job {
	b.T.Helper()
	b.Agent.Kill()
	b.StartAgent()
	job = b.ended(job.ID)
	if f := job.Builds[0].Fault; f == nil || f.Params["step"] != string(step) {
		b.T.Fatalf("killed in %s: the job is %s, %+v", step, job.State, f)
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
