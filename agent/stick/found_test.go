package stick

import (
	"bytes"
	"crypto/rand"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

// What is written is found again; TestTable has foreign tools read the same.
func TestReadTable(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		plan, err := NewPlan(layout, Classes[0], 512)
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewPersonal(layout, rand.Reader, "stick_1", nil)
		if err != nil {
			t.Fatal(err)
		}
		table, err := plan.table(p, deviceBytes)
		if err != nil {
			t.Fatal(err)
		}
		d := sticktest.New(deviceBytes, 512)
		if _, err := readTable(newSectors(d), 512); !errors.Is(err, errNoTable) {
			t.Errorf("old bytes: %v", err)
		}
		for _, patch := range table {
			b := alignedBuffer(len(patch.Bytes))
			copy(b, patch.Bytes)
			if err := volume.Apply(d, []volume.Patch{{Offset: patch.Offset, Bytes: b}}); err != nil {
				t.Fatal(err)
			}
		}
		found, err := readTable(newSectors(d), 512)
		if err != nil || found.layout != layout || found.diskID != p.DiskID(layout) || len(found.parts) != len(plan.Partitions) {
			t.Fatalf("%+v, %v", found, err)
		}
		for _, part := range plan.Partitions {
			if have, err := found.at(part); err != nil || have.Extent != part.Extent {
				t.Errorf("%+v, %v; want %+v", have, err, part)
			}
		}
	})
}

func FuzzReadTable(f *testing.F) {
	for _, layout := range []string{protocol.LayoutMBRDual, protocol.LayoutGPTUEFI} {
		plan, err := NewPlan(layout, Classes[0], 512)
		if err != nil {
			f.Fatal(err)
		}
		start := make([]byte, 34*512)
		table, err := plan.table(Personal{DiskSignature: 1, DiskGUID: GUID{1}}, deviceBytes)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range table {
			if p.Offset < int64(len(start)) {
				copy(start[p.Offset:], p.Bytes)
			}
		}
		f.Add(start, true)
	}
	f.Fuzz(func(t *testing.T, start []byte, sign bool) {
		raw := make([]byte, 34*512)
		copy(raw, start)
		if sign { // or the checksums keep everything else out
			copy(raw[512+88:], binaryLE(crc32.ChecksumIEEE(raw[1024:])))
			copy(raw[512+16:], make([]byte, 4))
			copy(raw[512+16:], binaryLE(crc32.ChecksumIEEE(raw[512:512+gptHeaderSize])))
		}
		found, err := readTable(bytes.NewReader(raw), 512)
		if err != nil {
			return
		}
		for _, p := range found.parts {
			if p.Offset < 0 || p.Length < 0 || p.End() < 0 {
				t.Errorf("%+v", p)
			}
		}
	})
}

func binaryLE(n uint32) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)} }
