package api

import (
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// refusal is a code, and whether an admin may let its faults pass.
type refusal struct {
	Code fault.Code
	Pass bool
}

// refusals are the codes of all faults for which a stick, or a source, may be
// refused before the first byte, on the console or on the host, and whether an
// admin may let each pass. docs/decisions/0009-overrides.md says why.
var refusals = []refusal{
	// The device and what it is used for.
	{protocol.FaultNotRemovable, false},
	{protocol.FaultMounted, false},
	{protocol.FaultSwap, false},
	{protocol.FaultSystem, false},
	{protocol.FaultHolders, false},
	{protocol.FaultDataDir, false},
	{protocol.FaultLoopNotAllowed, false},
	{protocol.FaultReadOnly, false},
	{protocol.FaultNoMedium, false},
	{protocol.FaultDeviceBusy, false},
	{protocol.FaultEarlierAttempt, false},
	{protocol.FaultDeviceChanged, false},
	{protocol.FaultDeviceGone, false},
	{protocol.FaultHubPower, false},
	// What it can carry.
	{protocol.FaultTooSmall, false},
	{CodeImageTooBig, false},
	{CodeImageSector, false},
	{CodeArchRefused, false},
	{protocol.FaultSectorSize, true},
	{CodeRemovableRefused, true},
	// What it turned out to be.
	{protocol.FaultCapacity, true},
	{protocol.FaultTooSlow, true},
	{protocol.FaultTooSlowRandom, true},
	// Whose it is.
	{store.CodeStickBusy, false},
	{store.CodeStickRewritten, false},
	{store.CodeStickNotWiped, true},
	{store.CodeWipeOther, false},
	{store.CodeStickDataOpen, false},
	// The source of a capture.
	{protocol.FaultCaptureNoWindows, false},
	{protocol.FaultCaptureSeveral, false},
	{protocol.FaultCaptureBitLocker, false},
	{protocol.FaultCaptureHibernated, false},
	{protocol.FaultCaptureDirty, false},
	{protocol.FaultCaptureUndeployable, false},
	{protocol.FaultCaptureNotGeneralized, true},
}

// Overridable are the codes of faults that an admin may let pass, by naming
// them in QueueJobInput.Overrides. Each override is written into the job and
// into the audit log.
var Overridable = func() (codes []fault.Code) {
	for _, r := range refusals {
		if r.Pass {
			codes = append(codes, r.Code)
		}
	}
	return codes
}()

// checkOverrides refuses overrides of somebody who may not give any, and those
// of faults that cannot be passed.
func checkOverrides(a Actor, codes []string) error {
	if len(codes) == 0 {
		return nil
	}
	if err := allow(a, UseOverride); err != nil {
		return err
	}
	for _, code := range codes {
		if !slices.Contains(Overridable, fault.Code(code)) {
			return fault.New(fault.KindInvalid, CodeOverrideUnknown, "code", code, "codes", oneOf(Overridable)).At("overrides")
		}
	}
	return nil
}
