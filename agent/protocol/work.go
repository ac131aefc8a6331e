package protocol

import "time"

// Layouts of a stick (BOOT.md, Layouts).
const (
	LayoutMBRDual = "mbr-dual" // FAT32 + NTFS on an MBR, boots UEFI and BIOS
	LayoutGPTUEFI = "gpt-uefi" // ESP + MSR + NTFS on a GPT, boots UEFI
)

// Boot signatures: which of the image's two sets of boot managers is used.
const (
	BootSignature2011 = "2011"
	BootSignature2023 = "2023"
)

// Assign gives a host the sticks of one job, whose kind it said it can do. It may be sent again after a
// reconnect; a host ignores the attempts that it knows.
type Assign struct {
	JobID   string     `json:"job_id"`
	Kind    JobKind    `json:"kind,omitempty"` // empty means JobPress
	Image   Image      `json:"image"`          // of the kinds that write one
	Recipe  Recipe     `json:"recipe"`         // of JobPress
	Options JobOptions `json:"options"`
	Ticket  string     `json:"ticket"` // bearer token for the image's bytes, see Refresh
	Builds  []Build    `json:"builds"`
}

// Image is the file that the sticks are made from.
type Image struct {
	VersionID string `json:"version_id"`
	Name      string `json:"name"`    // "win11-ent"
	Version   string `json:"version"` // SemVer
	Format    string `json:"format"`  // "wim", "esd", or one of the disk images' below
	SHA256    string `json:"sha256"`  // lower-case hex of the whole file
	Bytes     int64  `json:"bytes"`
	Disk      *Disk  `json:"disk,omitempty"` // of disk images
}

// Formats of disk images.
const (
	FormatRaw  = "raw"
	FormatISO  = "iso"
	FormatVHD  = "vhd"
	FormatVHDX = "vhdx"
)

// Compressions of raw images and ISOs.
const (
	CompressionNone = ""
	CompressionGzip = "gz"
	CompressionXZ   = "xz"
	CompressionZstd = "zst"
)

// Disk is what a disk image becomes on a stick.
type Disk struct {
	Bytes       int64  `json:"bytes"` // of the disk, which a stick must hold
	Compression string `json:"compression,omitempty"`
	// Mapped are the only parts that are written, in order, from a block map
	// that an admin vouched for; empty writes all.
	Mapped []Range `json:"mapped,omitempty"`
}

// Recipe is the part of a task sequence that all sticks of a job share.
type Recipe struct {
	TaskSequenceVersionID string `json:"task_sequence_version_id"`
	TaskSequence          string `json:"task_sequence"`         // its name
	TaskSequenceVersion   int    `json:"task_sequence_version"` // its number, from 1
	Edition               int    `json:"edition"`               // index inside the image, from 1
	Layout                string `json:"layout"`
	BootSignature         string `json:"boot_signature"`
	// PortableOperatingSystem presets Control\PortableOperatingSystem.
	PortableOperatingSystem bool `json:"portable_operating_system"`
	// What a stick must be able to do at least; 0 demands nothing.
	MinWriteRate  int64 `json:"min_write_rate,omitempty"`  // bytes per second, one after the other
	MinRandomIOPS int64 `json:"min_random_iops,omitempty"` // writes of 4 KiB all over the stick, per second
}

// Build is one stick of the job.
type Build struct {
	BuildID  string   `json:"build_id"`
	Attempt  int      `json:"attempt"`
	StickID  string   `json:"stick_id"`
	Identity Identity `json:"identity"` // the device that the user confirmed
	// Reference is the build's ticket, for the stick's own manifest.
	Reference string `json:"reference"`
	// AnswerFile is the rendered unattend.xml, secrets included: it is kept
	// in memory and on the stick, never on the host's disk.
	AnswerFile string `json:"answer_file"`
	// AskFound says that the server answers FoundStick: the agent asks before
	// the first byte if the stick carries the ID of another one than StickID.
	AskFound bool `json:"ask_found,omitempty"`
	// Verify is there for a JobVerify.
	Verify *VerifyBuild `json:"verify,omitempty"`
	// Overrides are the codes of faults that an admin allowed to pass.
	Overrides []string `json:"overrides,omitempty"`
}

// Cancel stops attempts: the sticks are left marked incomplete, with their
// partition tables wiped.
type Cancel struct {
	Attempts []AttemptRef `json:"attempts"`
	// Fenced says that a newer attempt owns the build: stop before the next
	// write and report nothing but the end.
	Fenced bool `json:"fenced"`
}

// AttemptRef names one attempt of a build.
type AttemptRef struct {
	BuildID string `json:"build_id"`
	Attempt int    `json:"attempt"`
}

// FoundStick asks whether an attempt may have the stick in its device, which
// carries the ID of another one than the console took it for. The host asks
// again on a new connection until it is answered.
type FoundStick struct {
	AttemptRef
	StickID string `json:"stick_id"` // as found, see Device.FoundID
}

// StickVerdict answers FoundStick. Without a Fault the attempt goes on.
type StickVerdict struct {
	FoundStick
	Fault *Fault `json:"fault,omitempty"`
}

// Resume is the first message after Welcome: every attempt whose events are
// not all acknowledged. The server answers with Ack for each, with Cancel for
// those that it does not want any more, and with Assign for what the host
// does not have.
type Resume struct {
	Attempts []AttemptState `json:"attempts"`
}

