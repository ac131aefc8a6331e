// Package fat makes the FAT32 boot partition of a stick in a file and reads
// it back without mounting it.
//
// Making is left to mkfs.fat and mtools. Reading is needed for what they do
// not tell: which bytes of the volume are in use, and where on it a file's
// bytes, the volume's serial and its label lie, so that they can be replaced
// on their way to a stick. Nothing here writes to a finished volume.
//
// Layouts follow Microsoft's "FAT32 File System Specification" 1.03.
package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/stickpress/stickpress/agent/volume"
)

// ErrCorrupt is wrapped by every error about bytes that break the format.
var ErrCorrupt = errors.New("fat volume is corrupt")

// ErrNotFound is wrapped when a path names nothing.
var ErrNotFound = errors.New("no such file on the fat volume")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Boot sector fields (specification, Boot Sector and BPB Structure).
const (
	bpbSectorSize  = 11 // u16
	bpbClusterSize = 13 // u8, sectors
	bpbReserved    = 14 // u16, sectors
	bpbFATs        = 16 // u8
	bpbSectors     = 32 // u32
	bpbFATSize     = 36 // u32, sectors
	bpbRoot        = 44 // u32, cluster
	bpbBackup      = 50 // u16, sector
	bpbSerial      = 67 // u32
	bpbLabel       = 71 // 11 bytes
	bpbType        = 82 // "FAT32   "
	bpbSignature   = 510
)

// FAT entries are 28 bits; the upper four are reserved.
const (
	entryMask = 0x0FFFFFFF
	entryBad  = 0x0FFFFFF7
	entryEnd  = 0x0FFFFFF8 // and above
)

// maxTable limits the memory for one FAT: boot partitions have below 1 MiB.
const maxTable = 64 << 20

// Volume is a FAT32 volume open for reading.
type Volume struct {
	r           io.ReaderAt
	sectorSize  int64
	clusterSize int64
	data        int64 // offset of cluster 2
	backup      int64 // offset of the backup boot sector, 0 if there is none
	root        uint32
	table       []uint32 // first FAT; entries 0 and 1 are no clusters
}

// Open reads the boot sector and the first FAT.
func Open(r io.ReaderAt) (*Volume, error) {
	boot := make([]byte, 512)
	if _, err := r.ReadAt(boot, 0); err != nil {
		return nil, fmt.Errorf("read fat boot sector: %w", err)
	}
	le := binary.LittleEndian
	if string(boot[bpbType:bpbType+8]) != "FAT32   " || le.Uint16(boot[bpbSignature:]) != 0xAA55 {
		return nil, corrupt("no FAT32 boot sector")
	}
	v := &Volume{r: r, sectorSize: int64(le.Uint16(boot[bpbSectorSize:])), root: le.Uint32(boot[bpbRoot:])}
	perCluster := int64(boot[bpbClusterSize])
	if v.sectorSize < 512 || v.sectorSize > 4096 || bits.OnesCount64(uint64(v.sectorSize)) != 1 ||
		perCluster < 1 || bits.OnesCount64(uint64(perCluster)) != 1 {
		return nil, corrupt("%d sectors of %d bytes per cluster", perCluster, v.sectorSize)
	}
	v.clusterSize = perCluster * v.sectorSize
	reserved, fats := int64(le.Uint16(boot[bpbReserved:])), int64(boot[bpbFATs])
	fatSize, sectors := int64(le.Uint32(boot[bpbFATSize:])), int64(le.Uint32(boot[bpbSectors:]))
	data := reserved + fats*fatSize
	if reserved < 1 || fats < 1 || fatSize < 1 || data >= sectors || fatSize*v.sectorSize > maxTable {
		return nil, corrupt("%d reserved sectors, %d FATs of %d, %d in all", reserved, fats, fatSize, sectors)
	}
	v.data = data * v.sectorSize
	if b := int64(le.Uint16(boot[bpbBackup:])); b > 0 && b < reserved {
		v.backup = b * v.sectorSize
	}
	clusters := (sectors - data) / perCluster
	if clusters+2 > fatSize*v.sectorSize/4 {
		return nil, corrupt("%d clusters in a FAT of %d sectors", clusters, fatSize)
	}
	raw, err := volume.Read(r, []volume.Extent{{Offset: reserved * v.sectorSize, Length: (clusters + 2) * 4}})
	if err != nil {
		return nil, fmt.Errorf("read the FAT: %w", err)
	}
	v.table = make([]uint32, clusters+2)
	for i := range v.table {
		v.table[i] = le.Uint32(raw[4*i:]) & entryMask
	}
	return v, nil
}

// UsedExtents returns every byte range that belongs to the volume's content:
// the reserved sectors with the backup boot sector, all FATs, and the
// clusters that the FAT does not call free.
func (v *Volume) UsedExtents() []volume.Extent {
	used := []volume.Extent{{Offset: 0, Length: v.data}}
	for c := 2; c < len(v.table); c++ {
		if v.table[c] != 0 && v.table[c] != entryBad {
			used = append(used, volume.Extent{Offset: v.offset(uint32(c)), Length: v.clusterSize})
		}
	}
	return volume.Join(used, 0)
}

// SerialOffsets says where the 4 bytes of the volume serial number lie: in
// the boot sector and in its backup.
func (v *Volume) SerialOffsets() []int64 {
	if v.backup == 0 {
		return []int64{bpbSerial}
	}
	return []int64{bpbSerial, v.backup + bpbSerial}
}

func (v *Volume) offset(cluster uint32) int64 { return v.data + int64(cluster-2)*v.clusterSize }

// chain follows a cluster chain.
func (v *Volume) chain(first uint32) ([]volume.Extent, error) {
	var extents []volume.Extent
	for c, n := first, 0; c < entryEnd; c, n = v.table[c], n+1 {
		if c < 2 || int64(c) >= int64(len(v.table)) || n >= len(v.table) {
			return nil, corrupt("chain of cluster %d leads to %d", first, c)
		}
		at := v.offset(c)
		if k := len(extents); k > 0 && extents[k-1].End() == at {
			extents[k-1].Length += v.clusterSize
			continue
		}
		extents = append(extents, volume.Extent{Offset: at, Length: v.clusterSize})
	}
	return extents, nil
}
