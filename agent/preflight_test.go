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

// What an admin let pass is said, and what a table cannot count is warned of.
func TestPreflightOfOddDevices(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.rack.devices["1-1"].sector = 4096
		h.rack.devices["1-2"].size = 3 << 40
		h.start()
		a := h.assignment("1-1", "1-2")
		a.Builds[0].Overrides = []string{protocol.FaultSectorSize}
		h.send(a)
		h.wantStory(ref(1, 1), wholeStory)
		h.wantStory(ref(2, 1), wholeStory)
		verdicts := map[protocol.CheckName]protocol.Verdict{}
		for n := 1; n <= 2; n++ {
			for _, c := range h.srv.checks(ref(n, 1)) {
				if c.Verdict == protocol.VerdictOverridden || c.Name == protocol.CheckTable {
					verdicts[c.Name] = c.Verdict
				}
				if c.Name == protocol.CheckTable && (n != 2 || c.Params["usable_bytes"] != "2199023255552") {
					t.Errorf("stick %d: %v", n, c.Params)
				}
			}
		}
		if verdicts[protocol.CheckSectors] != protocol.VerdictOverridden || verdicts[protocol.CheckTable] != protocol.VerdictWarn {
			t.Errorf("%v", verdicts)
		}
	})
}
