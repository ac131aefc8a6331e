package wim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

func runTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

// newTree makes a small Windows with answer files that must go.
func newTree(t *testing.T) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "tree")
	big := make([]byte, 300_000)
	noise := rand.NewChaCha8([32]byte{1})
	if _, err := noise.Read(big); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{
		"Windows/Panther/Unattend.xml":          []byte("old"),
		"Windows/Panther/unattend.XML":          []byte("old, too"),
		"Windows/Panther/keep.log":              []byte("log"),
		"Windows/Panther/Unattend/unattend.xml": []byte("older"),
		"Windows/System32/config/SYSTEM":        big,
		"Windows/System32/winload.efi":          []byte("loader"),
	} {
		path = filepath.Join(tree, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func newVolume(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "volume.img")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	runTool(t, "mkntfs", "-F", "-Q", "-q", path)
	return path
}

// Every form of file goes through all of the Tool's calls.
func TestWimlib(t *testing.T) {
	t.Parallel()
	tree, empty := newTree(t), t.TempDir()
	for name, args := range map[string][]string{
		"lzx": {"--compress=LZX"}, "xpress": {"--compress=XPRESS"}, "plain": {"--compress=none"},
		"solid esd": {"--solid"}, "pipable": {"--pipable"}, "glob [1]*": {"--compress=LZX"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, name+".wim")
			runTool(t, "wimlib-imagex", append([]string{"capture", empty, path, "empty"}, args...)...)
			runTool(t, "wimlib-imagex", append([]string{"append", tree, path, "Windows"}, slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a != "--pipable" && a != "--solid" })...)...)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			checkSource(t, Source{Path: path, Edition: 2}, dir)
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the image file was changed: %v", err)
			}
		})
	}
}

