package protocol

import (
	"errors"
	"fmt"
)

// Fault is what went wrong on a host, as data: a stable code and parameters.
// The console's catalogue turns it into a sentence ("fault.<code>"); Touched
// decides whether that says that the stick must be pressed again.
type Fault struct { //nolint:errname // the console's word for it
	Code   string            `json:"code"`
	Params map[string]string `json:"params,omitempty"`
	// Touched is true when at least one byte of the stick may have changed.
	Touched bool  `json:"touched"`
	Err     error `json:"-"`
}

// NewFault returns a fault with parameters given as name, value pairs.
func NewFault(code string, pairs ...any) *Fault {
	return WrapFault(nil, code, pairs...)
}

// WrapFault is NewFault with a cause, whose text travels as the parameter
// "cause" for the log view.
func WrapFault(err error, code string, pairs ...any) *Fault {
	if len(pairs)%2 != 0 {
		panic("protocol: odd number of parameters")
	}
	f := &Fault{Code: code, Err: err}
	if len(pairs) > 0 || err != nil {
		f.Params = make(map[string]string, len(pairs)/2+1)
	}
	for i := 0; i < len(pairs); i += 2 {
		f.Params[pairs[i].(string)] = fmt.Sprint(pairs[i+1])
	}
	if err != nil {
		f.Params["cause"] = err.Error()
	}
	return f
}

// Error is for logs.
func (f *Fault) Error() string {
	if f.Err != nil {
		return fmt.Sprintf("%s: %v", f.Code, f.Err)
	}
	return fmt.Sprintf("%s %v", f.Code, f.Params)
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Is matches faults by code.
func (f *Fault) Is(target error) bool {
	var t *Fault
	return errors.As(target, &t) && t.Code == f.Code
}

// AsFault returns err as a fault; what is none becomes FaultInternal.
func AsFault(err error) *Fault {
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return WrapFault(err, FaultInternal)
}

// The codes of faults that a host reports, with their parameters. Every code
// has a sentence in each catalogue under "fault.<code>".
const (
	FaultInternal = "agent_internal"
	FaultKind     = "kind_unsupported" // kind: this agent cannot do such jobs

	// Why a device may not be written (Device.Refusals, and again at open).
	FaultNotRemovable   = "device_not_removable"    // path
	FaultMounted        = "device_mounted"          // path, mount
	FaultSwap           = "device_swap"             // path
	FaultSystem         = "device_system"           // path
	FaultHolders        = "device_holders"          // path, holder
	FaultDataDir        = "device_data_dir"         // path
	FaultLoopNotAllowed = "device_loop_not_allowed" // path
	FaultReadOnly       = "device_read_only"        // path
	FaultNoMedium       = "device_no_medium"        // path
	FaultTooSmall       = "device_too_small"        // have_bytes, need_bytes, missing_bytes
	FaultDeviceBusy     = "device_busy"             // path: somebody else holds it open exclusively
	FaultEarlierAttempt = "earlier_attempt"         // port: an earlier attempt of the build hangs in the device
	FaultDeviceChanged  = "device_changed"          // path, what, want, have
	FaultDeviceGone     = "device_gone"             // port
	FaultHubPower       = "hub_power"               // port, hub, ports: they vanished at once
	FaultSectorSize     = "device_sector_size"      // layout, sector_size: no BIOS starts it; an admin may let it pass for UEFI

	// What a look at the stick itself showed (Check). An admin may let it pass.
	FaultCapacity      = "stick_capacity_false"  // offset, device_bytes: what was written there is not there
	FaultTooSlow       = "stick_too_slow"        // have_rate, need_rate: bytes per second
	FaultTooSlowRandom = "stick_too_slow_random" // have, need: writes of 4 KiB per second
	// FaultTooOldForRemovable is found by the server, when a job is queued.
	FaultTooOldForRemovable = "image_too_old_for_removable" // port, build

	// The image and the master.
	FaultFetch        = "fetch_failed"         // digest
	FaultDigest       = "fetch_digest"         // want, have
	FaultCacheFull    = "cache_full"           // need_bytes, free_bytes
	FaultImageCorrupt = "image_corrupt"        // detail
	FaultEdition      = "edition_missing"      // edition, editions
	FaultImageContent = "image_content"        // path: a file that a bootable stick needs is not in the image
	FaultImageSector  = "image_sector_size"    // sector_size, image_sector_size: a disk image of other sectors than the stick's
	FaultImageTooBig  = "image_too_big"        // need_bytes, have_bytes
	FaultHiveDirty    = "hive_dirty"           // hive
	FaultAnswerSize   = "answer_file_too_long" // bytes, limit_bytes
	FaultTool         = "tool_failed"          // tool, status, detail
	FaultToolMissing  = "tool_missing"         // tool, package

	// Writing and verifying.
	FaultWrite  = "write_failed"    // offset, path
	FaultVerify = "verify_mismatch" // offset, want, have
	// Reading a stick again.
	FaultNoRecord    = "record_missing" // stick: nothing to compare with was kept
	FaultRecord      = "record_invalid"
	FaultOtherStick  = "stick_other"         // what, want, have
	FaultCopyChanged = "verify_copy_changed" // offset, offsets: the first chunks of a copy of a disk image that are not as they were
	FaultWritten     = "verify_written"      // offset, want, have, volume: some computer mounted it before its first start
	FaultUsedChanged = "verify_changed"      // what, path, want, have: after its first start

	FaultDryRun    = "dry_run" // the host's agent was started to write nothing
	FaultCancelled = "cancelled"
	FaultFenced    = "attempt_fenced"  // a newer attempt owns this build
	FaultRestart   = "agent_restarted" // step: the agent was stopped or killed in the middle
	FaultJournal   = "journal_failed"  // the host's disk is full or broken: it cannot remember what it does
	FaultRevoked   = "host_revoked"    // the host was removed from the console

	// Erasing.
	FaultWipeWrite   = "wipe_write_failed"   // offset, wiped_bytes, total_bytes: the rest still holds what it held
	FaultWipeVerify  = "wipe_verify_failed"  // offset, want, have: hashes of that sector
	FaultWipeDiscard = "wipe_discard_failed" // reason: a Discard reason; nothing but a discard was asked for
)
