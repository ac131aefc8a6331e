package drive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ErrShort is wrapped when Windows returned fewer bytes than a structure has.
var ErrShort = errors.New("the answer of Windows is too short")

var le = binary.LittleEndian

func need(b []byte, n int, what string) error {
	if len(b) < n {
		return fmt.Errorf("%s of %d bytes, want %d: %w", what, len(b), n, ErrShort)
	}
	return nil
}

// Bus is STORAGE_BUS_TYPE (winioctl.h).
type Bus uint32

// The buses that make a difference here.
const (
	BusUSB        Bus = 7
	BusRAID       Bus = 8
	BusISCSI      Bus = 9
	BusSD         Bus = 12
	BusMMC        Bus = 13
	BusVirtual    Bus = 14
	BusFileBacked Bus = 15 // an attached VHD or VHDX
	BusSpaces     Bus = 16 // made by Storage Spaces
)

// Descriptor is STORAGE_DEVICE_DESCRIPTOR, which IOCTL_STORAGE_QUERY_PROPERTY
// returns for StorageDeviceProperty.
type Descriptor struct {
	Removable               bool
	Bus                     Bus
	Vendor, Product, Serial string // without the spaces around; may be empty
}

const descriptorSize = 36 // without RawDeviceProperties

// DecodeDescriptor reads a Descriptor. Texts that lie outside of b are empty:
// devices are known to say so of a serial that they do not have.
func DecodeDescriptor(b []byte) (Descriptor, error) {
	if err := need(b, descriptorSize, "STORAGE_DEVICE_DESCRIPTOR"); err != nil {
		return Descriptor{}, err
	}
	text := func(field int) string {
		at := int64(le.Uint32(b[field:]))
		if at < descriptorSize || at >= int64(len(b)) {
			return ""
		}
		s, _, _ := strings.Cut(string(b[at:]), "\x00")
		return strings.TrimSpace(strings.ToValidUTF8(s, "?"))
	}
	return Descriptor{
		Removable: b[10] != 0, Bus: Bus(le.Uint32(b[28:])),
		Vendor: text(12), Product: text(16), Serial: text(24),
	}, nil
}

// Geometry is the part of DISK_GEOMETRY_EX that is not fiction.
type Geometry struct {
	SectorSize int   // logical, bytes
	Bytes      int64 // 0 without a medium
}

// DecodeGeometry reads the answer to IOCTL_DISK_GET_DRIVE_GEOMETRY_EX.
func DecodeGeometry(b []byte) (Geometry, error) {
	if err := need(b, 32, "DISK_GEOMETRY_EX"); err != nil {
		return Geometry{}, err
	}
	g := Geometry{int(le.Uint32(b[20:])), int64(le.Uint64(b[24:]))}
	if g.Bytes < 0 || g.SectorSize < 0 || g.SectorSize > 1<<16 {
		return Geometry{}, fmt.Errorf("disk of %d bytes in sectors of %d", g.Bytes, g.SectorSize)
	}
	return g, nil
}

// DecodeNumber reads STORAGE_DEVICE_NUMBER, the answer to
// IOCTL_STORAGE_GET_DEVICE_NUMBER; ok is false for what is no disk
// (FILE_DEVICE_DISK).
func DecodeNumber(b []byte) (number uint32, ok bool, err error) {
	const fileDeviceDisk = 7
	if err := need(b, 12, "STORAGE_DEVICE_NUMBER"); err != nil {
		return 0, false, err
	}
	return le.Uint32(b[4:]), le.Uint32(b) == fileDeviceDisk, nil
}

// DecodeLUN reads the logical unit from SCSI_ADDRESS, the answer to
// IOCTL_SCSI_GET_ADDRESS.
func DecodeLUN(b []byte) (int, error) {
	if err := need(b, 8, "SCSI_ADDRESS"); err != nil {
		return 0, err
	}
	return int(b[7]), nil
}

// Extent is a part of a disk.
type Extent struct {
	Disk           uint32
	Offset, Length int64 // bytes
}

// DecodeExtents reads VOLUME_DISK_EXTENTS, the answer to
// IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS.
func DecodeExtents(b []byte) ([]Extent, error) {
	const first, size = 8, 24
	if err := need(b, first, "VOLUME_DISK_EXTENTS"); err != nil {
		return nil, err
	}
	count := int64(le.Uint32(b))
	if count > int64(len(b)-first)/size {
		return nil, fmt.Errorf("VOLUME_DISK_EXTENTS of %d parts in %d bytes: %w", count, len(b), ErrShort)
	}
	extents := make([]Extent, count)
	for i := range extents {
		e := b[first+size*i:]
		extents[i] = Extent{le.Uint32(e), int64(le.Uint64(e[8:])), int64(le.Uint64(e[16:]))}
	}
	return extents, nil
}

// EncodeTrim makes DEVICE_MANAGE_DATA_SET_ATTRIBUTES with one
// DEVICE_DATA_SET_RANGE behind it, the question of
// IOCTL_STORAGE_MANAGE_DATA_SET_ATTRIBUTES that tells a device that a range of
// bytes holds nothing.
func EncodeTrim(offset, length int64) []byte {
	const size, action, ranges = 28, 1, 32 // DeviceDsmAction_Trim; ranges on 8 bytes
	b := make([]byte, ranges+16)
	le.PutUint32(b, size)
	le.PutUint32(b[4:], action)
	le.PutUint32(b[20:], ranges)
	le.PutUint32(b[24:], 16)
	le.PutUint64(b[ranges:], uint64(offset))
	le.PutUint64(b[ranges+8:], uint64(length))
	return b
}
