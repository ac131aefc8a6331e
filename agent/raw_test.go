package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

const rawStory = "accepted preflight< preflight> fetch< fetch> log:disk_id_shared write< touched write> verify< verify> table< table> eject< eject> verified"

const rawStoryAlone = "accepted preflight< preflight> fetch< fetch> write< touched write> verify< verify> table< table> eject< eject> verified"

// imaging is an assignment of a disk image with an MBR for the sticks in the
// ports.
func (h *host) imaging(ports ...string) *protocol.Assign {
	disk := make([]byte, 100_000)
	copy(disk[440:], []byte{0xEF, 0xBE, 0xAD, 0xDE})
	copy(disk[446:], []byte{0x80, 0, 0, 0, 0x0C, 0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0})
	disk[510], disk[511] = 0x55, 0xAA
	digest := digestOf(disk)
	h.srv.mu.Lock()
	h.srv.blobs[digest] = disk
	h.srv.mu.Unlock()
	a := h.assignment(ports...)
	a.Kind, a.Recipe = protocol.JobRaw, protocol.Recipe{}
	a.Image = protocol.Image{
		Name: "rescue", Version: "1.0.0", Format: protocol.FormatRaw, SHA256: digest, Bytes: int64(len(disk)),
		Disk: &protocol.Disk{Bytes: int64(len(disk))},
	}
	return a
}

// Copies that share a disk signature say so; a small stick will do.
func TestRaw(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.rack.devices["1-2"].size = 1 << 20
		h.start()
		h.send(h.imaging("1-1", "1-2"))
		h.wantStory(ref(1, 1), rawStory)
		h.wantStory(ref(2, 1), rawStory)
		if len(h.engine.prepared) != 0 || h.engine.presses() != 1 {
			t.Errorf("%d masters, %d presses", len(h.engine.prepared), h.engine.presses())
		}
	})
}

// An image that rotted in the cache is found out, fetched again, and written by
// the same attempt.
func TestRawOfARottenImage(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		a := h.imaging("1-1")
		h.engine.outcome = func(n int, _ string) error {
			if n > 1 {
				return nil
			}
			files, err := filepath.Glob(filepath.Join(h.data, "cache", "*", a.Image.SHA256))
			if err != nil || len(files) != 1 {
				t.Fatalf("cached images: %v, %v", files, err)
			}
			if err := os.WriteFile(files[0], make([]byte, a.Image.Bytes), 0o600); err != nil {
				t.Fatal(err)
			}
			return protocol.NewFault(protocol.FaultImageCorrupt, "detail", "rot")
		}
		h.start()
		h.send(a)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> write< touched fetch< fetch> write< write> verify< verify> table< table> eject< eject> verified")
	})
}

// Nothing in a disk image tells that it rotted since an earlier job: it is read
// again before it is written.
func TestRawOfAnImageThatRottedSince(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		a, b := h.imaging("1-1"), h.imaging("1-2")
		b.JobID, b.Builds[0].BuildID = "job_2", ref(2, 1).BuildID
		cached := filepath.Join(h.data, "cache", "blobs", a.Image.SHA256)
		h.engine.outcome = func(n int, _ string) error {
			if raw, err := os.ReadFile(cached); err != nil || digestOf(raw) != a.Image.SHA256 {
				t.Errorf("press %d writes another image (%v)", n, err)
			}
			return nil
		}
		h.start()
		h.send(a)
		h.wantStory(ref(1, 1), rawStoryAlone)
		rotten, err := os.ReadFile(cached)
		if err != nil {
			t.Fatal(err)
		}
		rotten[len(rotten)-1] ^= 1
		if err := os.WriteFile(cached, rotten, 0o600); err != nil {
			t.Fatal(err)
		}
		h.send(b)
		h.wantStory(ref(2, 1), rawStoryAlone)
		if h.engine.presses() != 2 {
			t.Errorf("%d presses", h.engine.presses())
		}
	})
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// zstd makes the assigned image one that has to be expanded.
func (h *host) zstd(a *protocol.Assign) (disk []byte) {
	h.t.Helper()
	disk = h.srv.blobs[a.Image.SHA256]
	// Of what comes from a pipe zstd does not know the size, so it says the window that it may use.
	cmd := exec.CommandContext(h.t.Context(), "zstd", "-q", "-1", "--zstd=wlog=27", "-c")
	cmd.Stdin = bytes.NewReader(disk)
	file, err := cmd.Output()
	if err != nil {
		h.t.Fatal(err)
	}
	a.Image.SHA256, a.Image.Bytes, a.Image.Disk.Compression = digestOf(file), int64(len(file)), protocol.CompressionZstd
	h.srv.mu.Lock()
	h.srv.blobs[a.Image.SHA256] = file
	h.srv.mu.Unlock()
	return disk
}

// A disk that is full again although room was made says what it lacks.
func TestRawExpandedOntoAFullDisk(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		a := h.imaging("1-1")
		h.zstd(a)
		h.start()
		tries := 0
		h.agent.runner.expand = func(context.Context, string, stick.RawSpec, func(done, total int64)) (stick.RawSpec, error) {
			tries++
			return stick.RawSpec{}, fmt.Errorf("expand a disk image: %w", syscall.ENOSPC)
		}
		h.send(a)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> fetch< failed:cache_full:untouched")
		if tries != 2 {
			t.Errorf("tried %d times", tries)
		}
	})
}

// An image whose decoder would take too much memory is expanded into the cache,
// and pressed from there; what was expanded serves the next job, too.
func TestRawIsExpanded(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		a := h.imaging("1-1")
		disk := h.zstd(a)
		h.start()
		h.send(a)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> fetch< fetch> write< touched write> verify< verify> table< table> eject< eject> verified")
		got, err := os.ReadFile(filepath.Join(h.data, "cache", "masters", "disk-"+a.Image.SHA256, "disk", "disk.raw"))
		if err != nil || !bytes.Equal(got, disk) {
			t.Errorf("expanded to %d bytes, %v", len(got), err)
		}
	})
}

// One that is as it was published is not fetched again.
func TestRawOfACorruptImage(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		a := h.imaging("1-1")
		a.Image.Disk.Bytes++
		h.start()
		h.send(a)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> failed:image_corrupt:untouched")
	})
}

func TestRawWithoutADisk(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		a := h.imaging("1-1")
		a.Image.Disk = nil
		h.start()
		h.send(a)
		h.wantStory(ref(1, 1), "accepted failed:kind_unsupported:untouched")
	})
}
