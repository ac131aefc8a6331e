package agent

import (
	"context"
	"io"
	"time"

	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

// Devices is what the agent needs of package disk.
type Devices interface {
	List(context.Context) ([]protocol.Device, error)
	// Watch signals when List may have changed; closed with its context.
	Watch(context.Context) <-chan struct{}
	// Open claims a device and checks everything without changing a byte.
	Open(context.Context, protocol.Identity) (Device, error)
	// Blink lets a device's light flash until ctx ends, without changing it.
	Blink(ctx context.Context, id protocol.Identity, now func() time.Time, pause func(context.Context, time.Duration) error) error
	// OpenToRead is Open for reading alone: writes through it fail.
	OpenToRead(context.Context, protocol.Identity) (Device, error)
}

// Device is an open device that may be written.
type Device interface {
	stick.Device
	// Device is what it was when it was opened.
	Device() protocol.Device
	// Check repeats what Open checked.
	Check() error
	// Unmounted lists where Open found it mounted by an automounter.
	Unmounted() []string
	// Eject makes the device safe to pull out, and closes it.
	Eject() error
}

// Engine is what the agent needs of package stick.
type Engine interface {
	// Class returns the capacity class of a device, or device_too_small.
	Class(bytes int64) (int64, error)
	// Found returns the ID of the stick whose manifest lies on a device, or "".
	Found(stick.Source) (string, error)
	// Prepare makes the master of spec in dir, or finds it there.
	Prepare(ctx context.Context, dir string, spec stick.Spec, report func(done, total int64)) (*stick.Master, error)
	// Personal makes what differs on this stick.
	Personal(protocol.Recipe, *protocol.Build) (stick.Personal, error)
	// Press writes content to all targets and tells each one's outcome to its
	// Ended; it also returns them, in the targets' order. An error that wraps
	// stick.ErrMasterDamaged means that the master was removed and may be made
	// again.
	Press(ctx context.Context, content stick.Content, targets []stick.Target) []stick.Outcome
}

// Sticks is the Engine of a real agent: package stick.
type Sticks struct {
	Rand io.Reader // for serial numbers and GUIDs: crypto/rand.Reader
}

// Class is stick.ClassFor.
func (Sticks) Class(bytes int64) (int64, error) { return stick.ClassFor(bytes) }

// Found is stick.FoundID.
func (Sticks) Found(d stick.Source) (string, error) { return stick.FoundID(d) }

// Prepare is stick.Prepare.
func (Sticks) Prepare(ctx context.Context, dir string, spec stick.Spec, report func(done, total int64)) (*stick.Master, error) {
	return stick.Prepare(ctx, dir, spec, report)
}

// Personal is stick.NewPersonal.
func (s Sticks) Personal(r protocol.Recipe, b *protocol.Build) (stick.Personal, error) {
	return stick.NewPersonal(r.Layout, s.Rand, b.StickID, []byte(b.AnswerFile))
}

// Press is stick.Press.
func (Sticks) Press(ctx context.Context, content stick.Content, targets []stick.Target) []stick.Outcome {
	return stick.Press(ctx, content, targets)
}

// Disks is the Devices of a real agent: package disk.
type Disks struct{ *disk.Lister }

// Open is disk.Lister.Open.
func (d Disks) Open(ctx context.Context, id protocol.Identity) (Device, error) {
	return opened(d.Lister.Open(ctx, id))
}

// OpenToRead is disk.Lister.OpenToRead.
func (d Disks) OpenToRead(ctx context.Context, id protocol.Identity) (Device, error) {
	return opened(d.Lister.OpenToRead(ctx, id))
}

// opened keeps a nil handle from becoming a Device that is not nil.
func opened(h *disk.Handle, err error) (Device, error) {
	if err != nil {
		return nil, err
	}
	return h, nil
}
