package vdisk_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stickpress/stickpress/agent/vdisk"
)

// read opens what a fuzzer made and reads a little of it everywhere: that ends with an answer or an error, and takes
// no more memory than the tables of a real file.
func read(b []byte) {
	d, err := vdisk.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	p := make([]byte, 10_000)
	_, _ = d.ReadAt(p, 0)
	_, _ = d.ReadAt(p, d.Size()-5_000)
	n := 0
	for e := range d.Extents() {
		if e.Offset < 0 || e.Length < 1 || e.Offset+e.Length > d.Size() {
			panic("an extent outside the disk")
		}
		_, _ = d.ReadAt(p, e.Offset)
		if n++; n == 100 {
			break
		}
	}
}

// FuzzVHD lays bytes over the footer, the header and the table of a small disk, and makes their checksums right, so that
// what comes behind them is reached.
func FuzzVHD(f *testing.F) {
	for _, typ := range []byte{2, 3, 4} {
		footer := make([]byte, 512)
		copy(footer, "conectix")
		binary.BigEndian.PutUint32(footer[12:], 0x10000)
		binary.BigEndian.PutUint64(footer[16:], 512)
		binary.BigEndian.PutUint64(footer[48:], 8<<10)
		footer[63] = typ
		header := make([]byte, 1024)
		copy(header, "cxsparse")
		binary.BigEndian.PutUint64(header[16:], 1536)
		binary.BigEndian.PutUint32(header[24:], 0x10000)
		binary.BigEndian.PutUint32(header[28:], 2)
		binary.BigEndian.PutUint32(header[32:], 4096)
		f.Add(footer, header, []byte{0, 0, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF})
	}
	f.Fuzz(func(t *testing.T, footer, header, table []byte) {
		file := make([]byte, 16<<10)
		copy(file[:512], footer)
		copy(file[512:1536], header)
		copy(file[1536:2048], table)
		read(file)
		sumVHD(file[:512])
		h := file[512:1536]
		clear(h[36:40])
		var sum uint32
		for _, c := range h {
			sum += uint32(c)
		}
		binary.BigEndian.PutUint32(h[36:], ^sum)
		read(file)
		copy(file[len(file)-512:], file[:512])
		read(file)
	})
}

// FuzzVHDX does the same for the parts of a VHDX.
func FuzzVHDX(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.vhdx")
	qemuImg(f, "create", "-f", "vhdx", "-o", "block_size=1M,log_size=1M", path, "3M")
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	part := func(b []byte, at, n int) []byte { return bytes.Clone(b[at : at+n]) }
	le := binary.LittleEndian
	log := int(le.Uint64(seed[64<<10+72:]))
	metadata := bytes.Index(seed, []byte("metadata"))
	var bat int
	for at := 192<<10 + 16; at < 192<<10+16+64; at += 32 {
		if o := int(le.Uint64(seed[at+16:])); o != metadata {
			bat = o
		}
	}
	one := entry{sequence: 1, changes: []change{{at: 2 * mib, zeros: logSector}}}
	for _, b := range [][]byte{bytes.Clone(seed), dirty(seed, one)} {
		f.Add(part(b, 64<<10, 128), part(b, 192<<10, 128), part(b, metadata, 256), part(b, metadata+64<<10, 64), part(b, bat, 32), part(b, log, 128))
	}
	base := make([]byte, 5<<20)
	copy(base, seed)
	f.Fuzz(func(t *testing.T, header, regions, items, values, table, entry []byte) {
		file := bytes.Clone(base)
		lay := func(at, n int, b []byte) { copy(file[at:at+n], b) }
		lay(64<<10, 4<<10, header)
		lay(128<<10, 4<<10, header)
		lay(192<<10, 4<<10, regions)
		lay(metadata, 4<<10, items)
		lay(metadata+64<<10, 4<<10, values)
		lay(bat, 4<<10, table)
		lay(log, 4<<10, entry)
		read(file)
		sumVHDX(file[64<<10:][:4<<10])
		sumVHDX(file[192<<10:][:64<<10])
		read(file)
	})
}