// AttemptState is how far an attempt got on the host.
type AttemptState struct {
	AttemptRef
	HostSeq int64 `json:"host_seq"` // last event made
	Ended   bool  `json:"ended"`
}

// Events carries spooled events in the order of their HostSeq.
type Events struct {
	Events []Event `json:"events"`
}

// Event is one thing that happened to an attempt. (BuildID, Attempt, HostSeq)
// is unique; HostSeq counts from 1 without a gap.
type Event struct {
	AttemptRef
	HostSeq   int64      `json:"host_seq"`
	Type      EventType  `json:"type"`
	At        time.Time  `json:"at"` // the host's clock; the server adds its own
	Step      Step       `json:"step,omitempty"`
	Fault     *Fault     `json:"fault,omitempty"`
	Result    *Result    `json:"result,omitempty"`
	Log       *LogLine   `json:"log,omitempty"`
	Preflight *Preflight `json:"preflight,omitempty"`
}

// EventType says what happened.
type EventType string

// The events of an attempt. Exactly one of verified, failed and cancelled is
// the last one.
const (
	EventAccepted  EventType = "accepted"   // the host took the attempt
	EventStepBegun EventType = "step_begun" // Step
	EventStepDone  EventType = "step_done"  // Step
	EventTouched   EventType = "touched"    // the first byte is about to be written
	EventLog       EventType = "log"        // Log
	EventPreflight EventType = "preflight"  // Preflight
	EventVerified  EventType = "verified"   // Result
	EventFailed    EventType = "failed"     // Fault
	EventCancelled EventType = "cancelled"  // Fault.Touched says whether the stick is incomplete
)

// Terminal reports whether the event ends its attempt.
func (t EventType) Terminal() bool {
	return t == EventVerified || t == EventFailed || t == EventCancelled
}

// Step is a part of a build; JobKind.Steps says which of them a job has.
type Step string

// The steps.
const (
	StepPreflight Step = "preflight" // identity, guards, size
	StepFetch     Step = "fetch"     // image bytes into the cache
	StepMaster    Step = "master"    // apply the image, boot files, offline settings
	StepWrite     Step = "write"     // used extents onto the stick
	StepVerify    Step = "verify"    // read back what was written
	StepTable     Step = "table"     // partition table, last of all
	StepEject     Step = "eject"
	StepErase     Step = "erase"   // everything on the stick, by the job's method
	StepCapture   Step = "capture" // files into an image
	StepUpload    Step = "upload"  // the image to the server
	StepPublish   Step = "publish" // the server makes a version of it
)

// LogLine is one line for the job page. Levels: "info", "warn", "error".
type LogLine struct {
	Level string `json:"level"`
	// Code has a sentence in the catalogue under "log.<code>"; Text is raw
	// output of a tool and is shown as it is.
	Code   string            `json:"code,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	Text   string            `json:"text,omitempty"`
}

// Result is what a verified stick carries.
type Result struct {
	BytesWritten  int64  `json:"bytes_written"`  // on the device, tables included
	BytesVerified int64  `json:"bytes_verified"` // read back
	WriteMS       int64  `json:"write_ms"`
	VerifyMS      int64  `json:"verify_ms"`     // reading back, of which a part may lie within WriteMS
	DiskID        string `json:"disk_id"`       // MBR signature in hex, or disk GUID
	MasterDigest  string `json:"master_digest"` // SHA-256 of the recipe's inputs
	// ContentDigest is a SHA-256 over offset, length and XXH3 of every range as
	// written, in hex.
	ContentDigest string `json:"content_digest"`
	// Wipe is there for a JobWipe: such a stick carries nothing.
	Wipe *WipeResult `json:"wipe,omitempty"`
	// Record is what a later JobVerify compares the stick with; nil where
	// nothing was written, or nothing can be kept.
	Record *StickRecord `json:"record,omitempty"`
	// Check is there for a JobVerify.
	Check *CheckResult `json:"check,omitempty"`
	// Capture is there for a JobCapture.
	Capture *CaptureResult `json:"capture,omitempty"`
}

// Ack says that every event of an attempt up to HostSeq is stored.
type Ack struct {
	AttemptRef
	HostSeq int64 `json:"host_seq"`
}

// Progress is where the running attempts are now. It is never spooled: only
// the newest matters.
type Progress struct {
	Attempts []AttemptProgress `json:"attempts"`
}

// AttemptProgress is one bar. Done and Total are bytes of the current step on
// the device (what it acknowledged, not what a cache took), or bytes fetched
// or applied for the steps before; Total is 0 when unknown.
type AttemptProgress struct {
	AttemptRef
	Step  Step  `json:"step"`
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
	Rate  int64 `json:"rate"` // bytes per second over the last few seconds
}

// Refresh asks for a new Ticket for a job's image: the old one has run out.
type Refresh struct {
	JobID string `json:"job_id"`
}

// Ticket answers Refresh.
type Ticket struct {
	JobID  string `json:"job_id"`
	Ticket string `json:"ticket"`
}

// BlockSize is the length of a verified block of a blob, in bytes.
const BlockSize = 4 << 20

// BlobRecord describes a blob's bytes so that they can be checked while they
// stream: the SHA-256 of the whole and of every BlockSize bytes (the last one
// shorter), lower-case hex.
type BlobRecord struct {
	SHA256 string   `json:"sha256"`
	Bytes  int64    `json:"bytes"`
	Blocks []string `json:"blocks"`
}
