package kill

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent"
	"github.com/stickpress/stickpress/api"
)

// TestKilled kills one program after the other in the middle of a write. Every
// job ends truthfully, no stick is written twice, no event is lost.
func TestKilled(t *testing.T) {
	b := newBench(t, big)
	var incomplete []stickTrace
	b.Run("agent while it prepares", func(*testing.T) { b.agentKilledPreparing() })
	b.Run("agent", func(*testing.T) { incomplete = b.agentKilled() })
	b.Run("agent at the very end", func(*testing.T) { b.agentKilledLate() })
	b.Run("server", func(*testing.T) { b.serverKilled(false) })
	b.Run("server, then agent", func(*testing.T) { b.serverKilled(true) })
	b.Run("all of them", func(*testing.T) { incomplete = append(incomplete, b.allKilled()...) })
	b.Run("postmaster", func(*testing.T) {
		b.postgresKilled(func() int { return b.Postgres() })
	})
	b.Run("backend", func(*testing.T) { b.postgresKilled(b.backend) })
	b.Run("server told to stop", func(*testing.T) { b.serverStopped() })
	b.Run("cancelled", func(*testing.T) { incomplete = append(incomplete, b.cancelled()...) })
	b.Run("cancelled before", func(*testing.T) { b.cancelledBefore() })
	b.Run("pulled out", func(*testing.T) { b.pulledOut() })
	b.Run("revoked", func(*testing.T) { incomplete = append(incomplete, b.revoked()...) })
	b.unchanged(incomplete)
	b.checkHistory()
}

// stickTrace is how a stick was left.
type stickTrace struct{ path, trace string }

func (b *bench) traces(devices []api.Device) (all []stickTrace) {
	for _, d := range devices {
		all = append(all, stickTrace{b.file(d), trace(b.T, b.file(d))})
	}
	return all
}

// agentKilledPreparing: before the first byte, a stick is not touched, and what
// the agent had begun to prepare is in nobody's way.
func (b *bench) agentKilledPreparing() {
	job, devices := b.inMaster()
	b.Agent.Kill()
	b.StartAgent()
	job = b.ended(job.ID)
	b.builds(job, "failed", "agent_restarted", false)
	b.untouched(devices)
	b.see(devices[0].Port) // it may be pressed at once
}

// agentKilled: what was being written failed, and stays as it is until a person
// decides.
func (b *bench) agentKilled() []stickTrace {
	job, devices := b.inProgress(2)
	b.Agent.Kill()
	left := b.traces(devices)
	b.StartAgent()
	job = b.ended(job.ID)
	b.builds(job, "failed", "agent_restarted", true)
	if job.State != "failed" {
		b.T.Errorf("the job is %s", job.State)
	}
	b.incomplete(job)
	return left
}

// agentKilledLate: the last byte is written, and nothing is said yet. What the
// console then says of the stick may be less than the truth, never more.
func (b *bench) agentKilledLate() {
	devices := b.sticks(1)
	job := b.queue(devices)
	b.pauseWhen("the table is written", func() bool { return hasTable(b.T, b.file(devices[0])) })
	b.Agent.Kill()
	left := b.traces(devices)
	b.StartAgent()
	job = b.ended(job.ID)
	if job.State == "succeeded" {
		b.verified(job)
	} else {
		b.builds(job, "failed", "agent_restarted", true)
		b.stickState(job.Builds[0].StickID, "incomplete")
	}
	b.unchanged(left)
}

// serverKilled: the agent finishes without a server, however long that takes,
// and tells everything when one is back; also when it was killed itself in the
// meantime. Who watches the job misses nothing.
func (b *bench) serverKilled(agentToo bool) {
	job, devices := b.inWrite(2)
	watched := b.watch(job.ID)
	b.Server.Kill()
	b.signal(syscall.SIGCONT)
	b.Until("the sticks are finished without a server", func() (bool, error) {
		return hasTable(b.T, b.file(devices[0])) && hasTable(b.T, b.file(devices[1])), b.Agent.Ended()
	})
	b.Until("the agent has let go of the sticks", func() (bool, error) {
		return !b.held(devices[0]) && !b.held(devices[1]), b.Agent.Ended()
	})
	left := b.traces(devices)
	if agentToo {
		b.awaitSpooled(2)
		b.Agent.Kill()
		b.StartAgent()
	}
	b.StartServer()
	job = b.ended(job.ID)
	b.verified(job)
	b.unchanged(left)
	if seen := <-watched; seen.err != nil || seen.events != job.LastSeq {
		b.T.Errorf("the watcher saw %d events of %d in order: %v", seen.events, job.LastSeq, seen.err)
	}
}

type watched struct {
	events int64
	err    error
}

