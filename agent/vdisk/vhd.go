package vdisk

import (
	"encoding/binary"
	"io"
	"iter"
	"math/bits"
)

// Layout of a VHD, big-endian ("Hard Disk Footer Format", "Dynamic Disk Header Format").
const (
	vhdMagic        = "conectix"
	vhdFooterSize   = 512
	vhdVersion      = 12 // u32
	vhdDataOffset   = 16 // u64, of the dynamic header
	vhdCurrentSize  = 48 // u64
	vhdType         = 60 // u32
	vhdChecksum     = 64 // u32
	vhdSavedState   = 84 // u8
	vhdSector       = 512
	vhdFixed        = 2
	vhdDynamic      = 3
	vhdDifferencing = 4

	vhdHeaderMagic    = "cxsparse"
	vhdHeaderSize     = 1024
	vhdTableOffset    = 16 // u64
	vhdHeaderVersion  = 24 // u32
	vhdTableEntries   = 28 // u32
	vhdBlockSize      = 32 // u32, without the sector bitmap
	vhdHeaderChecksum = 36 // u32

	vhdUnallocated = 1<<32 - 1
	vhdVersion1    = 0x00010000
)

// maxVHD is the largest disk that the format can address: 2^32 sectors. Its tools stop at 2040 GiB.
const maxVHD = 1 << 32 * vhdSector

// openVHD finds the footer: at the file's end, and for dynamic disks a copy of it at the start, which counts when the
// last one is damaged.
func openVHD(r io.ReaderAt, size int64) (Disk, error) {
	if size < vhdFooterSize {
		return nil, refuse(ErrUnknown, "%d bytes", size)
	}
	last, first := make([]byte, vhdFooterSize), make([]byte, vhdFooterSize)
	if err := readFull(r, last, size-vhdFooterSize); err != nil {
		return nil, err
	}
	if err := readFull(r, first, 0); err != nil {
		return nil, err
	}
	footer := last
	if !vhdValid(last, vhdMagic, vhdChecksum) {
		footer = first
	}
	switch {
	case vhdValid(footer, vhdMagic, vhdChecksum):
	case string(last[:8]) == vhdMagic || string(first[:8]) == vhdMagic:
		return nil, corrupt("the checksum of its footer is wrong")
	default:
		return nil, refuse(ErrUnknown, "no footer")
	}
	be := binary.BigEndian
	if v := be.Uint32(footer[vhdVersion:]); v>>16 != vhdVersion1>>16 {
		return nil, refuse(ErrUnsupported, "VHD version %#x", v)
	}
	if footer[vhdSavedState] != 0 {
		return nil, refuse(ErrUnsupported, "it belongs to a virtual machine in saved state")
	}
	disk := be.Uint64(footer[vhdCurrentSize:])
	if disk == 0 || disk%vhdSector != 0 || disk > maxVHD {
		return nil, corrupt("a disk of %d bytes", disk)
	}
	switch typ := be.Uint32(footer[vhdType:]); typ {
	case vhdFixed:
		// The content comes first, so that a footer at the start alone is a fixed disk cut off in its own footer.
		if int64(disk) > size-vhdFooterSize || &footer[0] == &first[0] {
			return nil, refuse(ErrTruncated, "%d bytes of a fixed disk of %d", size, disk)
		}
		return fixed{r, VHD, int64(disk)}, nil
	case vhdDynamic:
		return openDynamicVHD(r, size, int64(disk), be.Uint64(footer[vhdDataOffset:]))
	case vhdDifferencing:
		return nil, refuse(ErrDifferencing, "VHD")
	default:
		return nil, refuse(ErrUnsupported, "VHD type %d", typ)
	}
}

// vhdValid checks magic and checksum of a footer or a header: the ones' complement of the sum of all other bytes.
func vhdValid(b []byte, magic string, checksum int) bool {
	var sum uint32
	for i, c := range b {
		if i < checksum || i >= checksum+4 {
			sum += uint32(c)
		}
	}
	return string(b[:len(magic)]) == magic && binary.BigEndian.Uint32(b[checksum:]) == ^sum
}

// fixed is a disk whose bytes begin at the start of the file.
type fixed struct {
	r      io.ReaderAt
	format Format
	size   int64
}

// Format implements [Disk].
func (d fixed) Format() Format { return d.format }

// Size implements [Disk].
func (d fixed) Size() int64 { return d.size }

// SectorSize implements [Disk].
func (d fixed) SectorSize() int { return vhdSector }

// ReadAt implements [Disk].
func (d fixed) ReadAt(p []byte, at int64) (int, error) {
	p, end := within(p, at, d.size)
	if len(p) == 0 {
		return 0, end
	}
	if err := readFull(d.r, p, at); err != nil {
		return 0, err
	}
	return len(p), end
}

// Extents implements [Disk].
func (d fixed) Extents() iter.Seq[Extent] {
	return func(yield func(Extent) bool) { yield(Extent{0, d.size}) }
}

