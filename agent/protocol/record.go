package protocol

import "encoding/json"

// MaxRecord is the length of the longest common part of records, in bytes: so
// many fit into one message. Content of some 300 GiB has a longer one, which is
// not kept, and its sticks cannot be proven later.
const MaxRecord = 3 << 20

// StickRecord says what was verified on a stick when it was written, as far as
// the stick has it to itself; the rest is common to all sticks of its content
// and is named by its digest. A few KiB.
type StickRecord struct {
	StickID string `json:"stick_id"`
	DiskID  string `json:"disk_id"` // MBR signature in hex, disk GUID, or ""
	Bytes   int64  `json:"bytes"`   // of the device
	// Copy says that the stick has nothing of its own, so that others have its
	// DiskID and its content, too: which one it is cannot be read from it.
	Copy bool `json:"copy,omitempty"`
	// Common is the SHA-256 of the common part, lower-case hex. It is a JSON
	// document that only agents read (agent/stick, common).
	Common string `json:"common"`
	// Own are the ranges in place of those of the common part that have the
	// same place, and the partition table.
	Own []RecordedRange `json:"own"`
	// Zeros are ranges that hold nothing but zeros: where old tables were.
	Zeros []Range `json:"zeros"`
}

// Range is a range of bytes of a device.
type Range struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// RecordedRange is a range and the hash of what it holds.
type RecordedRange struct {
	Range
	XXH3 string `json:"xxh3"` // 128 bits, lower-case hex
}

// Outcomes of a verification that found nothing wrong.
const (
	OutcomeIntact = "intact" // every byte is as it was written
	OutcomeUsed   = "used"   // its Windows has run; what that leaves alone is as it was
)

// Evidence that a stick's Windows has run.
const (
	EvidenceRegistry  = "registry"  // the SYSTEM hive or its logs were written
	EvidenceGrown     = "grown"     // Windows extended its partition and volume
	EvidenceEncrypted = "encrypted" // BitLocker took the volume over
)

// CheckResult is what a verification found on a stick that is as it should be.
// StickID and DiskID are the record's: the stick is known by what lies on it,
// not by the port that it is in.
type CheckResult struct {
	StickID  string   `json:"stick_id"`
	DiskID   string   `json:"disk_id"`
	Outcome  string   `json:"outcome"`
	Evidence []string `json:"evidence,omitempty"` // for OutcomeUsed
	// Replaced are boot files that are not those that were written: Windows
	// replaces them when it is updated.
	Replaced []string `json:"replaced,omitempty"`
	// Common names the content that the stick was compared with, as its record
	// does.
	Common string `json:"common,omitempty"`
}

// WantRecord asks the other side for what it has recorded: a server names a
// common part, after a stick was verified whose record names one that it does
// not have, and again after a reconnect; a host names the disk ID of a stick
// that it is to verify and has no record of, and, where contents share a disk
// ID, also the common part of one that the server has named. All are answered
// with Record.
type WantRecord struct {
	Common string `json:"common,omitempty"`
	DiskID string `json:"disk_id,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"` // size of the device with the DiskID
}

// Record answers WantRecord, with the names that were asked for. Without Body
// there is none: a host has thrown it away, a server never had it.
type Record struct {
	WantRecord
	Stick *StickRecord    `json:"stick,omitempty"` // for a DiskID
	Body  json.RawMessage `json:"body,omitempty"`  // the common part, at most MaxRecord bytes
	// Others are the common parts of other contents with the DiskID, newest
	// first: versions of a disk image share it.
	Others []string `json:"others,omitempty"`
}

// VerifyBuild is what a server knows about a stick that is to be verified.
type VerifyBuild struct {
	DiskID string `json:"disk_id"` // that it should have; empty when the stick is not known
	// Common is the common part of what it should carry, empty when that is not
	// recorded.
	Common string `json:"common,omitempty"`
}

// RecordFile is a whole record in a file, for "stickpress-agent verify".
type RecordFile struct {
	Stick StickRecord     `json:"stick"`
	Body  json.RawMessage `json:"body"`
}
