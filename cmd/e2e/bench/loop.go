package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/stick"
)

// loops are sticks: loop devices over files in memory. Who writes to one pays
// for what he does, and the loop device's own thread for the copy into memory,
// as a stick's chip would; its processor time is nobody's. Needs root.
type loops []loop

type loop struct {
	node string // /dev/loopN
	dev  string // its numbers, as the kernel's throttle wants them
}

// attach makes n empty sticks of size bytes in dir.
func attach(ctx context.Context, dir string, n int, size int64) (all loops, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, all.detach())
		}
	}()
	for i := range n {
		file := filepath.Join(dir, fmt.Sprint("loop", i, ".img"))
		if err := sparse(file, size); err != nil {
			return all, err
		}
		out, err := exec.CommandContext(ctx, "losetup", "--find", "--show", file).Output()
		if err != nil {
			return all, fmt.Errorf("losetup: %w", err)
		}
		l := loop{node: strings.TrimSpace(string(out))}
		var st unix.Stat_t
		if err := unix.Stat(l.node, &st); err != nil {
			return all, err
		}
		l.dev = fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		all = append(all, l)
	}
	return all, nil
}

func (all loops) detach() error {
	var errs []error
	for _, l := range all {
		errs = append(errs, l.limit(0), exec.CommandContext(context.Background(), "losetup", "--detach", l.node).Run())
	}
	return errors.Join(errs...)
}

func (all loops) nodes() []string {
	var nodes []string
	for _, l := range all {
		nodes = append(nodes, l.node)
	}
	return nodes
}

// flush is the sync of one who wrote through the cache, of these devices alone:
// on a machine that does other work the rest is not theirs.
func (all loops) flush() error {
	var errs []error
	for _, l := range all {
		f, err := os.OpenFile(l.node, os.O_RDWR, 0)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// throttle is where cgroup v1 limits what all programs together write to a
// device and read from it, through the cache or past it.
const throttle = "/sys/fs/cgroup/blkio/blkio.throttle."

// canLimit says why sticks cannot be held to a rate here, "" if they can.
func canLimit() string {
	if os.Geteuid() != 0 {
		return "needs root"
	}
	if _, err := os.Stat(throttle + "write_bps_device"); err != nil {
		return "needs the blkio controller of cgroup v1"
	}
	return ""
}

// limit holds a device to rate bytes per second, written and read each; 0 lets
// it go.
func (l loop) limit(rate int64) error {
	if rate == 0 && canLimit() != "" {
		return nil
	}
	var errs []error
	for _, way := range []string{"write_bps_device", "read_bps_device"} {
		errs = append(errs, os.WriteFile(throttle+way, fmt.Appendf(nil, "%s %d", l.dev, rate), 0))
	}
	return errors.Join(errs...)
}

// openLoops opens them as the agent does, guards and all.
func openLoops(ctx context.Context, all loops) (devices []stick.Device, err error) {
	defer func() {
		if err != nil {
			closeAll(devices)
		}
	}()
	lister := &disk.Lister{AllowLoop: true}
	listed, err := lister.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		for _, d := range listed {
			if d.Path != l.node {
				continue
			}
			h, err := lister.Open(ctx, d.Identity)
			if err != nil {
				return devices, err
			}
			devices = append(devices, noDiscard{h})
		}
	}
	if len(devices) != len(all) {
		return devices, fmt.Errorf("%d of the sticks %q are offered", len(devices), all.nodes())
	}
	return devices, nil
}

func closeAll(devices []stick.Device) {
	for _, d := range slices.Backward(devices) {
		_ = d.Close() // nothing was written that matters
	}
}

// noDiscard is a stick without discard, as most are. A loop device would give
// its memory back and pay for it again.
type noDiscard struct{ stick.Device }

func (noDiscard) Discard(int64, int64) error { return errors.ErrUnsupported }
