package capture

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
)

var update = flag.Bool("update", false, "write the golden files")

// TestAttachWords: every command line and every script that the programs of
// Windows are given for a capture.
func TestAttachWords(t *testing.T) {
	t.Parallel()
	const dir = `C:\ProgramData\Stickpress Agent\cache\work\0198-1`
	a := &attachment{
		disk: dir + `\` + diskName, mount: dir + `\mount`, dir: dir, image: dir + `\image.wim`,
		join: func(parts ...string) string { return strings.Join(parts, `\`) },
	}
	check(t, a.check())
	globs, err := exclusion.Parse(exclusion.Default)
	check(t, err)
	w := Windows{ProductName: "Windows 11 Enterprise", Architecture: "AMD64"}
	var b strings.Builder
	say := func(c tool.Command, text string) {
		b.WriteString(c.Name)
		for _, arg := range c.Args {
			b.WriteString("\n    " + arg)
		}
		b.WriteString("\n")
		for line := range strings.Lines(text) {
			if !strings.HasSuffix(line, "\r\n") {
				t.Errorf("line %q ends like nothing on Windows", line)
			}
			b.WriteString("        " + strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	for _, name := range []string{attachScript, mountScript} {
		say(a.script(name), a.scripts()[name])
	}
	say(wim.DISM{Dir: dir}.CaptureCommand(a.mount, a.image, dir+`\`+wim.CaptureConfig, w.properties("of May\nwith drivers")),
		strings.ReplaceAll(exclusion.Config(globs), "\n", "\r\n"))
	say(a.script(detachScript), a.scripts()[detachScript])
	file, got := filepath.Join("testdata", "words.txt"), b.String()
	if *update {
		check(t, errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(got), 0o644)))
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s (go test -run Words -update): %v\n%s", file, err, got)
	}
	for _, path := range []string{`C:\Größe`, `C:\a"b`} {
		if err := (&attachment{disk: path + `\volume`, mount: path}).check(); err == nil {
			t.Errorf("%s: taken", path)
		}
	}
}

// standIn does on Linux what the programs of Windows would do: qemu-img reads
// the virtual disk, sfdisk its table, and wimlib makes an image of the volume
// that lies there.
type standIn struct {
	t    *testing.T
	said []string
	fail string // what fails, with status
	as   int
}

