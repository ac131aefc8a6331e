//go:build !race

// The race detector takes several times the memory.

package stick

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// pressEnv has a RawSpec for a process of its own: only such a one can tell the
// peak of its memory.
const pressEnv = "STICKPRESS_TEST_PRESS"

// Memory stays within 64 MB and 16 MB per stick for compressed images as well,
// with a stick that is left behind and has the image decoded for itself; before
// the press, what expands an image takes its window.
func TestMemoryOfCompressedImages(t *testing.T) {
	if spec := os.Getenv(pressEnv); spec != "" {
		pressForMemory(t, []byte(spec))
		return
	}
	const size, sticks = 200 * mib, 2
	image := rawImage(t, size)
	for _, c := range []struct {
		compression, how string
		window           int64
	}{
		{protocol.CompressionGzip, "gzip -1", 0},
		{protocol.CompressionXZ, "xz -6", 8 * mib},
		{protocol.CompressionZstd, "zstd -q -19", 8 * mib},
		{protocol.CompressionXZ, "xz -9", 64 * mib},
		{protocol.CompressionZstd, "zstd -q --ultra -22", 128 * mib},
	} {
		t.Run(c.how, func(t *testing.T) {
			dir := t.TempDir()
			spec := RawSpec{Path: filepath.Join(dir, "image"), SHA256: "memory", Format: protocol.FormatRaw, Compression: c.compression, DiskBytes: size}
			command(t, "sh", "-c", c.how+" -c "+image+" >"+spec.Path)
			raw, err := json.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemoryOfCompressedImages$", "-test.v")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), pressEnv+"="+string(raw))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, line, found := strings.Cut(string(out), "beyond itself: ")
			peak, err := strconv.ParseInt(strings.Fields(line + " ?")[0], 10, 64)
			if !found || err != nil {
				t.Fatalf("no peak (%v)\n%s", err, out)
			}
			limit := max(64*mib+16*mib*sticks, c.window+8*mib)
			t.Logf("%d MiB of %d", peak/mib, limit/mib)
			if peak > limit {
				t.Errorf("%d MiB, at most %d", peak/mib, limit/mib)
			}
		})
	}
}

// pressForMemory presses an image to two files, one of which waits for the
// other at its first chunk, and prints the peak.
func pressForMemory(t *testing.T, raw []byte) {
	var spec RawSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	before := memoryOf(t, "VmRSS")
	large, err := spec.Large()
	if err != nil {
		t.Fatal(err)
	}
	if large {
		if spec, err = Expand(t.Context(), "expanded", spec, func(int64, int64) {}); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	var targets []Target
	for i := range 2 {
		path := fmt.Sprintf("stick-%d", i)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, spec.DiskBytes); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(path, 512)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		targets = append(targets, Target{Device: f, Report: &reporter{}})
	}
	targets[0].Ended = func(Outcome) { close(done) }
	targets[1].Device = &late{targets[1].Device, done}
	r := openRaw(t, spec)
	for _, o := range Press(t.Context(), r, targets) {
		if o.Err != nil {
			t.Error(o.Err)
		}
	}
	fmt.Printf("beyond itself: %d bytes\n", memoryOf(t, "VmHWM")-before)
}

// late is a stick whose content waits.
type late struct {
	Device
	until chan struct{}
}

// WriteAt implements io.WriterAt.
func (d *late) WriteAt(p []byte, at int64) (int, error) {
	if at == rawHead && len(p) > rawHead {
		<-d.until
	}
	return d.Device.WriteAt(p, at)
}

// memoryOf is a line of this process's status, in bytes (proc(5)).
func memoryOf(t *testing.T, name string) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte(name+":"))
	n, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n * kib
}