// dynamicVHD is a disk of blocks, each behind a bitmap that says which of its sectors were ever written.
type dynamicVHD struct {
	r      io.ReaderAt
	size   int64
	block  int64
	bitmap int64    // bytes in front of each block
	table  []uint32 // sector of the file, of each block's bitmap
}

func openDynamicVHD(r io.ReaderAt, size, disk int64, headerAt uint64) (Disk, error) {
	if headerAt > uint64(size) {
		return nil, refuse(ErrTruncated, "header at %d of %d", headerAt, size)
	}
	h := make([]byte, vhdHeaderSize)
	if err := readFull(r, h, int64(headerAt)); err != nil {
		return nil, err
	}
	if !vhdValid(h, vhdHeaderMagic, vhdHeaderChecksum) {
		return nil, corrupt("no valid header at %d", headerAt)
	}
	be := binary.BigEndian
	if v := be.Uint32(h[vhdHeaderVersion:]); v>>16 != vhdVersion1>>16 {
		return nil, refuse(ErrUnsupported, "VHD header version %#x", v)
	}
	d := &dynamicVHD{r: r, size: disk, block: int64(be.Uint32(h[vhdBlockSize:]))}
	if d.block < vhdSector || bits.OnesCount64(uint64(d.block)) != 1 {
		return nil, corrupt("blocks of %d bytes", d.block)
	}
	d.bitmap = (d.block/vhdSector/8 + vhdSector - 1) / vhdSector * vhdSector
	count := (disk + d.block - 1) / d.block
	if have := int64(be.Uint32(h[vhdTableEntries:])); have < count {
		return nil, corrupt("%d blocks in the table, the disk has %d", have, count)
	}
	if 4*count > maxTable {
		return nil, refuse(ErrUnsupported, "%d blocks", count)
	}
	tableAt := be.Uint64(h[vhdTableOffset:])
	if tableAt > uint64(size) || int64(tableAt)+4*count > size {
		return nil, refuse(ErrTruncated, "block table at %d of %d", tableAt, size)
	}
	raw := make([]byte, 4*count)
	if err := readFull(r, raw, int64(tableAt)); err != nil {
		return nil, err
	}
	d.table = make([]uint32, count)
	for i := range d.table {
		d.table[i] = be.Uint32(raw[4*i:])
		if !d.has(i) {
			continue
		}
		at := int64(d.table[i]) * vhdSector
		if at < int64(headerAt)+vhdHeaderSize && at+d.bitmap+d.block > int64(headerAt) {
			return nil, corrupt("block %d lies on the header", i)
		}
		if at+d.bitmap+d.length(i) > size {
			return nil, refuse(ErrTruncated, "block %d at %d of %d", i, at, size)
		}
	}
	return d, nil
}

// Format implements [Disk].
func (d *dynamicVHD) Format() Format { return VHD }

// Size implements [Disk].
func (d *dynamicVHD) Size() int64 { return d.size }

// SectorSize implements [Disk].
func (d *dynamicVHD) SectorSize() int { return vhdSector }

func (d *dynamicVHD) has(i int) bool { return d.table[i] != vhdUnallocated }

// length is what of block i belongs to the disk; some tools do not write the rest of the last one.
func (d *dynamicVHD) length(i int) int64 { return min(d.block, d.size-int64(i)*d.block) }

// Extents implements [Disk].
func (d *dynamicVHD) Extents() iter.Seq[Extent] { return blocks(d.size, d.block, len(d.table), d.has) }

// ReadAt implements [Disk].
func (d *dynamicVHD) ReadAt(p []byte, at int64) (int, error) {
	p, end := within(p, at, d.size)
	for n := 0; n < len(p); {
		i, in := int((at+int64(n))/d.block), (at+int64(n))%d.block
		part := p[n:min(len(p), n+int(d.block-in))]
		if err := d.readBlock(part, i, in); err != nil {
			return n, err
		}
		n += len(part)
	}
	return len(p), end
}

func (d *dynamicVHD) readBlock(p []byte, i int, in int64) error {
	clear(p)
	if !d.has(i) {
		return nil
	}
	start := int64(d.table[i]) * vhdSector
	// The bits of the sectors that p lies in, most significant first.
	from, to := in/vhdSector, (in+int64(len(p))-1)/vhdSector
	bitmap := make([]byte, to/8-from/8+1)
	if err := readFull(d.r, bitmap, start+from/8); err != nil {
		return err
	}
	written := func(s int64) bool { return bitmap[s/8-from/8]>>(7-s%8)&1 != 0 }
	for s := from; s <= to; s++ {
		if !written(s) {
			continue
		}
		first := s
		for s < to && written(s+1) {
			s++
		}
		lo, hi := max(first*vhdSector, in), min((s+1)*vhdSector, in+int64(len(p)))
		if err := readFull(d.r, p[lo-in:hi-in], start+d.bitmap+lo); err != nil {
			return err
		}
	}
	return nil
}