func (s *standIn) run(ctx context.Context, c tool.Command) error {
	t, dir := s.t, ""
	option := func(name string) string {
		for _, a := range c.Args {
			if v, ok := strings.CutPrefix(a, name); ok {
				return v
			}
		}
		return ""
	}
	word := "dism"
	if c.Name == diskpart.Name {
		dir, word = filepath.Dir(c.Args[1]), strings.TrimSuffix(filepath.Base(c.Args[1]), ".txt")
		script, err := os.ReadFile(c.Args[1])
		if err != nil || !strings.HasPrefix(string(script), `select vdisk file="`+filepath.Join(dir, diskName)+`"`) {
			t.Errorf("script %s: %v\n%s", c.Args[1], err, script)
		}
	}
	s.said = append(s.said, word)
	if word != "detach" && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if word == s.fail {
		return &tool.ExitError{Tool: c.Name, Status: s.as, Output: "it fails"}
	}
	switch word {
	case "mount":
		raw := filepath.Join(dir, "raw")
		run(t, "qemu-img", "check", "-f", "vhdx", filepath.Join(dir, diskName))
		run(t, "qemu-img", "convert", "-f", "vhdx", "-O", "raw", filepath.Join(dir, diskName), raw)
		if out := run(t, "sgdisk", "--verify", raw); !strings.Contains(out, "No problems found") {
			t.Errorf("sgdisk: %s", out)
		}
		var table struct {
			Table struct {
				Partitions []struct {
					Start, Size int64
					Type, Attrs string
				} `json:"partitions"`
			} `json:"partitiontable"`
		}
		check(t, json.Unmarshal([]byte(run(t, "sfdisk", "--json", raw)), &table))
		if len(table.Table.Partitions) != 1 || table.Table.Partitions[0].Type != "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" || table.Table.Partitions[0].Attrs != "GUID:60,63" {
			t.Fatalf("partitions: %+v", table)
		}
		p := table.Table.Partitions[0]
		run(t, "dd", "if="+raw, "of="+filepath.Join(dir, "ntfs"), "bs=512", "conv=sparse", "status=none",
			"skip="+itoa(p.Start), "count="+itoa(p.Size))
		check(t, os.Remove(raw))
	case "dism":
		folder := option("/CaptureDir:")
		volume := filepath.Join(filepath.Dir(strings.TrimSuffix(folder, `\`)), "ntfs")
		run(t, "wimlib-imagex", "capture", "--config="+option("/ConfigFile:"), volume, option("/ImageFile:"), option("/Name:"), option("/Description:"))
		_, err := io.WriteString(c.Stdout, "\r\nSaving image\r\n[==   5.0%                  ]\r\n[======100.0%======] \r\nThe operation completed successfully.\r\n")
		return err
	}
	return nil
}

// packed copies a volume into a virtual disk and packs it by stand-ins.
func (s *standIn) pack(ctx context.Context, v *Volume, dir string, progress func(done, total int64)) error {
	disk, image := filepath.Join(dir, diskName), filepath.Join(dir, "out.wim")
	f, err := newDiskCopy(disk, v.size, v.sector)
	check(s.t, err)
	check(s.t, v.copyTo(s.t.Context(), f, func(int64, int64) {}))
	return v.packAttached(ctx, newAttachment(disk, image), "a\ntest", s.run, progress)
}

// What Windows would make an image of is the volume that was looked at.
func TestAttached(t *testing.T) {
	t.Parallel()
	volume, dir := newVolume(t, stateGeneralized, 2048), t.TempDir()
	v, err := Look(source(t, volume), options(t))
	check(t, err)
	s := &standIn{t: t}
	var told [][2]int64
	check(t, s.pack(t.Context(), v, dir, func(done, total int64) { told = append(told, [2]int64{done, total}) }))
	if want := []string{"attach", "mount", "dism", "detach"}; !slices.Equal(s.said, want) {
		t.Errorf("said %q, want %q", s.said, want)
	}
	if last := told[len(told)-1]; len(told) != 3 || last != [2]int64{v.Bytes(), v.Bytes()} {
		t.Errorf("progress %v of %d", told, v.Bytes())
	}
	out := filepath.Join(dir, "out.wim")
	wantSameTree(t, volume, out)
	if info := run(t, "wimlib-imagex", "info", out, "1"); !strings.Contains(info, "Description:            a test\n") || !strings.Contains(info, "Name:                   Windows 11 Enterprise\n") {
		t.Error(info)
	}
	if _, err := os.Stat(filepath.Join(dir, detachScript)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the disk counts as attached: %v", err)
	}
}

// A program that fails ends the capture as a fault, and the disk is detached.
func TestAttachedFails(t *testing.T) {
	t.Parallel()
	v, err := Look(source(t, newVolume(t, stateGeneralized, 2048)), options(t))
	check(t, err)
	for _, c := range []struct {
		fail   string
		status int
		full   bool
	}{{"attach", 5, false}, {"mount", 1, false}, {"dism", 87, false}, {"dism", 112, true}} {
		s := &standIn{t: t, fail: c.fail, as: c.status}
		err := s.pack(t.Context(), v, t.TempDir(), func(int64, int64) {})
		if params := wantFault(t, err, protocol.FaultTool); params["status"] != itoa(int64(c.status)) || errors.Is(err, syscall.ENOSPC) != c.full {
			t.Errorf("%s: %v", c.fail, err)
		}
		if last := s.said[len(s.said)-1]; last != "detach" {
			t.Errorf("%s: last was %s", c.fail, last)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := protocol.NewFault(protocol.FaultCancelled)
	cancel(cause)
	s := &standIn{t: t}
	if err := s.pack(ctx, v, t.TempDir(), func(int64, int64) {}); !errors.Is(err, cause) || !slices.Equal(s.said, []string{"attach", "detach"}) {
		t.Errorf("cancelled: %v, said %q", err, s.said)
	}

	// One that stays attached is detached before its folder is removed.
	dir := t.TempDir()
	s = &standIn{t: t, fail: "detach", as: 1}
	check(t, s.pack(t.Context(), v, dir, func(int64, int64) {}))
	s.fail, s.said = "", nil
	check(t, detachLeft(t.Context(), dir, s.run))
	check(t, detachLeft(t.Context(), t.TempDir(), s.run))
	if !slices.Equal(s.said, []string{"detach"}) {
		t.Errorf("afterwards said %q", s.said)
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
