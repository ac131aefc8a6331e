package vdisk

import (
	"encoding/binary"
	"io"
	"iter"
	"math/bits"
)

// vhdxMagic begins a VHDX ([MS-VHDX] 2.2.1).
const vhdxMagic = "vhdxfile"

// States of a block ([MS-VHDX] 2.5.1.1). Those below read as zeros: not present, undefined, zero, unmapped.
const (
	blockPresent   = 6
	blockPartially = 7 // the rest is in a parent
)

const mib = 1 << 20

// vhdx is a disk of blocks. In a fixed one all are present.
type vhdx struct {
	r      io.ReaderAt
	size   int64
	block  int64
	sector int
	table  []int64 // offset in the file of each block, 0 for zeros
}

func openVHDX(r io.ReaderAt, size int64) (Disk, error) {
	h, err := currentHeader(r, size)
	if err != nil {
		return nil, err
	}
	if r, size, err = h.replay(r, size); err != nil {
		return nil, err
	}
	table, metadata, err := regions(r, size)
	if err != nil {
		return nil, err
	}
	m, err := readMetadata(r, metadata)
	if err != nil {
		return nil, err
	}
	d := &vhdx{r: r, size: m.size, block: m.block, sector: m.sector}
	return d, d.readTable(table, size)
}

// readTable reads where the blocks lie. After each chunk of blocks the table has an entry for a sector bitmap, which
// only differencing disks have; what others say there means nothing ([MS-VHDX] 2.5).
func (d *vhdx) readTable(table region, size int64) error {
	ratio := int64(1) << 23 * int64(d.sector) / d.block
	count := (d.size + d.block - 1) / d.block
	entries := count + (count-1)/ratio
	if 8*count > maxTable {
		return refuse(ErrUnsupported, "%d blocks", count)
	}
	if 8*entries > table.length {
		return corrupt("block table of %d bytes, the disk needs %d", table.length, 8*entries)
	}
	raw := make([]byte, 8*entries)
	if err := readFull(d.r, raw, table.offset); err != nil {
		return err
	}
	d.table = make([]int64, count)
	for i := range d.table {
		entry := binary.LittleEndian.Uint64(raw[8*(int64(i)+int64(i)/ratio):])
		switch state := entry & 7; state {
		case blockPresent:
		case blockPartially:
			return corrupt("block %d is partly in a parent, of which the disk has none", i)
		case 4, 5:
			return corrupt("block %d is in state %d", i, state)
		default:
			continue
		}
		mibs := entry >> 20
		if mibs < 1 {
			return corrupt("block %d lies on the header", i)
		}
		if mibs > uint64(size)/mib || int64(mibs)*mib+d.length(i) > size {
			return refuse(ErrTruncated, "block %d at %d MiB of %d bytes", i, mibs, size)
		}
		d.table[i] = int64(mibs) * mib
	}
	return nil
}

// Format implements [Disk].
func (d *vhdx) Format() Format { return VHDX }

// Size implements [Disk].
func (d *vhdx) Size() int64 { return d.size }

// SectorSize implements [Disk].
func (d *vhdx) SectorSize() int { return d.sector }

func (d *vhdx) has(i int) bool { return d.table[i] != 0 }

func (d *vhdx) length(i int) int64 { return min(d.block, d.size-int64(i)*d.block) }

// Extents implements [Disk].
func (d *vhdx) Extents() iter.Seq[Extent] { return blocks(d.size, d.block, len(d.table), d.has) }

// ReadAt implements [Disk].
func (d *vhdx) ReadAt(p []byte, at int64) (int, error) {
	p, end := within(p, at, d.size)
	for n := 0; n < len(p); {
		i, in := int((at+int64(n))/d.block), (at+int64(n))%d.block
		part := p[n:min(len(p), n+int(d.block-in))]
		if d.has(i) {
			if err := readFull(d.r, part, d.table[i]+in); err != nil {
				return n, err
			}
		} else {
			clear(part)
		}
		n += len(part)
	}
	return len(p), end
}

