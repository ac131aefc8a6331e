package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/spool"
)

func TestTwoSticksInOnePass(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		later(5 * time.Second)
		h.srv.mu.Lock()
		busy := h.srv.invs[len(h.srv.invs)-1].Devices
		bars := h.srv.progress
		h.srv.mu.Unlock()
		if len(busy) != 2 || !busy[0].Busy || !busy[1].Busy {
			t.Fatalf("inventory while writing: %+v", busy)
		}
		if len(bars) == 0 || len(bars) > 20 || bars[len(bars)-1].Step != protocol.StepWrite || bars[len(bars)-1].Total != 400 {
			t.Fatalf("progress: %+v", bars)
		}
		close(h.engine.writing)
		h.wantStory(ref(1, 1), wholeStory)
		h.wantStory(ref(2, 1), wholeStory)
		if len(h.engine.prepared) != 1 || len(h.engine.pressed) != 1 || len(h.engine.pressed[0]) != 2 {
			t.Fatalf("prepared %d times, pressed %v", len(h.engine.prepared), h.engine.pressed)
		}
		if s := h.engine.prepared[0]; s.CapacityClass != 28*gib || s.SectorSize != 512 || s.Edition != 1 {
			t.Fatalf("spec %+v", s)
		}
		h.srv.mu.Lock()
		free := h.srv.invs[len(h.srv.invs)-1].Devices
		h.srv.mu.Unlock()
		if free[0].Busy || free[1].Busy || !h.rack.devices["1-1"].ejected || h.rack.devices["1-2"].open {
			t.Fatalf("after the job: %+v", free)
		}
		if n := h.spool.Waiting(); n != 0 {
			t.Fatalf("%d events were not acknowledged", n)
		}
		wantNoSecret(t, h.data)
	})
}

// wantNoSecret looks for answer files and tickets in everything on the disk.
func wantNoSecret(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte("secret-")) || bytes.Contains(raw, []byte("ticket-")) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRepeatedAssignmentIsIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		a := h.assignment("1-1")
		h.send(a)
		h.send(a)
		close(h.engine.writing)
		h.wantStory(ref(1, 1), wholeStory)
		h.send(a)
		// The same job with one more stick: only that one is new.
		more := h.assignment("1-1", "1-2")
		h.send(more)
		h.wantStory(ref(1, 1), wholeStory)
		h.wantStory(ref(2, 1), wholeStory)
		if h.engine.presses() != 2 || len(h.engine.pressed[1]) != 1 || h.srv.asked != 1 {
			t.Fatalf("pressed %v, image asked for %d times", h.engine.pressed, h.srv.asked)
		}
	})
}

func TestSticksThatAreRefusedEndAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.rack.devices["1-2"].size = 20 * gib
		h.rack.devices["1-3"] = &fakeDevice{id: identity("1-3"), size: 60 * gib, sector: 512}
		h.rack.devices["1-4"] = &fakeDevice{id: identity("1-4"), size: 60 * gib, sector: 4096}
		h.start()
		h.send(h.assignment("1-1", "1-2", "1-3", "1-4", "9-9"))
		h.wantStory(ref(1, 1), wholeStory)
		h.wantStory(ref(2, 1), "accepted preflight< failed:device_too_small:untouched")
		h.wantStory(ref(3, 1), wholeStory) // another capacity class
		h.wantStory(ref(4, 1), "accepted preflight< failed:device_sector_size:untouched")
		h.wantStory(ref(5, 1), "accepted preflight< failed:device_gone:untouched")
		if len(h.engine.prepared) != 2 || h.engine.presses() != 2 {
			t.Fatalf("prepared %d, pressed %d", len(h.engine.prepared), h.engine.presses())
		}
		for port, d := range h.rack.devices {
			if d.open {
				t.Errorf("%s was left open", port)
			}
		}
	})
}

func TestEraseFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		a := h.assignment("1-1", "1-2")
		a.Options.EraseFirst = true
		h.send(a)
		h.wantStory(ref(1, 1), wholeStory)
		h.wantStory(ref(2, 1), wholeStory)
		if h.engine.erased != 2 {
			t.Errorf("%d sticks were to be erased first, want 2", h.engine.erased)
		}
	})
}

func TestUnknownKindTouchesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		a := h.assignment("1-1", "1-2")
		a.Kind = "paint"
		h.send(a)
		h.wantStory(ref(1, 1), "accepted failed:kind_unsupported:untouched")
		h.wantStory(ref(2, 1), "accepted failed:kind_unsupported:untouched")
		if h.rack.devices["1-1"].open || h.srv.asked != 0 {
			t.Errorf("open %v, image asked for %d times", h.rack.devices["1-1"].open, h.srv.asked)
		}
	})
}

func TestStickChangedBeforeTheFirstByte(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.making = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		h.rack.devices["1-1"].check = protocol.NewFault(protocol.FaultDeviceChanged, "what", "connection")
		close(h.engine.making)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< master> failed:device_changed:untouched")
		h.wantStory(ref(2, 1), wholeStory)
	})
}

func TestBusyDevice(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1"))
		second := h.assignment("1-1")
		second.JobID, second.Builds[0].BuildID = "job_2", ref(2, 1).BuildID
		h.send(second)
		h.wantStory(ref(2, 1), "accepted failed:device_busy:untouched")
		// A newer attempt of the same build: the old one leaves first.
		third := h.assignment("1-1")
		third.Builds[0].Attempt = 2
		h.send(third)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< master> write< touched cancelled:attempt_fenced:touched")
		close(h.engine.writing)
		h.wantStory(ref(1, 2), wholeStory)
		// And an older one comes too late.
		h.send(h.assignment("1-1"))
		if h.engine.presses() != 2 {
			t.Fatalf("pressed %v", h.engine.pressed)
		}
	})
}

// Newer attempts wait for all older ones: one that ended while it waited does
// not let the next one run into the device that the first still holds.
func TestThirdAttemptWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	for hangs, third := range map[bool]string{false: wholeStory, true: "accepted failed:earlier_attempt:untouched"} {
		t.Run(third, func(t *testing.T) {
			inBubble(t, func(t *testing.T, h *host) {
				answers := make(chan struct{})
				h.engine.outcome = func(n int, _ string) error {
					if n == 1 {
						<-answers
						return protocol.NewFault(protocol.FaultFenced)
					}
					return nil
				}
				h.start()
				for n := 1; n <= 3; n++ {
					a := h.assignment("1-1")
					a.Builds[0].Attempt = n
					h.send(a)
					if n == 2 {
						h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 2)}, Fenced: true})
						h.wantStory(ref(1, 2), "accepted cancelled:attempt_fenced:untouched")
					}
				}
				h.wantStory(ref(1, 3), "accepted")
				if hangs {
					later(stallTime)
				} else {
					close(answers)
				}
				h.wantStory(ref(1, 3), third)
				if hangs {
					close(answers)
				}
				h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< master> write< touched cancelled:attempt_fenced:touched")
				if r := h.agent.runner; len(r.places) != 0 {
					t.Errorf("left behind: %v", r.places)
				}
			})
		})
	}
}

// An attempt that ends while its device is being opened keeps the place until
// that is over: the next one, of whichever build, would find the device busy.
func TestNextAttemptWaitsForAnOpenUnderWay(t *testing.T) {
	t.Parallel()
	for _, next := range []protocol.AttemptRef{ref(1, 2), ref(2, 1)} {
		t.Run(next.BuildID, func(t *testing.T) {
			inBubble(t, func(t *testing.T, h *host) {
				opening := make(chan struct{})
				h.rack.devices["1-1"].opening = opening
				h.start()
				h.send(h.assignment("1-1"))
				h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 1)}})
				again := h.assignment("1-1")
				again.JobID, again.Builds[0].BuildID, again.Builds[0].Attempt = "job_2", next.BuildID, next.Attempt
				h.send(again)
				h.wantStory(ref(1, 1), "accepted preflight< cancelled:cancelled:untouched")
				h.wantStory(next, "accepted")
				close(opening)
				h.wantStory(next, wholeStory)
			})
		})
	}
}

