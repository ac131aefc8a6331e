package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

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
	targets string
	image   string
	small   string
}

// round is one measurement of each contender.
type round struct {
	apply   cost // one bare volume
	prepare cost // a master
	applies cost // a bare volume per stick
	press   cost // all sticks from the master
}

func (b *bench) makeImages(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "making images")
	var err error
	if b.image, err = sample.Make(ctx, b.dir, large); err != nil {
		return err
	}
	b.small, err = sample.Make(ctx, b.dir, small)
	return err
}

func (b *bench) round(ctx context.Context, dir string) (r round, err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return r, err
	}
	bare := filepath.Join(dir, "bare.img")
	if r.apply, err = measure(func() error { return apply(ctx, b.image, bare) }); err != nil {
		return r, err
	}
	if err := os.Remove(bare); err != nil {
		return r, err
	}
	var m *stick.Master
	r.prepare, err = measure(func() error {
		m, err = stick.Prepare(ctx, filepath.Join(dir, "masters"), spec(b.image), nil)
		return err
	})
	if err != nil {
		return r, err
	}
	defer m.Close()
	if r.press, err = measure(func() error { return press(ctx, m, b.targets, b.sticks) }); err != nil {
		return r, err
	}
	if err := empty(b.targets); err != nil {
		return r, err
	}
	if r.applies, err = measure(func() error { return b.applyAll(ctx) }); err != nil {
		return r, err
	}
	return r, empty(b.targets)
}

func spec(image string) stick.Spec {
	return stick.Spec{
		ImagePath: image, ImageSHA256: filepath.Base(image), Edition: 1, Layout: protocol.LayoutMBRDual, CapacityClass: 28 * gib, SectorSize: 512,
		BootSignature: protocol.BootSignature2011, PortableOperatingSystem: true,
	}
}

// apply is what a person would do: a volume as large as the stick's, and the
// image onto it.
func apply(ctx context.Context, image, path string) error {
	plan, err := stick.NewPlan(protocol.LayoutMBRDual, 28*gib, 512)
	if err != nil {
		return err
	}
	if err := sparse(path, plan.Partition(stick.RoleWindows).Length); err != nil {
		return err
	}
	format := tool.Command{Name: "mkntfs", Package: "ntfs-3g", Args: []string{"-Q", "-F", "-q", path}}
	if err := format.Run(ctx); err != nil {
		return err
	}
	return tool.Command{Name: "wimlib-imagex", Package: "wimtools", Args: []string{"apply", image, "1", path}}.Run(ctx)
}

func (b *bench) applyAll(ctx context.Context) error {
	errs := make([]error, b.sticks)
	var wait sync.WaitGroup
	for i := range b.sticks {
		wait.Go(func() { errs[i] = apply(ctx, b.image, filepath.Join(b.targets, fmt.Sprint("bare", i, ".img"))) })
	}
	wait.Wait()
	unix.Sync()
	return errors.Join(errs...)
}

// press presses sticks in files, each with serials and an answer file of its
// own.
func press(ctx context.Context, m *stick.Master, dir string, n int) error {
	var targets []stick.Target
	for i := range n {
		path := filepath.Join(dir, fmt.Sprint("stick", i, ".img"))
		if err := sparse(path, stickBytes); err != nil {
			return err
		}
		d, err := stick.OpenFile(path, 512)
		if err != nil {
			return err
		}
		defer d.Close()
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

// peakMemory presses 16 sticks in a process of its own.
func (b *bench) peakMemory(ctx context.Context) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "-memory", b.small, "-targets", b.targets)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("press %d sticks: %w", memorySticks, err)
	}
	return strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
}

// pressInMemory is that process: preparation included.
func pressInMemory(ctx context.Context, image, targets string) error {
	m, err := stick.Prepare(ctx, filepath.Join(targets, "masters"), spec(image), nil)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := press(ctx, m, targets, memorySticks); err != nil {
		return err
	}
	peak, err := peakResident()
	fmt.Println(peak)
	return err
}

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
