package kill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/stickpress/stickpress/agent"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/spool"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// tries is how often a moment is begun anew that was over when it was looked at.
const tries = 4

// meet calls try until it has met a moment. One that was too late has let what
// it began go well to its end.
func (b *bench) meet(what string, try func(n int) bool) {
	b.T.Helper()
	for n := 1; n <= tries; n++ {
		if try(n) {
			return
		}
		b.T.Logf("%s: stopped too late, try %d of %d", what, n, tries)
	}
	b.T.Fatalf("%s: stopped too late each time", what)
}

// inMaster presses a new stick and stops the agent while it prepares what goes
// onto it.
func (b *bench) inMaster() (job api.Job, devices []api.Device) {
	b.T.Helper()
	masters := filepath.Join(b.AgentData(), "cache", "masters")
	b.meet("a master is being made", func(n int) bool {
		if n > 1 {
			b.Agent.Stop()
			if err := os.RemoveAll(masters); err != nil {
				b.T.Fatal(err)
			}
			b.StartAgent()
		}
		devices = b.sticks(1)
		job = b.queue(devices)
		making := func() bool {
			found, err := filepath.Glob(filepath.Join(masters, "*", "*.tmp", "windows.img"))
			return err == nil && len(found) > 0 && allocated(b.T, found[0]) > 16*mib
		}
		made := func() bool { return allocated(b.T, b.file(devices[0])) > 0 }
		b.pauseWhen("a master is being made", func() bool { return making() || made() })
		if !made() && making() {
			return true
		}
		b.letGo(job)
		return false
	})
	return job, devices
}

// inWrite presses n new sticks and stops the agent when every one of them holds
// some of its content and none all of it. The agent goes on, at the latest,
// with the end of the test.
func (b *bench) inWrite(n int) (job api.Job, devices []api.Device) {
	b.T.Helper()
	b.meet("the sticks are being written", func(int) bool {
		job, devices = b.beginWrite(n)
		if b.halfWritten(devices) {
			return true
		}
		b.letGo(job)
		return false
	})
	return job, devices
}

// inProgress is inWrite a little later: when the console shows how many bytes
// are written. The agent goes on in small steps until then.
func (b *bench) inProgress(n int) (job api.Job, devices []api.Device) {
	b.T.Helper()
	step := time.NewTicker(5 * time.Millisecond)
	defer step.Stop()
	b.meet("the console shows how much is written", func(int) bool {
		job, devices = b.beginWrite(n)
		for late := time.Now().Add(world.Patience); b.halfWritten(devices); {
			seen, err := b.Client.GetJob(b.Context(), job.ID)
			if err != nil {
				b.T.Fatal(err)
			}
			if !slices.ContainsFunc(seen.Builds, func(x api.Build) bool { return !writing(&x) }) {
				return true
			}
			if time.Now().After(late) {
				b.T.Fatal("the console shows no progress")
			}
			b.signal(syscall.SIGCONT)
			<-step.C
			b.stop()
		}
		b.letGo(job)
		return false
	})
	return job, devices
}

func writing(x *api.Build) bool {
	p := x.Progress
	return x.State == "running" && x.Touched && p != nil && p.Step == protocol.StepWrite && p.Done > 0 && p.Done < p.Total
}

// beginWrite stops the agent when each of n new sticks holds some content.
func (b *bench) beginWrite(n int) (api.Job, []api.Device) {
	b.T.Helper()
	devices := b.sticks(n)
	job := b.queue(devices)
	b.pauseWhen("the sticks are being written", func() bool {
		for _, d := range devices {
			// What is wiped before the content is 2 MiB.
			if allocated(b.T, b.file(d)) < 12*mib {
				return false
			}
		}
		return true
	})
	return job, devices
}

// halfWritten is whether no stick holds all of the content of big.
func (b *bench) halfWritten(devices []api.Device) bool {
	b.T.Helper()
	return !slices.ContainsFunc(devices, func(d api.Device) bool { return allocated(b.T, b.file(d)) > 250*mib })
}

