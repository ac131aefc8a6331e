// Package ntfs reads an NTFS volume that lies in a file, without mounting it.
//
// The stick engine needs to know three things that no tool tells without
// root: which clusters are in use (file holes are no answer, since allocated
// zeros may be holes), where on the volume a file's bytes lie so that they can
// be replaced on their way to a stick, and which names a directory holds. It
// also needs to change a few bytes that no tool changes: a file's security
// descriptor, the volume's serial number and its label. Changes are returned as patches, nothing
// here writes.
//
// Layouts follow the documentation of the Linux-NTFS project (ntfsdoc, "NTFS
// Documentation", Russon and Fledel) and ntfs-3g's layout.h.
package ntfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// ErrCorrupt is wrapped by every error about bytes that break the format.
var ErrCorrupt = errors.New("ntfs volume is corrupt")

// ErrNotFound is wrapped when a path names nothing.
var ErrNotFound = errors.New("no such file on the ntfs volume")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Boot sector fields (ntfsdoc, $Boot).
const (
	bootOEM           = 3  // "NTFS    "
	bootSectorSize    = 11 // u16
	bootClusterSize   = 13 // u8, sectors; above 0x80 a negative power of two
	bootTotalSectors  = 40 // i64, without the backup boot sector
	bootMFT           = 48 // i64, cluster
	bootMFTMirr       = 56 // i64, cluster
	bootRecordSize    = 64 // i8, clusters, or -log2 of bytes
	bootIndexSize     = 68 // i8, the same
	bootSerial        = 72 // u64
	bootSignature     = 510
	maxRecordSize     = 4096
	maxIndexBlockSize = 64 << 10
	maxClusterSize    = 2 << 20
)

// System files by MFT record number.
const (
	recordMFT     = 0
	recordLogFile = 2
	recordVolume  = 3
	recordRoot    = 5
	recordBitmap  = 6
	recordUpCase  = 10
)

// Volume is an NTFS volume open for reading. It is not safe for concurrent
// use.
type Volume struct {
	r           io.ReaderAt
	sectorSize  int64
	clusterSize int64
	recordSize  int64
	indexSize   int64
	sectors     int64 // without the backup boot sector
	clusters    int64
	mftMirr     int64 // cluster
	mftStart    int64 // cluster
	mft         []run
	upcase      []uint16 // loaded by the first comparison
}

// Open reads the boot sector and the MFT's own record.
func Open(r io.ReaderAt) (*Volume, error) {
	boot := make([]byte, 512)
	if _, err := r.ReadAt(boot, 0); err != nil {
		return nil, fmt.Errorf("read ntfs boot sector: %w", err)
	}
	v := &Volume{r: r}
	if err := v.parseBoot(boot); err != nil {
		return nil, err
	}
	mftAt := int64(binary.LittleEndian.Uint64(boot[bootMFT:]))
	if mftAt <= 0 || mftAt >= v.clusters || v.mftMirr < 0 || v.mftMirr >= v.clusters {
		return nil, corrupt("MFT at cluster %d, mirror at %d of %d", mftAt, v.mftMirr, v.clusters)
	}
	v.mftStart = mftAt
	return v, v.openMFT(mftAt)
}

func (v *Volume) parseBoot(boot []byte) error {
	if string(boot[bootOEM:bootOEM+8]) != "NTFS    " || binary.LittleEndian.Uint16(boot[bootSignature:]) != 0xAA55 {
		return corrupt("no NTFS boot sector")
	}
	v.sectorSize = int64(binary.LittleEndian.Uint16(boot[bootSectorSize:]))
	if v.sectorSize < 256 || v.sectorSize > 4096 || bits.OnesCount64(uint64(v.sectorSize)) != 1 {
		return corrupt("sector size %d", v.sectorSize)
	}
	perCluster := int64(boot[bootClusterSize])
	if perCluster > 0x80 {
		perCluster = 1 << min(256-perCluster, 62)
	}
	if perCluster < 1 || perCluster > maxClusterSize || bits.OnesCount64(uint64(perCluster)) != 1 ||
		perCluster*v.sectorSize > maxClusterSize {
		return corrupt("%d sectors per cluster", perCluster)
	}
	v.clusterSize = perCluster * v.sectorSize
	v.sectors = int64(binary.LittleEndian.Uint64(boot[bootTotalSectors:]))
	if v.sectors < 1 || v.sectors > 1<<52/v.sectorSize {
		return corrupt("%d sectors", v.sectors)
	}
	v.clusters = v.sectors / perCluster
	v.mftMirr = int64(binary.LittleEndian.Uint64(boot[bootMFTMirr:]))
	var err error
	if v.recordSize, err = v.blockSize(boot[bootRecordSize], maxRecordSize); err != nil {
		return fmt.Errorf("MFT record: %w", err)
	}
	if v.indexSize, err = v.blockSize(boot[bootIndexSize], maxIndexBlockSize); err != nil {
		return fmt.Errorf("index block: %w", err)
	}
	return nil
}

// blockSize decodes the sizes that are clusters when positive and a power of
// two of bytes when negative.
func (v *Volume) blockSize(raw byte, limit int64) (int64, error) {
	size := int64(int8(raw)) * v.clusterSize
	if int8(raw) < 0 {
		size = 1 << min(-int(int8(raw)), 62)
	}
	if size < fixupStride || size > limit || bits.OnesCount64(uint64(size)) != 1 {
		return 0, corrupt("block size %#x gives %d bytes", raw, size)
	}
	return size, nil
}

// SectorSize is the logical sector size that the volume was made for.
func (v *Volume) SectorSize() int { return int(v.sectorSize) }

// ClusterSize is in bytes.
func (v *Volume) ClusterSize() int64 { return v.clusterSize }

// Size is the length of the volume in bytes, its backup boot sector included.
func (v *Volume) Size() int64 { return (v.sectors + 1) * v.sectorSize }

// SerialOffsets says where the 8 bytes of the volume serial number lie: in
// the boot sector and in its backup.
func (v *Volume) SerialOffsets() []int64 {
	return []int64{bootSerial, v.sectors*v.sectorSize + bootSerial}
}
