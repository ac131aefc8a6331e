package press

import (
	"os"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// checkDifferences compares two sticks of one job byte by byte: they differ in
// what identifies them and in nothing else. Bytes that are no content, where
// old ones and marks of the probe are left, are not compared.
func checkDifferences(t *testing.T, layout string, a, b pressed) {
	t.Helper()
	named := namedRanges(layout, a)
	hit := map[string]bool{}
	x, y := make([]byte, 4*mib), make([]byte, 4*mib)
	fileA, fileB := open(t, a.path), open(t, b.path)
	compared := append(volume.Join(a.master.Chunks(), 0),
		volume.Extent{Offset: 0, Length: mib}, volume.Extent{Offset: stickBytes/4096*4096 - mib, Length: mib + stickBytes%4096})
	for _, e := range compared {
		for at := e.Offset; at < e.End(); at += int64(len(x)) {
			n := min(int64(len(x)), e.End()-at)
			if _, err := fileA.ReadAt(x[:n], at); err != nil {
				t.Fatal(err)
			}
			if _, err := fileB.ReadAt(y[:n], at); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if x[i] == y[i] {
					continue
				}
				name := nameOf(named, at+i)
				if name == "" {
					t.Fatalf("byte %d differs and identifies no stick", at+i)
				}
				hit[name] = true
			}
		}
	}
	for name := range named {
		if !hit[name] {
			t.Errorf("%s is the same on both sticks", name)
		}
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func nameOf(named map[string][]volume.Extent, at int64) string {
	for name, extents := range named {
		for _, e := range extents {
			if e.Offset <= at && at < e.End() {
				return name
			}
		}
	}
	return ""
}

// namedRanges are all ranges of a stick that identify it.
func namedRanges(layout string, s pressed) map[string][]volume.Extent {
	places := s.master.Places()
	one := func(at, n int64) []volume.Extent { return []volume.Extent{{Offset: at, Length: n}} }
	named := map[string][]volume.Extent{
		"answer file": places.AnswerFile, "stickpress.json": places.Tag,
		"FAT serial": one(places.FATSerial[0], 4), "FAT serial in the backup": one(places.FATSerial[1], 4),
		"NTFS serial": one(places.NTFSSerial[0], 8), "NTFS serial in the backup": one(places.NTFSSerial[1], 8),
		"FAT label": one(places.FATLabel[0], 11), "FAT label in the backup": one(places.FATLabel[1], 11),
		"FAT label in the root directory": one(places.FATLabel[2], 11),
		"NTFS label":                      places.NTFSLabel[0], "NTFS label in the mirror": places.NTFSLabel[1],
	}
	for _, store := range places.Stores {
		named["boot store "+store.Firmware.String()] = store.Extents
	}
	if layout == protocol.LayoutMBRDual {
		named["disk signature"] = one(440, 4)
		return named
	}
	last := stickBytes/s.sector - 1
	named["disk GUID"], named["disk GUID in the backup"] = one(s.sector+56, 16), one(last*s.sector+56, 16)
	named["checksums"] = append(one(s.sector+16, 4), one(s.sector+88, 4)...)
	named["checksums in the backup"] = append(one(last*s.sector+16, 4), one(last*s.sector+88, 4)...)
	for i, name := range []string{"GUID of the system partition", "GUID of the reserved partition", "GUID of the Windows partition"} {
		named[name] = one(2*s.sector+int64(i)*128+16, 16)
		named[name+" in the backup"] = one((last-16<<10/s.sector)*s.sector+int64(i)*128+16, 16)
	}
	return named
}