// watch follows a job's stream to its end. It has begun when this returns.
func (b *bench) watch(id string) <-chan watched {
	end, begun := make(chan watched, 1), make(chan struct{})
	ctx := b.Context()
	go func() {
		var w watched
		begin := sync.OnceFunc(func() { close(begun) })
		defer begin()
		for u, err := range b.Client.WatchJob(ctx, id, 0) {
			begin()
			w.err = errors.Join(w.err, err)
			for _, e := range u.Events {
				if w.events++; e.Seq != w.events {
					w.err = errors.Join(w.err, fmt.Errorf("event %d follows %d", e.Seq, w.events-1))
				}
			}
		}
		end <- w
	}()
	<-begun
	return end
}

// awaitSpooled waits until the agent's journal holds the end of n builds.
func (b *bench) awaitSpooled(n int) {
	b.T.Helper()
	b.Until("the agent has written down how it ended", func() (bool, error) {
		files, err := filepath.Glob(filepath.Join(b.AgentData(), agent.SpoolDir, "*"))
		found := 0
		for _, path := range files {
			raw, readErr := os.ReadFile(path)
			err = errors.Join(err, readErr)
			found += bytes.Count(raw, []byte(`"type":"verified"`))
		}
		return found >= n, err
	})
}

func (b *bench) unchanged(left []stickTrace) {
	b.T.Helper()
	for _, s := range left {
		if now := trace(b.T, s.path); now != s.trace {
			b.T.Errorf("%s was written again: %s, now %s", s.path, s.trace, now)
		}
	}
}

// allKilled is the plug pulled on the whole bench.
func (b *bench) allKilled() []stickTrace {
	job, devices := b.inWrite(2)
	b.kill9(b.Postgres())
	b.Server.Kill()
	b.Agent.Kill()
	left := b.traces(devices)
	b.StartAgent()
	b.StartServer()
	job = b.ended(job.ID)
	b.builds(job, "failed", "agent_restarted", true)
	b.incomplete(job)
	return left
}

// held reports whether the agent has a stick open.
func (b *bench) held(d api.Device) bool {
	b.T.Helper()
	open, err := filepath.Glob("/proc/" + strconv.Itoa(b.Agent.PID()) + "/fd/*")
	if err != nil || len(open) == 0 {
		b.T.Fatalf("look at the agent's files: %v", err)
	}
	for _, fd := range open {
		if target, err := os.Readlink(fd); err == nil && target == b.file(d) {
			return true
		}
	}
	return false
}

// postgresKilled: the console starts it again, and nothing is lost.
func (b *bench) postgresKilled(pid func() int) {
	job, _ := b.inWrite(2)
	before := b.Server.Output()
	b.kill9(pid())
	b.signal(syscall.SIGCONT)
	job = b.ended(job.ID)
	b.verified(job)
	if err := b.Server.Ended(); err != nil {
		b.T.Errorf("the console ended: %v\n%s", err, strings.TrimPrefix(b.Server.Output(), before))
	}
}

func (b *bench) kill9(pid int) {
	b.T.Helper()
	if pid <= 1 {
		b.T.Fatalf("no process to kill: %d", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		b.T.Fatalf("kill %d: %v", pid, err)
	}
}

// backend is a server process of the private Postgres that works for the
// console.
func (b *bench) backend() int {
	b.T.Helper()
	master := strconv.Itoa(b.Postgres())
	children, err := os.ReadFile("/proc/" + master + "/task/" + master + "/children")
	if err != nil {
		b.T.Fatal(err)
	}
	for child := range strings.FieldsSeq(string(children)) {
		title, err := os.ReadFile("/proc/" + child + "/cmdline")
		if err == nil && strings.Contains(string(title), " stickpress stickpress [local]") {
			pid, _ := strconv.Atoi(child) // a name in /proc
			return pid
		}
	}
	b.T.Fatalf("no backend among %s", children)
	return 0
}

// serverStopped: SIGTERM in mid-write lets the agent go, takes nothing away
// from it, and the next server hears the rest.
func (b *bench) serverStopped() {
	job, _ := b.inWrite(2)
	if err := b.Server.Signal(syscall.SIGTERM); err != nil {
		b.T.Fatal(err)
	}
	// The agent stands still, so the server has to wait for it: long enough to
	// be seen as not ready.
	b.Until("the server says that it leaves", func() (bool, error) {
		status, err := b.Status("/readyz")
		return err == nil && status == 503, nil
	})
	b.signal(syscall.SIGCONT)
	if err := b.Server.Wait(); err != nil {
		b.T.Errorf("the server ended with %v", err)
	}
	if !strings.Contains(b.Agent.Output(), "asked to reconnect") {
		b.T.Errorf("the agent was not told:\n%s", b.Agent.Output())
	}
	b.StartServer()
	b.verified(b.ended(job.ID))
}
