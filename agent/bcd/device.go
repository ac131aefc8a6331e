package bcd

import (
	"encoding/binary"
	"fmt"
)

// Device is a partition as a boot store names it: [GPT] or [MBR]. Devices are comparable.
type Device interface {
	fmt.Stringer
	check() error
	disk() Device // the same for all partitions of a disk
	encode() []byte
}

// GPT is a partition of a disk with a GUID partition table.
type GPT struct {
	Disk      GUID // of the table's header
	Partition GUID // unique GUID of the partition's entry
}

// MBR is a primary partition of a disk with a master boot record.
type MBR struct {
	Signature uint32 // of the disk, at byte 440 of the master boot record
	Offset    uint64 // where the partition begins, in bytes
}

// Layout of a device element (bl.h, BL_DEVICE_DESCRIPTOR): GUID of options, type, flags, size from the type on,
// padding; then, for a partition, its identifier, the type of disk and the disk's identifier.
const (
	deviceType      = 16
	deviceSize      = 24
	deviceBody      = 32
	deviceDiskType  = deviceBody + 20
	deviceDisk      = deviceBody + 24
	deviceLength    = 88
	devicePartition = 6 // type: a partition of a disk by identifier
	diskGPT         = 0
	diskMBR         = 1
)

func (d GPT) String() string { return fmt.Sprintf("partition %v of disk %v", d.Partition, d.Disk) }

func (d GPT) disk() Device { return GPT{Disk: d.Disk} }

func (d GPT) check() error {
	if d.Disk == (GUID{}) || d.Partition == (GUID{}) || d.Disk == d.Partition {
		return fmt.Errorf("%w: %v", ErrInvalid, d)
	}
	return nil
}

func (d GPT) encode() []byte {
	b := partition(diskGPT)
	copy(b[deviceBody:], d.Partition[:])
	copy(b[deviceDisk:], d.Disk[:])
	return b
}

func (d MBR) String() string {
	return fmt.Sprintf("partition at byte %d of disk %08x", d.Offset, d.Signature)
}

func (d MBR) disk() Device { return MBR{Signature: d.Signature} }

func (d MBR) check() error {
	if d.Signature == 0 || d.Offset == 0 || d.Offset%512 != 0 {
		return fmt.Errorf("%w: %v", ErrInvalid, d)
	}
	return nil
}

func (d MBR) encode() []byte {
	b := partition(diskMBR)
	binary.LittleEndian.PutUint64(b[deviceBody:], d.Offset)
	binary.LittleEndian.PutUint32(b[deviceDisk:], d.Signature)
	return b
}

func partition(disk uint32) []byte {
	b := make([]byte, deviceLength)
	binary.LittleEndian.PutUint32(b[deviceType:], devicePartition)
	binary.LittleEndian.PutUint32(b[deviceSize:], deviceLength-deviceType)
	binary.LittleEndian.PutUint32(b[deviceDiskType:], disk)
	return b
}
