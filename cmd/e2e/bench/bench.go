package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

const (
	mib = 1 << 20
	gib = 1 << 30
	// stickBytes is what is sold as 32 GB.
	stickBytes   = 30_752_636_928
	memorySticks = 16
)

var (
	// 19,900 files of up to 16 KiB, 27 of 32 MiB, and what every sample has.
	large = sample.Options{SmallFiles: 19_900, BigFiles: 27, BigBytes: 32 * mib}
	// Memory is bounded by what is in flight: content of a few times as much
	// shows the peak, and 16 sticks of it fit into memory.
	small = sample.Options{SmallFiles: 500, BigFiles: 9, BigBytes: 32 * mib}
)

type bench struct {
	config
	targets string // folder of the sticks
	image   string
	small   string
	raw     string
	etcher  *etcher // nil when it was not asked for
	table   table
}

func (b *bench) makeImages(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "making images")
	var err error
	if b.image, err = sample.Make(ctx, b.dir, large); err != nil {
		return err
	}
	if b.small, err = sample.Make(ctx, b.dir, small); err != nil {
		return err
	}
	b.raw = filepath.Join(b.dir, "raw.img")
	return makeRaw(b.raw)
}

// preparing is the row about making a master, beside a bare apply.
func (b *bench) preparing(ctx context.Context) (err error) {
	dir := filepath.Join(b.dir, "preparing")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	bare := filepath.Join(dir, "bare.img")
	one, err := measure(func() error {
		if err := sparse(bare, windowsBytes()); err != nil {
			return err
		}
		return apply(ctx, b.image, bare)
	})
	if err != nil {
		return err
	}
	if err := os.Remove(bare); err != nil {
		return err
	}
	m, prepare, err := b.prepare(ctx, dir)
	if err != nil {
		return err
	}
	b.table.costs("prepare a master", "mkntfs + wimlib-imagex apply", "≤ 1.15", prepare, one, false)
	return m.Close()
}

// prepare makes a master, which its caller closes, and measures it.
func (b *bench) prepare(ctx context.Context, dir string) (m *stick.Master, c cost, err error) {
	c, err = measure(func() error {
		m, err = stick.Prepare(ctx, filepath.Join(dir, "masters"), spec(b.image), nil)
		return err
	})
	return m, c, err
}

// prepared are the rows about pressing one image, as fast as sticks take it
// and held to a rate.
func (b *bench) prepared(ctx context.Context) (err error) {
	dir := filepath.Join(b.dir, "round")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	m, prepare, err := b.prepare(ctx, dir)
	if err != nil {
		return err
	}
	defer m.Close()
	if why := canLimit(); why != "" {
		b.table.missing(fmt.Sprintf("%d sticks", b.sticks), why)
		return nil
	}
	warm, err := b.onSticks(ctx, 0, func(all loops) error { return press(ctx, m, all) })
	if err != nil {
		return err
	}
	hand, err := b.onSticks(ctx, 0, func(all loops) error { return b.applyAll(ctx, all) })
	if err != nil {
		return err
	}
	floor, err := b.onSticks(ctx, 0, func(all loops) error { return copyMaster(ctx, m, filepath.Join(dir, "flat"), all) })
	if err != nil {
		return err
	}
	parallel := fmt.Sprintf("%d × the same in parallel, sync", b.sticks)
	b.table.costs(fmt.Sprintf("%d sticks, master ready", b.sticks), parallel, "≥ 15", warm, hand, true)
	b.table.costs("the same, cold", parallel, "≥ 4", prepare.plus(warm), hand, true)
	b.table.costs("the same bytes by dd, there and back", parallel, "", floor, hand, true)
	rate := b.rate * mib
	slow, err := b.onSticks(ctx, rate, func(all loops) error { return press(ctx, m, all) })
	if err != nil {
		return err
	}
	slowHand, err := b.onSticks(ctx, rate, func(all loops) error { return b.applyAll(ctx, all) })
	if err != nil {
		return err
	}
	work := fmt.Sprintf("%d sticks, master ready, %d MiB/s each", b.sticks, b.rate)
	b.table.add(work, parallel, "wall", "≥ 2", slow.wall.Seconds(), slowHand.wall.Seconds(), "s", true)
	b.table.add(work, "the same bytes ÷ the rate", "wall", "≤ 1.05", slow.wall.Seconds(), float64(m.Bytes())/float64(rate), "s", false)
	return nil
}

