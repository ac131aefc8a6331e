package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

// DryRun is an Engine that goes as far as another one without writing a stick:
// every attempt ends with the fault dry_run, untouched.
//
// On Linux a master is made, and nothing is written from it. On Windows, where
// that takes the rights of an administrator and a virtual disk, what diskpart,
// DISM and bcdboot would be told is written to a file instead.
type DryRun struct {
	Engine
	Dir string // for those files, each named by its master
}

// Prepare implements Engine.
func (d DryRun) Prepare(ctx context.Context, dir string, spec stick.Spec, report func(done, total int64)) (*stick.Master, error) {
	if runtime.GOOS != "windows" {
		return d.Engine.Prepare(ctx, dir, spec, report)
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	f, err := os.Create(filepath.Join(d.Dir, spec.Digest()+".txt"))
	if err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	if err := errors.Join(stick.Rehearse(ctx, dir, spec, f), f.Close()); err != nil {
		return nil, err
	}
	return nil, protocol.NewFault(protocol.FaultDryRun)
}

// Press implements Engine: it ends every target before its first byte.
func (d DryRun) Press(_ context.Context, _ stick.Content, targets []stick.Target) []stick.Outcome {
	outcomes := make([]stick.Outcome, len(targets))
	for i, t := range targets {
		outcomes[i].Err = protocol.NewFault(protocol.FaultDryRun)
		if t.Ended != nil {
			t.Ended(outcomes[i])
		}
	}
	return outcomes
}

// DryDevices are Devices that cannot be written, whoever tries: what a DryRun
// promises does not hang on its callers.
type DryDevices struct{ Devices }

// Open implements Devices.
func (d DryDevices) Open(ctx context.Context, id protocol.Identity) (Device, error) {
	opened, err := d.Devices.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return dryDevice{opened}, nil
}

// writable is a Device under another name: one that is embedded as Device
// would hide its own method of that name.
type writable = Device

// dryDevice is a Device that refuses to change.
type dryDevice struct{ writable }

// WriteAt returns the fault dry_run.
func (dryDevice) WriteAt([]byte, int64) (int, error) {
	return 0, protocol.NewFault(protocol.FaultDryRun)
}

// Discard returns the fault dry_run.
func (dryDevice) Discard(int64, int64) error { return protocol.NewFault(protocol.FaultDryRun) }
