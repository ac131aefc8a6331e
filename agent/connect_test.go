package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/spool"
)

func TestServerAwayForAnHour(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.srv.ack = false
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		h.srv.setDown(true)
		synctest.Wait()
		close(h.engine.writing)
		later(time.Hour)
		if n := h.agent.runner.running(); n != 0 {
			t.Fatalf("%d attempts wait for the server", n)
		}
		h.srv.mu.Lock()
		h.srv.ack = true
		h.srv.mu.Unlock()
		h.srv.setDown(false)
		later(time.Minute)
		h.wantStory(ref(1, 1), wholeStory)
		h.wantStory(ref(2, 1), wholeStory)
		h.srv.mu.Lock()
		resume := h.srv.resumes[1]
		h.srv.mu.Unlock()
		if len(resume.Attempts) != 2 || !resume.Attempts[0].Ended || resume.Attempts[0].HostSeq != 19 {
			t.Fatalf("resume after the hour: %+v", resume.Attempts)
		}
		if n := h.spool.Waiting(); n != 0 {
			t.Fatalf("%d events were not acknowledged", n)
		}
	})
}

func TestKilledInMidWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		a := h.assignment("1-1", "1-2")
		h.send(a)
		h.die()
		// The server does not know yet and sends the work again at once.
		h.srv.mu.Lock()
		h.srv.greet = func(s *server, p *peer) { p.send(t, a) }
		h.srv.mu.Unlock()
		h.start()
		later(time.Minute)
		want := "accepted preflight< preflight> fetch< fetch> master< master> write< touched failed:agent_restarted:touched"
		h.wantStory(ref(1, 1), want)
		h.wantStory(ref(2, 1), want)
		h.srv.mu.Lock()
		step := h.srv.got["build_1/1#12"].Fault.Params["step"]
		h.srv.mu.Unlock()
		if h.engine.presses() != 1 || step != "write" {
			t.Fatalf("pressed %d times; step %q", h.engine.presses(), step)
		}
	})
}

func TestKilledBeforeTheWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.making = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1"))
		h.die()
		half := filepath.Join(h.data, "cache/masters/m/m.tmp")
		if err := os.MkdirAll(half, 0o700); err != nil {
			t.Fatal(err)
		}
		h.start()
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< failed:agent_restarted:untouched")
		if _, err := os.Stat(half); err == nil {
			t.Error("what was made of a master still lies in the cache")
		}
	})
}

func TestGracefulStop(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1"))
		// A second job still waits for its image.
		h.srv.mu.Lock()
		h.srv.hold = make(chan struct{})
		h.srv.mu.Unlock()
		late := h.assignment("1-2")
		late.JobID, late.Builds[0].BuildID = "job_2", ref(2, 1).BuildID
		late.Image = h.srv.addBlob(200_000)
		h.send(late)
		close(h.stop)
		h.wantStory(ref(2, 1), "accepted preflight< preflight> fetch< failed:agent_restarted:untouched")
		third := h.assignment("1-2")
		third.JobID, third.Builds[0].BuildID = "job_3", ref(3, 1).BuildID
		h.send(third)
		h.wantStory(ref(3, 1), "") // left to the next start
		close(h.engine.writing)
		h.wantStory(ref(1, 1), wholeStory)
		h.wantEnd(nil)
	})
}

func TestSilentServerIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.srv.mute = true
		h.start()
		later(40 * time.Second) // below 2.5 heartbeats of 20 s
		if n := h.srv.connections(); n != 1 {
			t.Fatalf("%d connections", n)
		}
		later(20 * time.Second)
		if n := h.srv.connections(); n != 2 {
			t.Fatalf("%d connections", n)
		}
	})
}

func TestHeartbeatsKeepTheConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		later(time.Hour)
		if n := h.srv.connections(); n != 1 {
			t.Fatalf("%d connections", n)
		}
	})
}

func TestReconnectsBackOff(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.srv.reject = protocol.NewFault("update_needed")
		h.start()
		later(10 * time.Minute)
		h.srv.mu.Lock()
		tries := h.srv.tries
		h.srv.mu.Unlock()
		first, last := tries[1].Sub(tries[0]), tries[len(tries)-1].Sub(tries[len(tries)-2])
		if first != 375*time.Millisecond || last != 45*time.Second {
			t.Fatalf("first wait %v, last %v", first, last)
		}
	})
}

func TestImpostorIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		pinned := h.state.ServerKey
		h.state.ServerKey, _, _ = ed25519.GenerateKey(rand.Reader)
		h.start()
		later(time.Minute)
		if n := h.srv.connections(); n != 0 {
			t.Fatalf("%d connections with a server that does not have the key", n)
		}
		// One that claims the key and cannot prove it.
		h.die()
		h.state.ServerKey = pinned
		h.srv.mu.Lock()
		real := h.srv.key
		_, other, _ := ed25519.GenerateKey(rand.Reader)
		copy(other[32:], real[32:]) // the claimed public half
		h.srv.key = other
		h.srv.greet = func(*server, *peer) { t.Error("the agent speaks to an impostor") }
		h.srv.mu.Unlock()
		h.start()
		later(time.Minute)
		// Nor is it believed that the host was revoked.
		h.srv.mu.Lock()
		h.srv.reject = protocol.NewFault(protocol.FaultRevoked)
		before := len(h.srv.tries)
		h.srv.mu.Unlock()
		later(3 * time.Minute)
		h.srv.mu.Lock()
		defer h.srv.mu.Unlock()
		if len(h.srv.tries) < before+2 {
			t.Error("the agent gave up on the word of an impostor")
		}
	})
}

func TestRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1"))
		h.send(&protocol.Revoked{})
		h.wantEnd(ErrRevoked)
		if h.rack.devices["1-1"].open {
			t.Fatal("the stick is still open")
		}
		held := h.spool.Held()
		if len(held) != 1 || !held[0].Ended || !held[0].Touched {
			t.Fatalf("held %+v", held)
		}
		h.srv.mu.Lock()
		h.srv.reject = protocol.NewFault(protocol.FaultRevoked)
		h.srv.mu.Unlock()
		h.start()
		h.wantEnd(ErrRevoked)
	})
}

func TestDrain(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1"))
		old := h.srv.peer()
		h.send(&protocol.Drain{WithinMS: 10_000})
		second := h.assignment("1-2")
		second.JobID, second.Builds[0].BuildID = "job_2", ref(2, 1).BuildID
		h.send(second)
		h.wantStory(ref(2, 1), "")
		later(4 * time.Second)
		if h.srv.connections() != 1 {
			t.Fatal("left before its random part of the time")
		}
		later(2 * time.Second)
		if h.srv.connections() != 2 {
			t.Fatal("did not reconnect")
		}
		<-old.over
		close(h.engine.writing)
		h.wantStory(ref(1, 1), wholeStory)
		h.send(second) // the next server process
		h.wantStory(ref(2, 1), wholeStory)
	})
}

func TestStrangeMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		p := h.srv.peer()
		raw := func(s string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if err := p.WriteMessage(websocket.TextMessage, []byte(s)); err != nil {
				t.Fatal(err)
			}
		}
		raw(`{"v":9,"type":"from_the_future","body":{}}`)
		h.send(&protocol.Ack{AttemptRef: ref(9, 9), HostSeq: 12})
		h.send(&protocol.Ticket{JobID: "job_9", Ticket: "x"})
		h.send(&protocol.Welcome{})
		if h.srv.connections() != 1 {
			t.Fatal("left for a message that it may pass over")
		}
		raw(`{"v":1,"type":"assign","body":7}`)
		later(time.Second)
		if h.srv.connections() != 2 {
			t.Fatal("did not reconnect after nonsense")
		}
	})
}

// Events that together are too long for one message wait for a connection and
// go in several, which the server's limit lets through.
func TestLongEventsAreSplit(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1"))
		h.srv.setDown(true)
		synctest.Wait()
		line := &protocol.LogLine{Level: "info", Text: strings.Repeat("x", 48<<10)}
		for range eventsPerMessage {
			if err := h.spool.Append(protocol.Event{AttemptRef: ref(1, 1), Type: protocol.EventLog, Log: line}); err != nil {
				t.Fatal(err)
			}
		}
		h.srv.setDown(false)
		later(time.Minute)
		if n, c := h.spool.Waiting(), h.srv.connections(); n != 0 || c != 2 {
			t.Fatalf("%d events wait, %d connections", n, c)
		}
		h.srv.mu.Lock()
		longest := h.srv.longest
		h.srv.mu.Unlock()
		if longest < bytesPerMessage/2 || longest > bytesPerMessage+1<<10 {
			t.Fatalf("the longest message has %d bytes", longest)
		}
		close(h.engine.writing)
		synctest.Wait()
	})
}

// An event that is longer than a batch goes alone.
func TestBatchHoldsAtLeastOneEvent(t *testing.T) {
	t.Parallel()
	long := protocol.Event{Log: &protocol.LogLine{Text: strings.Repeat("x", bytesPerMessage)}}
	m, last, err := batch([]spool.Entry{{Index: 7, Event: long}, {Index: 8, Event: long}})
	if err != nil || len(m.Events) != 1 || last != 7 {
		t.Fatalf("%d events up to %d: %v", len(m.Events), last, err)
	}
}

func TestServerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := &session{queue: make(chan protocol.Message, 2), over: make(chan error, 1)}
	for range 3 {
		s.queueUp(&protocol.Refresh{})
	}
	if err := <-s.over; err != errOverflow { //nolint:errorlint // the very error
		t.Fatalf("got %v", err)
	}
}
