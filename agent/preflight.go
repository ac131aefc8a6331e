package agent

import (
	"slices"
	"strconv"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

// looked says what a held device is like. None of it is a reason to refuse it
// here: what cannot start was refused when the job was queued, and what was
// let pass then is said again.
func (at *attempt) looked(d protocol.Device) {
	ok := protocol.VerdictOK
	speed := ok
	if d.FellBack() {
		speed = protocol.VerdictWarn
	}
	removable := ok
	if d.Removable && slices.Contains(at.build.Overrides, protocol.FaultTooOldForRemovable) {
		removable = protocol.VerdictOverridden
	}
	sectors := ok
	if d.SectorSize != 512 && slices.Contains(at.build.Overrides, protocol.FaultSectorSize) {
		sectors = protocol.VerdictOverridden
	}
	checks := []protocol.Check{protocol.NewCheck(protocol.CheckIdentity, ok, "path", d.Path, "port", d.Port)}
	if d.SpeedMbps > 0 {
		checks = append(checks,
			protocol.NewCheck(protocol.CheckSpeed, speed, "mbps", d.SpeedMbps, "max_mbps", d.MaxMbps),
			protocol.NewCheck(protocol.CheckTransport, ok, "uasp", strconv.FormatBool(d.UASP)))
	}
	at.checked(append(checks,
		protocol.NewCheck(protocol.CheckRemovable, removable, "removable", strconv.FormatBool(d.Removable)),
		protocol.NewCheck(protocol.CheckSectors, sectors, "sector_size", d.SectorSize))...)
}

// Checked sends what a look at the stick came to.
func (at *attempt) Checked(c protocol.Check) { at.checked(c) }

// checked sends several of them as one event.
func (at *attempt) checked(checks ...protocol.Check) {
	_ = at.say(protocol.Event{Type: protocol.EventPreflight, Preflight: &protocol.Preflight{Checks: checks}}) // cancels on failure
}

// demands are what the job demands of the attempt's stick.
func (at *attempt) demands(r *protocol.Recipe) stick.Demands {
	return stick.Demands{WriteRate: r.MinWriteRate, RandomIOPS: r.MinRandomIOPS, Waived: at.build.Overrides}
}