// onSticks measures work on sticks, each held to rate bytes per second if that
// is not 0. Those that are not held to one are as fast as memory, and have been
// written before by the same work: what it costs the machine to find memory for
// them is no contender's, and differs from one moment to the next.
func (b *bench) onSticks(ctx context.Context, rate int64, work func(loops) error) (cost, error) {
	all, err := attach(ctx, b.targets, b.sticks, stickBytes)
	if err != nil {
		return cost{}, err
	}
	for _, l := range all {
		if rate > 0 {
			err = errors.Join(err, l.limit(rate))
		}
	}
	if err == nil && rate == 0 {
		err = work(all)
	}
	var c cost
	if err == nil {
		c, err = measure(func() error { return work(all) })
	}
	return c, errors.Join(err, all.detach(), empty(b.targets))
}

func spec(image string) stick.Spec {
	return stick.Spec{
		ImagePath: image, ImageSHA256: filepath.Base(image), Edition: 1, Layout: protocol.LayoutMBRDual, CapacityClass: 28 * gib, SectorSize: 512,
		BootSignature: protocol.BootSignature2011, PortableOperatingSystem: true,
	}
}

// windowsBytes is how large the volume by hand is: as the stick's.
func windowsBytes() int64 {
	plan, err := stick.NewPlan(protocol.LayoutMBRDual, 28*gib, 512)
	if err != nil {
		panic(err) // the arguments are constants
	}
	return plan.Partition(stick.RoleWindows).Length
}

// apply is what a person would do: a volume, and the image onto it.
func apply(ctx context.Context, image, path string) error {
	format := tool.Command{Name: "mkntfs", Package: "ntfs-3g", Args: []string{"-Q", "-F", "-q", path}}
	if err := format.Run(ctx); err != nil {
		return err
	}
	return tool.Command{Name: "wimlib-imagex", Package: "wimtools", Args: []string{"apply", image, "1", path}}.Run(ctx)
}

func (b *bench) applyAll(ctx context.Context, all loops) error {
	err := each(all, func(l loop) error { return apply(ctx, b.image, l.node) })
	return errors.Join(err, all.flush())
}

// each works on all sticks at the same time.
func each(all loops, work func(loop) error) error {
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, l := range all {
		wait.Go(func() { errs[i] = work(l) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// copyMaster is the least that can be done with the same bytes: written once
// past the cache, read once, not looked at.
func copyMaster(ctx context.Context, m *stick.Master, flat string, all loops) error {
	if _, err := os.Stat(flat); err != nil {
		f, err := os.Create(flat)
		if err != nil {
			return err
		}
		buf := make([]byte, stick.ChunkBytes)
		for i, c := range m.Chunks() {
			if _, err := m.Read(i, buf[:c.Length]); err != nil {
				return err
			}
			if _, err := f.Write(buf[:c.Length]); err != nil {
				return err
			}
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return each(all, func(l loop) error {
		if err := dd(ctx, "if="+flat, "of="+l.node, "bs=4M", "oflag=direct", "conv=fsync"); err != nil {
			return err
		}
		return dd(ctx, "if="+l.node, "of=/dev/null", "bs=4M", "iflag=direct", fmt.Sprint("count=", m.Bytes()/(4*mib)))
	})
}

func dd(ctx context.Context, args ...string) error {
	return tool.Command{Name: "dd", Package: "coreutils", Args: append(args, "status=none")}.Run(ctx)
}

// press presses all sticks, each with serials and an answer file of its own.
func press(ctx context.Context, m *stick.Master, all loops) error {
	devices, err := openLoops(ctx, all)
	if err != nil {
		return err
	}
	defer closeAll(devices)
	return pressDevices(ctx, m, devices)
}

func pressDevices(ctx context.Context, m *stick.Master, devices []stick.Device) error {
	var targets []stick.Target
	for i, d := range devices {
		answer := fmt.Appendf(nil, `<unattend xmlns="urn:schemas-microsoft-com:unattend"><!-- %d --></unattend>`, i)
		personal, err := stick.NewPersonal(protocol.LayoutMBRDual, rand.Reader, fmt.Sprint("stick_", i), answer)
		if err != nil {
			return err
		}
		targets = append(targets, stick.Target{Device: d, Personal: personal, Context: ctx, Report: silent{}})
	}
	var errs []error
	for _, o := range stick.Press(ctx, m, targets) {
		errs = append(errs, o.Err)
	}
	return errors.Join(errs...)
}

// silent is a Reporter that keeps nothing.
type silent struct{}

func (silent) StepBegun(protocol.Step)              {}
func (silent) StepDone(protocol.Step)               {}
func (silent) Checked(protocol.Check)               {}
func (silent) Touched() error                       { return nil }
func (silent) Progress(protocol.Step, int64, int64) {}
func (silent) Log(protocol.LogLine)                 {}

func sparse(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// empty removes what lies in a folder.
func empty(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}
