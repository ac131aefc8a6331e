package agent

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// What a stick is like is said before anything is written, with what an admin
// let pass; what the job demands goes to the engine.
func TestPreflight(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		a := h.assignment("1-1")
		a.Recipe.MinWriteRate, a.Recipe.MinRandomIOPS = 20<<20, 50
		a.Builds[0].Overrides = []string{protocol.FaultTooOldForRemovable}
		h.rack.devices["1-1"].removable = true
		h.send(a)
		h.wantStory(ref(1, 1), wholeStory)
		got := map[protocol.CheckName]protocol.Check{}
		for _, c := range h.srv.checks(ref(1, 1)) {
			got[c.Name] = c
		}
		for code, want := range map[protocol.CheckName]protocol.Verdict{
			protocol.CheckIdentity: protocol.VerdictOK, protocol.CheckSpeed: protocol.VerdictWarn, protocol.CheckTransport: protocol.VerdictOK,
			protocol.CheckRemovable: protocol.VerdictOverridden, protocol.CheckSectors: protocol.VerdictOK, protocol.CheckCapacity: protocol.VerdictOK,
		} {
			if got[code].Verdict != want {
				t.Errorf("%s: %+v, want %s", code, got[code], want)
			}
		}
		if c := got[protocol.CheckSpeed]; c.Params["mbps"] != "480" || c.Params["max_mbps"] != "5000" {
			t.Errorf("%+v", c)
		}
		if d := h.engine.demands[0]; d.WriteRate != 20<<20 || d.RandomIOPS != 50 || len(d.Waived) != 1 {
			t.Errorf("demands %+v", d)
		}
	})
}
