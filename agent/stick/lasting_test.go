package stick

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// A counterfeit that wraps around at an odd place gives back every chunk as
// long as its start was not reached again. A disk image that fills the stick
// leaves no mark of the probe, and where the stick's end falls upon zeros what
// was wiped is still zeros: only what was already compared tells.
func TestCounterfeitUnderAnImageThatFillsIt(t *testing.T) {
	t.Parallel()
	for name, real := range map[string]int64{"wraps": 80*mib - 4*512, "wraps in the middle of a page": 83*mib + 3*512} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const size = 120 * mib
			disk := make([]byte, size)
			for at := 0; at < size; at += 512 {
				copy(disk[at:], bytes.Repeat([]byte{byte(at >> 9), byte(at >> 17), 1}, 170))
			}
			clear(disk[real : real+2*mib]) // falls upon the head, which is verified as zeros
			path := filepath.Join(t.TempDir(), "disk.raw")
			if err := os.WriteFile(path, disk, 0o600); err != nil {
				t.Fatal(err)
			}
			r := openRaw(t, RawSpec{Path: path, SHA256: "none", Format: protocol.FormatRaw, DiskBytes: size})
			d := sticktest.New(size, 512)
			target := Target{Device: wrapped{d, real}, Report: &reporter{t: t}}
			o := Press(t.Context(), r, []Target{target})[0]
			if f := protocol.AsFault(o.Err); f == nil || f.Code != protocol.FaultVerify || f.Params["offset"] == "" {
				t.Errorf("%v", o.Err)
			}
			if bootable(d) {
				t.Error("the stick has a table")
			}
		})
	}
}

// oblivious holds what is written at an offset in a cache that Sync does not
// reach, and has lost it when that is emptied.
type oblivious struct {
	*sticktest.Device
	offset int64
	wrote  atomic.Bool
}

func (o *oblivious) WriteAt(p []byte, offset int64) (int, error) {
	n, err := o.Device.WriteAt(p, offset)
	if offset == o.offset && !bytes.Equal(p[:512], zeros[:512]) { // not the wiping
		o.wrote.Store(true)
	}
	return n, err
}

func (o *oblivious) DropCaches() error {
	if o.wrote.Load() {
		_, _ = o.Device.WriteAt(bytes.Repeat([]byte{sticktest.Old}, 512), o.offset)
	}
	return o.Device.DropCaches()
}

// What a stick only has in mind is not taken for written, be it compared early,
// late or last.
func TestReadBackFromACacheOfTheStick(t *testing.T) {
	t.Parallel()
	p := newPattern(50)
	for name, c := range map[string]struct {
		offset int64
		every  int64
	}{
		"early": {p.chunks[7].Offset, 4 * patternChunk},
		"late":  {p.chunks[7].Offset, flushBytes},
		"last":  {0, flushBytes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, d, _ := p.stick(t, 0)
			target.Device = &oblivious{Device: d, offset: c.offset}
			o := pressAll(t.Context(), p, []Target{target}, c.every)[0]
			if f := protocol.AsFault(o.Err); f == nil || f.Code != protocol.FaultVerify || f.Params["offset"] != fmt.Sprint(c.offset) {
				t.Errorf("%v", o.Err)
			}
			if bootable(d) {
				t.Error("the stick has a table")
			}
		})
	}
}
