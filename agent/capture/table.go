package capture

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/stickpress/stickpress/agent/volume"
)

// MBR and extended boot records (UEFI 2.10, 5.2.1; the chain of extended ones
// is as Linux and Windows read it).
const (
	mbrTable       = 446 // four entries of 16 bytes
	mbrMark        = 510
	mbrEntry       = 16
	entryType      = 4
	entryStart     = 8  // u32, sectors
	entryCount     = 12 // u32, sectors
	typeProtective = 0xee
	maxLogical     = 64
)

// GPT header and entries (UEFI 2.10, 5.3.2 and 5.3.3).
const (
	gptMagic      = "EFI PART"
	gptHeaderSize = 12 // u32
	gptHeaderCRC  = 16 // u32
	gptTable      = 72 // u64, sector
	gptCount      = 80 // u32
	gptEntrySize  = 84 // u32
	gptTableCRC   = 88 // u32
	gptHeaderMin  = 92
	entryFirst    = 32 // u64, sector
	entryLast     = 40 // u64, sector
	gptEntryMin   = 128
	maxGPTTable   = 1 << 20 // bytes
)

// partition is a place in a partition table.
type partition struct {
	number int // from 1, as sfdisk and Linux count; 0 is a source without a table
	volume.Extent
}

// partitions reads the partition table of a source: an MBR with its logical
// partitions, or a GPT, of which the backup at the end is taken where the
// first is damaged. What does not lie on the source is left out. ok is false
// when there is no table.
func partitions(src Source) (list []partition, ok bool) {
	disk := window{src, 0, src.Bytes}
	mbr := make([]byte, 512)
	if _, err := disk.ReadAt(mbr, 0); err != nil || mbr[mbrMark] != 0x55 || mbr[mbrMark+1] != 0xAA {
		return nil, false
	}
	protective := false
	for i := range 4 {
		protective = protective || mbr[mbrTable+i*mbrEntry+entryType] == typeProtective
	}
	if !protective {
		return inside(mbrPartitions(disk, mbr), src.Bytes), true
	}
	// A copy of a disk with 4096-byte sectors may lie in a file whose sectors
	// have 512.
	for _, sector := range []int64{int64(src.SectorSize), 512, 4096} {
		for _, at := range []int64{sector, src.Bytes/sector*sector - sector} {
			if list, ok := gptPartitions(disk, sector, at); ok {
				return inside(list, src.Bytes), true
			}
		}
	}
	return nil, true
}

// inside leaves out what does not lie on a disk of that size.
func inside(list []partition, size int64) (good []partition) {
	for _, p := range list {
		if p.Offset > 0 && p.Length > 0 && p.Offset < size && p.Length <= size-p.Offset {
			good = append(good, p)
		}
	}
	return good
}

func mbrPartitions(disk window, mbr []byte) (list []partition) {
	sector := int64(disk.src.SectorSize)
	var extended int64
	for i := range 4 {
		e := mbr[mbrTable+i*mbrEntry:]
		start, count := sectors(e, sector)
		switch e[entryType] {
		case 0:
		case 0x05, 0x0f, 0x85:
			extended = start
		default:
			list = append(list, partition{i + 1, volume.Extent{Offset: start, Length: count}})
		}
	}
	ebr := make([]byte, 512)
	for at, n := extended, 5; at > 0 && n < 5+maxLogical; n++ {
		if _, err := disk.ReadAt(ebr, at); err != nil || ebr[mbrMark] != 0x55 || ebr[mbrMark+1] != 0xAA {
			break
		}
		// The first entry counts from this record, the second one, the next
		// record, from the first record.
		if start, count := sectors(ebr[mbrTable:], sector); ebr[mbrTable+entryType] != 0 {
			list = append(list, partition{n, volume.Extent{Offset: at + start, Length: count}})
		}
		next, _ := sectors(ebr[mbrTable+mbrEntry:], sector)
		if ebr[mbrTable+mbrEntry+entryType] == 0 || next == 0 {
			break
		}
		at = extended + next
	}
	return list
}

func sectors(entry []byte, sector int64) (start, count int64) {
	return int64(binary.LittleEndian.Uint32(entry[entryStart:])) * sector, int64(binary.LittleEndian.Uint32(entry[entryCount:])) * sector
}

// gptPartitions reads the header at a byte offset, if both checksums agree.
func gptPartitions(disk window, sector, at int64) (list []partition, ok bool) {
	le := binary.LittleEndian
	header := make([]byte, 512)
	if _, err := disk.ReadAt(header, at); err != nil || string(header[:8]) != gptMagic {
		return nil, false
	}
	size := le.Uint32(header[gptHeaderSize:])
	if size < gptHeaderMin || size > 512 {
		return nil, false
	}
	sum := le.Uint32(header[gptHeaderCRC:])
	clear(header[gptHeaderCRC : gptHeaderCRC+4])
	count, entry := int64(le.Uint32(header[gptCount:])), int64(le.Uint32(header[gptEntrySize:]))
	table := le.Uint64(header[gptTable:])
	if crc32.ChecksumIEEE(header[:size]) != sum || entry < gptEntryMin || entry > maxGPTTable || count > maxGPTTable/entry ||
		table > uint64(disk.length/sector) {
		return nil, false
	}
	entries := make([]byte, count*entry)
	if _, err := disk.ReadAt(entries, int64(table)*sector); err != nil || crc32.ChecksumIEEE(entries) != le.Uint32(header[gptTableCRC:]) {
		return nil, false
	}
	last := uint64(disk.length / sector)
	for i := range count {
		e := entries[i*entry:]
		first, end := le.Uint64(e[entryFirst:]), le.Uint64(e[entryLast:])
		if [16]byte(e) == [16]byte{} || first > end || end >= last {
			continue
		}
		list = append(list, partition{int(i) + 1, volume.Extent{Offset: int64(first) * sector, Length: int64(end-first+1) * sector}})
	}
	return list, true
}