// A stick that does not answer keeps its neighbours from nothing: they are
// reported and may be pulled out.
func TestNobodyWaitsForAStickThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		answers := make(chan struct{})
		h.engine.outcome = func(_ int, answer string) error {
			switch answer {
			case "secret-1-2":
				<-answers
			case "secret-1-3":
				return protocol.NewFault(protocol.FaultWrite)
			}
			return nil
		}
		h.rack.devices["1-3"] = &fakeDevice{id: identity("1-3"), size: 30 * gib, sector: 512}
		h.start()
		h.send(h.assignment("1-1", "1-2", "1-3"))
		begun := "accepted preflight< preflight> fetch< fetch> master< master> write< touched"
		h.wantStory(ref(1, 1), wholeStory)
		h.wantStory(ref(2, 1), begun)
		h.wantStory(ref(3, 1), begun+" failed:write_failed:touched")
		if !h.rack.devices["1-1"].ejected || h.rack.devices["1-3"].open {
			t.Error("sticks that are done with are still held")
		}
		close(answers)
		h.wantStory(ref(2, 1), wholeStory)
	})
}

func TestWriteFails(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.outcome = func(_ int, answer string) error {
			if answer == "secret-1-1" {
				return protocol.NewFault(protocol.FaultVerify, "offset", 4096)
			}
			return nil
		}
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< master> write< touched failed:verify_mismatch:touched")
		h.wantStory(ref(2, 1), wholeStory)
		if h.rack.devices["1-1"].open || h.rack.devices["1-1"].ejected {
			t.Fatal("a failed stick was ejected or left open")
		}
	})
}

func TestTicketIsRenewedOverTheSocket(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		h.srv.ticket = "ticket-2"
		h.send(h.assignment("1-1"))
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch<")
		// The question got lost with its connection; it is asked again.
		h.srv.mu.Lock()
		h.srv.refresh = func(p *peer, job string) { p.send(t, &protocol.Ticket{JobID: job, Ticket: "ticket-2"}) }
		h.srv.mu.Unlock()
		_ = h.srv.peer().Close()
		later(time.Second)
		h.wantStory(ref(1, 1), wholeStory)
	})
}

func TestFullDiskTakesNoWork(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		usual := h.agent.runner.healthy
		h.agent.runner.healthy = func() error { return syscall.ENOSPC }
		h.send(h.assignment("1-1"))
		h.wantStory(ref(1, 1), "accepted failed:journal_failed:untouched")
		h.agent.runner.healthy = usual
		a := h.assignment("1-1")
		a.Builds[0].Attempt = 2
		h.send(a)
		h.wantStory(ref(1, 2), wholeStory)
	})
}

func TestUnpluggedDevicesAreReported(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		h.rack.pull("1-2")
		synctest.Wait()
		h.srv.mu.Lock()
		defer h.srv.mu.Unlock()
		var counts []int
		for _, v := range h.srv.invs {
			counts = append(counts, len(v.Devices))
		}
		if !slices.Equal(counts, []int{2, 1}) {
			t.Fatalf("devices in the inventories: %v", counts)
		}
	})
}

// TestBrokenJournal takes the journal's file away under the agent, which then
// cannot write any more: it stops, and the next start knows what was.
func TestBrokenJournal(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1"))
		if err := h.spool.Close(); err != nil {
			t.Fatal(err)
		}
		close(h.engine.writing)
		h.wantEnd(spool.ErrBroken)
		h.start()
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< master> write< touched failed:agent_restarted:touched")
	})
}