// letGo has a job that was stopped too late go well to its end.
func (b *bench) letGo(job api.Job) {
	b.T.Helper()
	b.signal(syscall.SIGCONT)
	if job = b.ended(job.ID); job.State != "succeeded" {
		b.T.Fatalf("a %s job that was only stopped for a while is %s: %+v", job.Kind, job.State, job.Builds[0].Fault)
	}
}

// inStep queues a job of one build and stops the agent in the middle of a step:
// that has begun, by what the agent wrote down, and some bytes were moved since.
func (b *bench) inStep(in api.QueueJobInput, step protocol.Step) (job api.Job, met bool) {
	b.T.Helper()
	job = b.queueAs(in)
	steps := job.Kind.Steps()
	is := func(a *spool.Attempt) int { return slices.Index(steps, a.Step) - slices.Index(steps, step) }
	late := func(a *spool.Attempt) bool { return a.Ended || is(a) > 0 }
	begun := int64(-1)
	b.pauseWhen(fmt.Sprintf("a %s job is in its step %s", job.Kind, step), func() bool {
		a := b.noted(job.Builds[0].ID)
		if late(&a) || is(&a) < 0 || (in.Kind.Writes() && step != protocol.StepFetch && !a.Touched) {
			return late(&a)
		}
		if begun < 0 {
			begun = b.moved()
		}
		return b.moved()-begun >= 2*mib
	})
	if a := b.noted(job.Builds[0].ID); late(&a) {
		b.letGo(job)
		return job, false
	}
	return job, true
}

// noted is what the agent has written down of a build: it does so before it
// begins a step (package spool).
func (b *bench) noted(build string) (a spool.Attempt) {
	b.T.Helper()
	raw, err := os.ReadFile(filepath.Join(b.AgentData(), agent.SpoolDir, "journal"))
	if err != nil {
		b.T.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		var r struct {
			Known  []spool.Attempt
			Events []protocol.Event
		}
		// A sum stands before the JSON. What does not end yet is being written.
		if _, body, ok := bytes.Cut(line, []byte(" ")); !ok || json.Unmarshal(body, &r) != nil {
			continue
		}
		for _, known := range r.Known {
			if known.BuildID == build {
				a = known
			}
		}
		for _, e := range r.Events {
			if e.BuildID != build {
				continue
			}
			if e.Type == protocol.EventStepBegun {
				a.Step = e.Step
			}
			a.Touched = a.Touched || e.Type == protocol.EventTouched
			a.Ended = a.Ended || e.Type.Terminal()
		}
	}
	return a
}

// moved is how many bytes the agent has read and written, from wherever to
// wherever: proc(5), /proc/pid/io.
func (b *bench) moved() (sum int64) {
	b.T.Helper()
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(b.Agent.PID()) + "/io")
	if err != nil {
		b.T.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		if string(name) == "rchar" || string(name) == "wchar" {
			n, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				b.T.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

// pauseWhen stops the agent at a moment.
func (b *bench) pauseWhen(what string, now func() bool) {
	b.T.Helper()
	agent := b.Agent
	b.T.Cleanup(func() { _ = agent.Signal(syscall.SIGCONT) }) // it may have ended
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(world.Patience)
	for !now() {
		if err := agent.Ended(); err != nil {
			b.T.Fatalf("%s: %v\n%s", what, err, agent.Output())
		}
		select {
		case <-tick.C:
		case <-late:
			b.T.Fatalf("%s: not within %s\n%s", what, world.Patience, agent.Output())
		}
	}
	b.stop()
}

// stop has the agent stand still.
func (b *bench) stop() {
	b.T.Helper()
	b.signal(syscall.SIGSTOP)
	b.Until("the agent stands still", b.Agent.Stopped)
}

func (b *bench) signal(s syscall.Signal) {
	b.T.Helper()
	if err := b.Agent.Signal(s); err != nil {
		b.T.Fatalf("%v to the agent: %v", s, err)
	}
}
