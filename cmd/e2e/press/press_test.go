// Package press holds the test of the whole stick engine: the sample image is
// prepared and pressed onto sticks that are full of old bytes, and foreign
// tools say what they find on them.
package press

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/volume"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

const (
	mib = 1 << 20
	gib = 1 << 30
	// stickBytes is what is sold as 32 GB.
	stickBytes = 30_752_636_928
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// imagePath is the sample, made once for all tests.
var imagePath string

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stickpress-press-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	imagePath, err = sample.Make(context.Background(), dir, sample.Options{SmallFiles: 600, BigFiles: 2, BigBytes: 5 * mib})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

// silent is a Reporter for tests that look at the outcome.
type silent struct{ t *testing.T }

func (silent) StepBegun(protocol.Step)              {}
func (silent) StepDone(protocol.Step)               {}
func (silent) Checked(protocol.Check)               {}
func (silent) Touched() error                       { return nil }
func (silent) Progress(protocol.Step, int64, int64) {}
func (s silent) Log(l protocol.LogLine)             { s.t.Log(l) }

// noDiscard keeps old bytes where they are, as most sticks do.
type noDiscard struct{ *stick.File }

func (noDiscard) Discard(int64, int64) error { return errors.ErrUnsupported }

// pressed is a stick that was pressed, and what it was made from.
type pressed struct {
	path     string
	sector   int64
	master   *stick.Master
	personal stick.Personal
	answer   []byte
}

// press prepares a master and presses it onto n sticks full of 0xA5.
func press(t *testing.T, layout string, sector, n int) []pressed {
	t.Helper()
	dir := t.TempDir()
	m, err := stick.Prepare(t.Context(), filepath.Join(dir, "masters"), stick.Spec{
		ImagePath: imagePath, ImageSHA256: "sample", Edition: 1, Layout: layout, CapacityClass: 28 * gib, SectorSize: sector,
		BootSignature: protocol.BootSignature2011, PortableOperatingSystem: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	digHoles(t, filepath.Join(dir, "masters", m.Digest()))
	var sticks []pressed
	var targets []stick.Target
	for i := range n {
		answer := fmt.Appendf(nil, "<?xml version=\"1.0\"?>\n<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><!-- %d --></unattend>", i)
		personal, err := stick.NewPersonal(layout, rand.Reader, fmt.Sprint("stick_01jd6y9k3te0mv8b0g2z5q4w7", i), answer)
		if err != nil {
			t.Fatal(err)
		}
		personal.Tag = stick.Tag{
			Image: "win11-ent", ImageVersion: "1.2.3", Job: "job_1", Reference: fmt.Sprint("INC-", i, " <ü>"), Master: m.Digest(),
		}
		path := filepath.Join(dir, fmt.Sprint("stick", i, ".img"))
		fillOld(t, path, m.Chunks())
		d, err := stick.OpenFile(path, sector)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		targets = append(targets, stick.Target{Device: noDiscard{d}, Personal: personal, Context: t.Context(), Report: silent{t}})
		sticks = append(sticks, pressed{path, int64(sector), m, personal, answer})
	}
	for _, o := range stick.Press(t.Context(), m, targets) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	return sticks
}

// digHoles makes holes of all zeros in the master's files, allocated ones too:
// where a file has no data says nothing about what belongs onto a stick.
func digHoles(t *testing.T, master string) {
	t.Helper()
	for _, name := range []string{"system.img", "windows.img"} {
		path := filepath.Join(master, name)
		before := blocks(t, path)
		tool(t, "fallocate", "--dig-holes", path)
		if after := blocks(t, path); after >= before {
			t.Errorf("%s: no zeros were allocated, nothing is shown", name)
		}
	}
}

func blocks(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks
}

// fillOld makes a stick file that holds 0xA5 at both ends and wherever
// content will be, and 4 MiB around it: a byte that should have been written
// and was not shows.
func fillOld(t *testing.T, path string, used []volume.Extent) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(stickBytes); err != nil {
		t.Fatal(err)
	}
	around := append([]volume.Extent{{Offset: 0, Length: 2 * mib}, {Offset: stickBytes - 4*mib, Length: 4 * mib}}, used...)
	for i, e := range around {
		from, to := max(0, e.Offset-4*mib), min(stickBytes, e.End()+4*mib)
		around[i] = volume.Extent{Offset: from, Length: to - from}
	}
	old := bytes.Repeat([]byte{0xA5}, 4*mib)
	for _, e := range volume.Join(around, 0) {
		for at := e.Offset; at < e.End(); at += int64(len(old)) {
			if _, err := f.WriteAt(old[:min(int64(len(old)), e.End()-at)], at); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPress(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{protocol.LayoutMBRDual, protocol.LayoutGPTUEFI} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			sticks := press(t, layout, 512, 2)
			t.Run("differences", func(t *testing.T) { checkDifferences(t, layout, sticks[0], sticks[1]) })
			for i, s := range sticks {
				t.Run(fmt.Sprint("stick ", i), func(t *testing.T) {
					t.Parallel()
					ids := s.table(t, layout)
					system, windows := s.partition(t, stick.RoleSystem), s.partition(t, stick.RoleWindows)
					s.checkSystem(t, layout, system, ids)
					s.checkWindows(t, windows)
					s.checkBitmap(t, windows)
					if i == 0 { // the same bytes on both
						s.checkFiles(t, windows)
					}
				})
			}
		})
	}
}

// Sticks with 4096-byte sectors: all structures count in those.
func TestPress4Kn(t *testing.T) {
	t.Parallel()
	s := press(t, protocol.LayoutGPTUEFI, 4096, 1)[0]
	if out := tool(t, "fdisk", "-b", "4096", "-l", s.path); !strings.Contains(out, strings.ToUpper(s.personal.DiskGUID.String())) || !strings.Contains(out, "EFI System") {
		t.Errorf("fdisk:\n%s", out)
	}
	system, windows := s.partition(t, stick.RoleSystem), s.partition(t, stick.RoleWindows)
	tool(t, "fsck.fat", "-n", system)
	s.checkWindows(t, windows)
	s.checkBitmap(t, windows)
}