// metadata is what a VHDX says about its disk.
type metadata struct {
	block  int64
	size   int64
	sector int
}

// Layout of the metadata region ([MS-VHDX] 2.6).
const (
	metadataMagic     = "metadata"
	metadataEntries   = 10 // u16
	metadataHead      = 32
	metadataEntrySize = 32
	metadataTableSize = 64 << 10
	metadataMax       = 2047
	itemOffset        = 16 // u32, from the region's start
	itemLength        = 20 // u32
	itemFlags         = 24 // u32
	itemUser          = 1
	itemRequired      = 4
	hasParent         = 2 // of the file parameters
)

var (
	itemFileParameters = guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
	itemDiskSize       = guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
	itemDiskID         = guid("BECA12AB-B2E6-4523-93EF-C309E000C746")
	itemLogicalSector  = guid("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
	itemPhysicalSector = guid("CDA348C7-445D-4471-9CC9-E9885251C556")
	itemParentLocator  = guid("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C")
)

func readMetadata(r io.ReaderAt, where region) (m metadata, err error) {
	if where.length < metadataTableSize {
		return m, corrupt("metadata of %d bytes", where.length)
	}
	t := make([]byte, metadataTableSize)
	if err := readFull(r, t, where.offset); err != nil {
		return m, err
	}
	le := binary.LittleEndian
	count := int(le.Uint16(t[metadataEntries:]))
	if string(t[:8]) != metadataMagic || count > metadataMax {
		return m, corrupt("no metadata table at %d", where.offset)
	}
	var parameters, diskSize, sector []byte
	for i := range count {
		e := t[metadataHead+i*metadataEntrySize:][:metadataEntrySize]
		id, flags := [16]byte(e[:16]), le.Uint32(e[itemFlags:])
		var value *[]byte
		length := uint32(4)
		switch id {
		case itemFileParameters:
			value, length = &parameters, 8
		case itemDiskSize:
			value, length = &diskSize, 8
		case itemLogicalSector:
			value = &sector
		case itemDiskID, itemPhysicalSector:
			continue
		case itemParentLocator:
			return m, refuse(ErrDifferencing, "VHDX")
		default:
			if flags&(itemRequired|itemUser) == itemRequired {
				return m, refuse(ErrUnsupported, "required metadata item %x", id)
			}
			continue
		}
		at := int64(le.Uint32(e[itemOffset:]))
		if at < metadataTableSize || at+int64(length) > where.length || le.Uint32(e[itemLength:]) < length {
			return m, corrupt("metadata item %x at %d", id, at)
		}
		*value = make([]byte, length)
		if err := readFull(r, *value, where.offset+at); err != nil {
			return m, err
		}
	}
	if parameters == nil || diskSize == nil || sector == nil {
		return m, corrupt("its metadata is incomplete")
	}
	return decodeMetadata(parameters, diskSize, sector)
}

func decodeMetadata(parameters, diskSize, sector []byte) (m metadata, err error) {
	le := binary.LittleEndian
	if le.Uint32(parameters[4:])&hasParent != 0 {
		return m, refuse(ErrDifferencing, "VHDX")
	}
	m.block = int64(le.Uint32(parameters))
	if m.block < mib || m.block > 256*mib || bits.OnesCount64(uint64(m.block)) != 1 {
		return m, corrupt("blocks of %d bytes", m.block)
	}
	m.sector = int(le.Uint32(sector))
	if m.sector != 512 && m.sector != 4096 {
		return m, corrupt("sectors of %d bytes", m.sector)
	}
	size := le.Uint64(diskSize)
	if size == 0 || size%uint64(m.sector) != 0 || size > 64<<40 {
		return m, corrupt("a disk of %d bytes", size)
	}
	m.size = int64(size)
	return m, nil
}