func checkSource(t *testing.T, src Source, dir string) {
	paths, err := Wimlib{}.List(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	found := NewTree(paths)
	old := found.Variants("windows/panther/UNATTEND.xml")
	if stored, ok := found.Stored(`/WINDOWS/system32/WINLOAD.efi`); !ok || stored != "/Windows/System32/winload.efi" || len(old) != 2 {
		t.Fatalf("stored %q, variants %q", stored, old)
	}
	if n, err := (Wimlib{}).Bytes(t.Context(), src); err != nil || n < 300_000 || n > 301_000 {
		t.Errorf("%d bytes, %v", n, err)
	}
	// What DISM's side reads from the XML is what wimlib says.
	own, err := DISM{}.Bytes(t.Context(), src)
	if n, wimlib := (Wimlib{}).Bytes(t.Context(), src); err != nil || wimlib != nil || own != n {
		t.Errorf("%d bytes by the XML, %d by wimlib: %v", own, n, errors.Join(err, wimlib))
	}
	if _, err := (DISM{}).Bytes(t.Context(), Source{Path: src.Path, Edition: 9}); protocol.AsFault(err).Code != protocol.FaultEdition {
		t.Errorf("no such edition: %v", err)
	}
	out := t.TempDir()
	if err := (Wimlib{}).Extract(t.Context(), src, out, []string{"/Windows/System32/winload.efi"}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(out, "Windows/System32/winload.efi")); err != nil || string(data) != "loader" {
		t.Errorf("extracted %q, %v", data, err)
	}

	answer := filepath.Join(dir, "answer file.xml")
	if err := os.WriteFile(answer, bytes.Repeat([]byte("answer  "), 8192), 0o644); err != nil {
		t.Fatal(err)
	}
	changes := []Change{{Delete: "/Windows/Panther/Unattend"}}
	for _, p := range old {
		changes = append(changes, Change{Delete: p})
	}
	changes = append(changes, Change{Add: "/Windows/Panther/unattend.xml", From: answer}, Change{Add: "/Windows/New", From: t.TempDir()})
	staged, err := Wimlib{}.Stage(t.Context(), src, dir, changes)
	if err != nil {
		t.Fatal(err)
	}
	volume := newVolume(t, 64<<20)
	var done, total int64
	if err := (Wimlib{}).Apply(t.Context(), staged, volume, func(d, n int64) {
		if d < done {
			t.Errorf("progress goes back from %d to %d", done, d)
		}
		done, total = d, n
	}); err != nil {
		t.Fatal(err)
	}
	if done != total || total < 300<<10 {
		t.Errorf("progress ends at %d of %d", done, total)
	}
	list := runTool(t, "ntfsls", "-f", "-p", "Windows/Panther", volume)
	if strings.Join(strings.Fields(list), " ") != ". .. keep.log unattend.xml" {
		t.Errorf("Panther holds %q", list)
	}
	if got := runTool(t, "ntfscat", volume, "Windows/Panther/unattend.xml"); len(got) != 64<<10 || got[:6] != "answer" {
		t.Errorf("answer file of %d bytes", len(got))
	}
	if got := runTool(t, "ntfscat", volume, "Windows/System32/config/SYSTEM"); len(got) != 300_000 {
		t.Errorf("SYSTEM of %d bytes", len(got))
	}
	runTool(t, "ntfsfix", "-n", volume)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tree, dir := newTree(t), t.TempDir()
	good := filepath.Join(dir, "good.wim")
	runTool(t, "wimlib-imagex", "capture", tree, good, "Windows", "--compress=none")
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 1
	volume := newVolume(t, 64<<20)
	stageAndApply := func(src Source, volume string) error {
		staged, err := Wimlib{}.Stage(t.Context(), src, t.TempDir(), nil)
		if err != nil {
			return err
		}
		return Wimlib{}.Apply(t.Context(), staged, volume, nil)
	}
	for name, c := range map[string]struct {
		src  Source
		code string
	}{
		"truncated":   {Source{Path: write("truncated.wim", data[:100_000]), Edition: 1}, protocol.FaultImageCorrupt},
		"empty":       {Source{Path: write("empty.wim", nil), Edition: 1}, protocol.FaultImageCorrupt},
		"garbage":     {Source{Path: write("garbage.wim", bytes.Repeat([]byte("x"), 1000)), Edition: 1}, protocol.FaultImageCorrupt},
		"one bit":     {Source{Path: write("flipped.wim", flipped), Edition: 1}, protocol.FaultImageCorrupt},
		"no edition":  {Source{Path: good, Edition: 2}, protocol.FaultEdition},
		"no edition0": {Source{Path: good, Edition: 0}, protocol.FaultEdition},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "one bit" {
				volume = newVolume(t, 64<<20)
			}
			if f := protocol.AsFault(stageAndApply(c.src, volume)); f == nil || f.Code != c.code {
				t.Errorf("%v, want %s", f, c.code)
			}
		})
	}
	if _, err := (Wimlib{}).List(t.Context(), Source{Path: good, Edition: 7}); protocol.AsFault(err).Code != protocol.FaultEdition || protocol.AsFault(err).Params["editions"] != "1" {
		t.Errorf("list: %v", err)
	}

	runTool(t, "wimlib-imagex", "split", good, filepath.Join(dir, "part.swm"), "0.1")
	if err := stageAndApply(Source{Path: filepath.Join(dir, "part.swm"), Edition: 1}, volume); protocol.AsFault(err).Code != protocol.FaultImageCorrupt {
		t.Errorf("split: %v", err)
	}
	if err := os.WriteFile(filepath.Join(tree, "big"), bytes.Repeat([]byte("0123456789abcdef"), 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big.wim")
	runTool(t, "wimlib-imagex", "capture", tree, big, "Windows", "--compress=none")
	if err := stageAndApply(Source{Path: big, Edition: 1}, newVolume(t, 8<<20)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("full volume: %v", err)
	}
	if err := (Wimlib{}).Apply(t.Context(), Source{Path: good, Edition: 1}, t.TempDir(), nil); err == nil {
		t.Error("an image was applied to a folder")
	}
}

// A cancelled apply returns the reason and its program is gone.
func TestCancel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big"), bytes.Repeat([]byte("0123456789abcdef"), 2<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "big.wim")
	runTool(t, "wimlib-imagex", "capture", dir, path, "Windows", "--compress=none")
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := protocol.NewFault(protocol.FaultCancelled)
	err := Wimlib{}.Apply(ctx, Source{Path: path, Edition: 1}, newVolume(t, 64<<20), func(int64, int64) { cancel(cause) })
	if !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var got [][2]int64
	p := &progressWriter{report: func(d, n int64) { got = append(got, [2]int64{d, n}) }}
	for _, part := range []string{
		"Applying image 1\n\rExtracting file ", "data: 0 MiB of 28 MiB (1%) done\rExtracting file data: 14 MiB of 28 MiB (50%) done",
		"\rExtracting file data: 99999999999 MiB of 28 MiB (1%) done\rExtracting file data: 28 MiB of 28 MiB (100%) done\nDone.\n",
	} {
		if _, err := io.WriteString(p, part); err != nil {
			t.Fatal(err)
		}
	}
	want := [][2]int64{{28 << 20 / 100, 28 << 20}, {14 << 20, 28 << 20}, {28 << 20, 28 << 20}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzDelta(f *testing.F) {
	header := make([]byte, headerSize+2*tableEntry)
	copy(header, magicWIM)
	header[headerPart], header[headerParts], header[headerImages] = 1, 1, 2
	resource{2 * tableEntry, flagMetadata, headerSize, 2 * tableEntry}.put(header[headerTable:])
	resource{10, flagMetadata, headerSize, 10}.put(header[headerSize:])
	resource{10, flagMetadata, headerSize + 10, 10}.put(header[headerSize+tableEntry:])
	f.Add(header, 2)
	f.Fuzz(func(t *testing.T, data []byte, edition int) {
		var out bytes.Buffer
		err := writeDelta(&out, bytes.NewReader(data), int64(len(data)), edition)
		if err == nil && out.Len() > headerSize+len(data)+1000 {
			t.Errorf("a delta of %d bytes from %d", out.Len(), len(data))
		}
	})
}

func FuzzProgress(f *testing.F) {
	f.Add("Extracting file data: 14 MiB of 28 MiB (50%) done")
	f.Fuzz(func(t *testing.T, line string) {
		if done, total, ok := parseProgress(line); ok && (done < 0 || done > total) {
			t.Errorf("%d of %d", done, total)
		}
	})
}
