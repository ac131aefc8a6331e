package protocol

import (
	"cmp"
	"slices"
)

// JobKind says what a job does with its sticks.
type JobKind string

// The kinds of jobs.
const (
	JobPress   JobKind = "press"   // builds sticks from an edition of an image
	JobRaw     JobKind = "raw"     // writes a disk image as it is
	JobVerify  JobKind = "verify"  // compares sticks with what was recorded when they were written
	JobWipe    JobKind = "wipe"    // erases sticks and reads them back
	JobCapture JobKind = "capture" // makes an image version of what a disk holds
)

// JobKinds lists the kinds in their order.
var JobKinds = []JobKind{JobPress, JobRaw, JobVerify, JobWipe, JobCapture}

// kinds is what each kind needs of an agent, and what it does.
var kinds = map[JobKind]struct {
	capability string
	writes     bool
	steps      []Step
}{
	JobPress:   {CapPress, true, []Step{StepPreflight, StepFetch, StepMaster, StepWrite, StepVerify, StepTable, StepEject}},
	JobRaw:     {CapRaw, true, []Step{StepPreflight, StepFetch, StepWrite, StepVerify, StepTable, StepEject}},
	JobVerify:  {CapVerify, false, []Step{StepPreflight, StepVerify}},
	JobWipe:    {CapWipe, true, []Step{StepPreflight, StepErase, StepVerify, StepEject}},
	JobCapture: {CapCapture, false, []Step{StepPreflight, StepCapture, StepUpload, StepPublish}},
}

// Known reports whether this version knows the kind.
func (k JobKind) Known() bool { return slices.Contains(JobKinds, k) }

// OrPress is the kind itself, or JobPress where a server before kinds left it
// empty.
func (k JobKind) OrPress() JobKind { return cmp.Or(k, JobPress) }

// Capability is what an agent says in Hello when it can do such jobs; empty
// for a kind that is not known.
func (k JobKind) Capability() string { return kinds[k].capability }

// Writes reports whether such a job changes the sticks that it is given.
func (k JobKind) Writes() bool { return kinds[k].writes }

// Steps lists the steps of such a job in their order.
func (k JobKind) Steps() []Step { return kinds[k].steps }

// JobOptions is what a job asks for beyond its image and its sticks; a kind
// reads what is its own.
type JobOptions struct {
	// EraseFirst leaves nothing of what a stick held, also where no content
	// goes; of the kinds that write an image.
	EraseFirst bool `json:"erase_first,omitempty"`

	Wipe    *WipeOptions    `json:"wipe,omitempty"`    // of JobWipe
	Capture *CaptureOptions `json:"capture,omitempty"` // of JobCapture
}
