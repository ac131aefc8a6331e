package agent

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

func TestDamagedMasterIsMadeAgainOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		times int
		end   string
	}{
		{"once", 1, "write> verify< verify> table< table> eject< eject> verified"},
		{"twice", 2, "failed:agent_internal:touched"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, h *host) {
				h.engine.outcome = func(n int, _ string) error {
					if n <= c.times {
						return errors.Join(errors.New("hash"), stick.ErrMasterDamaged)
					}
					return nil
				}
				h.start()
				h.send(h.assignment("1-1"))
				h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< master> write< touched write< "+c.end)
				if len(h.engine.prepared) != 2 || h.engine.presses() != 2 {
					t.Fatalf("prepared %d, pressed %d", len(h.engine.prepared), h.engine.presses())
				}
			})
		})
	}
}

func TestImageThatRottedInTheCache(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.prepare = func(n int, spec stick.Spec) error {
			if n == 1 {
				if err := os.WriteFile(spec.ImagePath, []byte("rot"), 0o600); err != nil {
					t.Error(err)
				}
				return protocol.NewFault(protocol.FaultImageCorrupt)
			}
			return nil
		}
		h.start()
		h.send(h.assignment("1-1"))
		want := strings.Replace(wholeStory, "master< ", "master< fetch< fetch> ", 1)
		h.wantStory(ref(1, 1), want)
		if h.srv.asked != 2 {
			t.Fatalf("image asked for %d times", h.srv.asked)
		}
		// One that is as it was published is corrupt for good.
		h.engine.prepare = func(int, stick.Spec) error { return protocol.NewFault(protocol.FaultImageCorrupt) }
		a := h.assignment("1-2")
		a.Builds[0].BuildID = ref(2, 1).BuildID
		h.send(a)
		h.wantStory(ref(2, 1), "accepted preflight< preflight> fetch< fetch> master< failed:image_corrupt:untouched")
	})
}

// An image that rotted in the cache and cannot be fetched again is not what is
// wrong: why it cannot be is.
func TestRottenImageThatCannotBeFetchedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.rack.devices["1-2"].size = 60 * gib // a master of its own
		h.engine.prepare = func(n int, spec stick.Spec) error {
			if n == 1 {
				if err := os.WriteFile(spec.ImagePath, []byte("rot"), 0o600); err != nil {
					t.Error(err)
				}
				h.srv.mu.Lock()
				h.srv.blobs = map[string][]byte{} // the server has it no more
				h.srv.mu.Unlock()
				return protocol.NewFault(protocol.FaultImageCorrupt)
			}
			_, err := os.Stat(spec.ImagePath)
			return err
		}
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< fetch< failed:fetch_failed:untouched")
		h.wantStory(ref(2, 1), "accepted preflight< preflight> fetch< fetch> master< failed:fetch_failed:untouched")
	})
}

// Two masters of a job find the image rotten at once: it is fetched again for
// both.
func TestImageThatRottedUnderTwoMasters(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.rack.devices["1-2"].size = 60 * gib // a master of its own
		both := make(chan struct{})
		h.engine.prepare = func(n int, spec stick.Spec) error {
			switch n {
			case 2: // for the second stick, or again for the first one
				<-both
				return protocol.NewFault(protocol.FaultImageCorrupt)
			case 3:
				if err := os.WriteFile(spec.ImagePath, []byte("rot"), 0o600); err != nil {
					t.Error(err)
				}
				close(both)
				return protocol.NewFault(protocol.FaultImageCorrupt)
			}
			return nil
		}
		h.engine.outcome = func(n int, answer string) error {
			if n == 1 && answer == "secret-1-1" {
				return stick.ErrMasterDamaged
			}
			return nil
		}
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		for n := 1; n <= 2; n++ {
			if story := h.srv.story(ref(n, 1)); !strings.HasSuffix(story, " verified") {
				t.Errorf("stick %d: %s", n, story)
			}
		}
		if h.srv.asked != 2 {
			t.Errorf("image asked for %d times", h.srv.asked)
		}
	})
}

// So do two jobs.
func TestImageThatRottedUnderTwoJobs(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.rack.devices["1-2"].size = 60 * gib // a master of its own
		fetched := make(chan struct{})
		h.engine.prepare = func(n int, spec stick.Spec) error {
			switch n {
			case 1:
				<-fetched
				return protocol.NewFault(protocol.FaultTool, "detail", "no such file")
			case 2:
				if err := os.WriteFile(spec.ImagePath, []byte("rot"), 0o600); err != nil {
					t.Error(err)
				}
				return protocol.NewFault(protocol.FaultImageCorrupt)
			}
			return nil
		}
		h.start()
		h.send(h.assignment("1-1"))
		a := h.assignment("1-2")
		a.JobID, a.Builds[0].BuildID = "job_2", ref(2, 1).BuildID
		h.send(a)
		again := strings.Replace(wholeStory, "master< ", "master< fetch< fetch> ", 1)
		h.wantStory(ref(2, 1), again)
		close(fetched)
		h.wantStory(ref(1, 1), again)
		if h.srv.asked != 2 {
			t.Errorf("image asked for %d times", h.srv.asked)
		}
	})
}
