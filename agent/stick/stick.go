// Package stick turns an image into bootable Windows sticks.
//
// It works in two halves. Prepare makes a master: the content that all sticks
// of one recipe share, as sparse files on the host, built without mounting
// anything and without root. Press then reads the master's used blocks (or any
// other Content) once and writes them to any number of devices at the same
// time, laying each stick's own bytes (its personalisation) over the stream as
// it passes, reads every written byte back, and writes the partition table
// last, so that a stick that is not finished does not start.
//
// The package knows nothing of servers, jobs or USB: a device is a Device, a
// place to keep masters is a directory, and what happens is told to a
// Reporter.
package stick

import (
	"context"
	"io"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Spec is everything that the content of a master depends on, and nothing
// else: two equal Specs give one master.
type Spec struct {
	ImagePath     string // WIM or ESD on this host; not part of the digest
	ImageSHA256   string // lower-case hex, stands for the image's content
	Edition       int    // index inside the image, from 1
	Layout        string // protocol.LayoutMBRDual or protocol.LayoutGPTUEFI
	CapacityClass int64  // bytes, one of Classes
	SectorSize    int    // logical sector size of the devices, 512 or 4096
	BootSignature string // protocol.BootSignature2011 or protocol.BootSignature2023
	// PortableOperatingSystem presets Control\PortableOperatingSystem.
	PortableOperatingSystem bool
}

// Device is a block device, or a file that stands for one, opened for
// exclusive use. Offsets and lengths given to it are multiples of the sector
// size and buffers are aligned for direct I/O.
type Device interface {
	io.ReaderAt
	io.WriterAt
	// Sync returns when everything written has left every cache that the
	// host knows of.
	Sync() error
	// DropCaches is Sync, and makes what is read next come from as deep as
	// the host can reach.
	DropCaches() error
	// Discard tells the device that a range holds nothing. It returns
	// errors.ErrUnsupported where the device cannot.
	Discard(offset, length int64) error
	Size() int64     // bytes
	SectorSize() int // logical, bytes
	Close() error
}

// Target is one stick of a Press.
type Target struct {
	Device   Device
	Personal Personal // for a Master
	// EraseFirst leaves nothing of what the device held before: it is
	// discarded, or zeroed where it cannot be. What is zeroed is not read
	// back; a wipe is a job of its own.
	EraseFirst bool
	// Context ends this stick alone: it is left incomplete while the others
	// go on. context.Cause(Context), where it is a *protocol.Fault, is the
	// fault that is reported.
	Context context.Context
	Report  Reporter
	Demands Demands
	// Now is the clock that the stick's speed is measured by; nil is time.Now.
	Now func() time.Time
	// Ended, if not nil, is told the outcome as soon as this stick is done
	// with, while others may go on, and hang. It returns quickly.
	Ended func(Outcome)
}

// Reporter is told what happens to one stick. Its methods return quickly and
// may be called from different goroutines, never two at once for one stick.
type Reporter interface {
	StepBegun(protocol.Step)
	StepDone(protocol.Step)
	// Touched is called once, right before the first byte is written. The
	// byte is written only if it returns nil: this is where the caller makes
	// the fact durable.
	Touched() error
	// Progress counts bytes of the current step that the device has
	// acknowledged.
	Progress(step protocol.Step, done, total int64)
	Log(protocol.LogLine)
	// Checked is what a look at the stick itself came to.
	Checked(protocol.Check)
}
