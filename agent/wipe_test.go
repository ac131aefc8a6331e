package agent

import (
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// wiping assigns a wipe of the sticks in the ports, which are small ones that
// exist in memory.
func (h *host) wiping(o *protocol.WipeOptions, ports ...string) map[string]*sticktest.Device {
	sticks := map[string]*sticktest.Device{}
	for _, p := range ports {
		d := sticktest.New(8<<20, 512)
		h.rack.devices[p].unused, h.rack.devices[p].size = d, d.Size()
		sticks[p] = d
	}
	h.start()
	a := h.assignment(ports...)
	a.Kind, a.Options.Wipe, a.Image, a.Recipe, a.Ticket = protocol.JobWipe, o, protocol.Image{}, protocol.Recipe{}, ""
	h.send(a)
	return sticks
}

const wipeStory = "accepted preflight< preflight> touched erase< erase> verify< verify> eject< eject> verified"

func TestWipe(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		sticks := h.wiping(&protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 2}, "1-1", "1-2")
		h.wantStory(ref(1, 1), wipeStory)
		h.wantStory(ref(2, 1), wipeStory)
		if h.srv.asked != 0 || !h.rack.devices["1-1"].ejected {
			t.Errorf("asked for an image %d times, ejected %v", h.srv.asked, h.rack.devices["1-1"].ejected)
		}
		if n := len(sticks["1-2"].Written()); n != 8<<20/4096 {
			t.Errorf("%d pages were written", n)
		}
	})
}

// A stick that carries another ID than the console knew of is not erased as the
// one that it was taken for, and the console learns of its ID.
func TestWipeOfAnotherStick(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.srv.judge = func(p *peer, m *protocol.FoundStick) {
			p.send(t, &protocol.StickVerdict{FoundStick: *m, Fault: protocol.NewFault("wipe_other_stick", "port", "1-1", "stick", m.StickID)})
		}
		d := sticktest.New(8<<20, 512)
		h.rack.devices["1-1"].unused, h.rack.devices["1-1"].size, h.rack.devices["1-1"].holds = d, d.Size(), "stick_of_ada"
		h.start()
		a := h.assignment("1-1")
		a.Kind, a.Options.Wipe, a.Builds[0].AskFound = protocol.JobWipe, &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1}, true
		h.send(a)
		h.wantStory(ref(1, 1), "accepted preflight< failed:wipe_other_stick:untouched")
		if n := len(d.Written()); n != 0 {
			t.Errorf("%d pages were written", n)
		}
		found := func() string {
			h.srv.mu.Lock()
			defer h.srv.mu.Unlock()
			return h.srv.invs[len(h.srv.invs)-1].Devices[0].FoundID
		}
		if id := found(); id != "stick_of_ada" {
			t.Errorf("the inventory says that it carries %q", id)
		}
		h.srv.judge = func(p *peer, m *protocol.FoundStick) { p.send(t, &protocol.StickVerdict{FoundStick: *m}) }
		a = h.assignment("1-1")
		a.Kind, a.Options.Wipe, a.Builds[0].AskFound = protocol.JobWipe, &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1}, true
		a.Builds[0].Attempt = 2
		h.send(a)
		h.wantStory(ref(1, 2), wipeStory)
		if id := found(); id != "" {
			t.Errorf("after the wipe the inventory says that it carries %q", id)
		}
	})
}

func TestWipeFallsBackAndSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.wiping(&protocol.WipeOptions{Method: protocol.WipeAuto, Passes: 1}, "1-1") // ignores a discard
		h.wantStory(ref(1, 1), "accepted preflight< preflight> touched erase< log:wipe_discard_ignored erase< erase> verify< verify> eject< eject> verified")
	})
}

func TestWipeOfABrokenStick(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		d := sticktest.New(8<<20, 512)
		d.Fail(sticktest.Write, 4, syscall.EIO)
		h.rack.devices["1-1"].unused, h.rack.devices["1-1"].size = d, d.Size()
		h.start()
		a := h.assignment("1-1")
		a.Kind, a.Options.Wipe = protocol.JobWipe, &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1}
		h.send(a)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> touched erase< log:wipe_stopped failed:wipe_write_failed:touched")
	})
}

func TestWipeCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		d := sticktest.New(8<<20, 512)
		writing, gone := make(chan struct{}), make(chan struct{})
		d.Before = func(op sticktest.Op, n int, _, _ int64) error {
			if op == sticktest.Write && n == 3 {
				close(writing)
				<-gone
			}
			return nil
		}
		h.rack.devices["1-1"].unused, h.rack.devices["1-1"].size = d, d.Size()
		h.start()
		a := h.assignment("1-1")
		a.Kind, a.Options.Wipe = protocol.JobWipe, &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1}
		h.send(a)
		<-writing
		h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 1)}})
		close(gone)
		synctest.Wait()
		h.wantStory(ref(1, 1), "accepted preflight< preflight> touched erase< log:wipe_stopped cancelled:cancelled:touched")
	})
}

// What a newer console may ask for is not guessed at.
func TestWipeUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		for i, o := range []*protocol.WipeOptions{
			nil, {}, {Method: "magnet", Passes: 1}, {Method: protocol.WipeAuto}, {Method: protocol.WipeAuto, Passes: 3},
		} {
			if i == 0 {
				h.start()
			}
			a := h.assignment("1-1")
			a.Kind, a.Options.Wipe = protocol.JobWipe, o
			a.Builds[0].Attempt = i + 1
			h.send(a)
			h.wantStory(ref(1, i+1), "accepted failed:kind_unsupported:untouched")
		}
	})
}
