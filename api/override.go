package api

import (
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Overridable are the codes of faults that an admin may let pass, by naming
// them in QueueJobInput.Overrides. Each override is written into the job and
// into the audit log.
var Overridable = []fault.Code{
	CodeRemovableRefused, store.CodeStickNotWiped,
	protocol.FaultCapacity, protocol.FaultTooSlow, protocol.FaultTooSlowRandom, protocol.FaultCaptureNotGeneralized, // found on the host
}

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
			return fault.New(fault.KindInvalid, CodeOverrideUnknown, "code", code).At("overrides")
		}
	}
	return nil
}
