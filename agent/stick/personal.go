package stick

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// GUID names disks, partitions and boot objects.
type GUID = bcd.GUID

// Personal is what makes one stick differ from the others of its master.
// Two sticks that share any of the numbers disturb each other when they are
// plugged into one PC, so that each is drawn anew for every press.
type Personal struct {
	StickID string // ours; the labels of the volumes and the errors name the stick by it

	DiskSignature uint32 // mbr-dual

	DiskGUID     GUID // gpt-uefi, as are the partitions'
	SystemGUID   GUID
	ReservedGUID GUID
	WindowsGUID  GUID

	LoaderID GUID // objects of the boot store
	ResumeID GUID

	FATSerial  uint32
	NTFSSerial uint64

	AnswerFile []byte // unattend.xml, at most AnswerFileLimit bytes
	// Tag is what the stick says about itself. Its names, layout and disk ID
	// are filled in when it is pressed.
	Tag Tag
}

// AnswerFileLimit is the size of the space that every master reserves for
// the answer file, in bytes.
const AnswerFileLimit = 64 * kib

// NewPersonal draws the numbers that a stick of a layout needs from rand. It
// returns the fault answer_file_too_long.
func NewPersonal(layout string, rand io.Reader, stickID string, answerFile []byte) (Personal, error) {
	p := Personal{StickID: stickID, AnswerFile: answerFile}
	if _, err := padAnswerFile(answerFile); err != nil {
		return Personal{}, err
	}
	guids := []*GUID{&p.LoaderID, &p.ResumeID}
	if layout == protocol.LayoutGPTUEFI {
		guids = append(guids, &p.DiskGUID, &p.SystemGUID, &p.ReservedGUID, &p.WindowsGUID)
	}
	for _, g := range guids {
		var err error
		if *g, err = bcd.NewGUID(rand); err != nil {
			return Personal{}, fmt.Errorf("draw a GUID: %w", err)
		}
	}
	// Zero means "none" to Windows, which would draw a new number itself.
	for p.FATSerial == 0 || p.NTFSSerial == 0 || (layout == protocol.LayoutMBRDual && p.DiskSignature == 0) {
		var raw [16]byte
		if _, err := io.ReadFull(rand, raw[:]); err != nil {
			return Personal{}, fmt.Errorf("draw serial numbers: %w", err)
		}
		p.FATSerial = binary.LittleEndian.Uint32(raw[4:])
		p.NTFSSerial = binary.LittleEndian.Uint64(raw[8:])
		if layout == protocol.LayoutMBRDual {
			p.DiskSignature = binary.LittleEndian.Uint32(raw[0:])
		}
	}
	return p, nil
}

// DiskID is the disk's identity in the layout: the GUID, or the MBR signature
// in hex.
func (p Personal) DiskID(layout string) string {
	if layout == protocol.LayoutGPTUEFI {
		return p.DiskGUID.String()
	}
	return fmt.Sprintf("%08x", p.DiskSignature)
}

// check refuses what would make a stick that cannot be told from another.
func (p Personal) check(layout string) error {
	missing := p.FATSerial == 0 || p.NTFSSerial == 0 || p.LoaderID == (GUID{}) || p.ResumeID == (GUID{}) || p.LoaderID == p.ResumeID
	if layout == protocol.LayoutGPTUEFI {
		missing = missing || p.DiskGUID == (GUID{}) || p.SystemGUID == (GUID{}) || p.ReservedGUID == (GUID{}) || p.WindowsGUID == (GUID{})
	} else {
		missing = missing || p.DiskSignature == 0
	}
	if missing {
		return fmt.Errorf("stick %s: personalisation is incomplete", p.StickID)
	}
	if _, err := p.tag(layout).encode(); err != nil {
		return err
	}
	_, err := padAnswerFile(p.AnswerFile)
	return err
}

// emptyAnswerFile is what the reserved space holds in the master.
const emptyAnswerFile = `<?xml version="1.0" encoding="utf-8"?>` + "\n" +
	`<unattend xmlns="urn:schemas-microsoft-com:unattend"></unattend>` + "\n"

// padAnswerFile fills an answer file up to the reserved space with spaces,
// which XML allows after the root element, in the file's own encoding. It
// returns the fault answer_file_too_long.
func padAnswerFile(data []byte) ([]byte, error) {
	if len(data) > AnswerFileLimit {
		return nil, protocol.NewFault(protocol.FaultAnswerSize, "bytes", len(data), "limit_bytes", AnswerFileLimit)
	}
	if len(data) == 0 {
		data = []byte(emptyAnswerFile)
	}
	space := []byte(" ")
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}): // UTF-16, little-endian
		space = []byte{' ', 0}
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		space = []byte{0, ' '}
	}
	if len(data)%len(space) != 0 {
		return nil, fmt.Errorf("answer file: UTF-16 of %d bytes", len(data))
	}
	padded := make([]byte, 0, AnswerFileLimit)
	padded = append(padded, data...)
	return append(padded, bytes.Repeat(space, (AnswerFileLimit-len(data))/len(space))...), nil
}

// Places are the parts of a master that a stick's personalisation replaces,
// as extents on the device.
type Places struct {
	AnswerFile []volume.Extent   `json:"answer_file"`
	Tag        []volume.Extent   `json:"tag"`
	FATSerial  []int64           `json:"fat_serial"`  // each 4 bytes
	FATLabel   []int64           `json:"fat_label"`   // each fat.LabelBytes
	NTFSSerial []int64           `json:"ntfs_serial"` // each 8 bytes
	NTFSLabel  [][]volume.Extent `json:"ntfs_label"`  // each copy of the record that holds it
	Stores     []StorePlace      `json:"stores"`
}

// StorePlace is where a boot store lies.
type StorePlace struct {
	Firmware bcd.Firmware    `json:"firmware"`
	Bytes    int64           `json:"bytes"`
	Extents  []volume.Extent `json:"extents"`
}

// patches returns the bytes of one stick, at their offsets on the
// device. The partition table is not among them: it is no part of the master.
func (p Personal) patches(plan *Plan, places Places) ([]volume.Patch, error) {
	if err := p.check(plan.Layout); err != nil {
		return nil, err
	}
	var all []volume.Patch
	for _, at := range places.FATSerial {
		all = append(all, volume.Patch{Offset: at, Bytes: binary.LittleEndian.AppendUint32(nil, p.FATSerial)})
	}
	for _, at := range places.NTFSSerial {
		all = append(all, volume.Patch{Offset: at, Bytes: binary.LittleEndian.AppendUint64(nil, p.NTFSSerial)})
	}
	answer, err := padAnswerFile(p.AnswerFile)
	if err != nil {
		return nil, err
	}
	more, err := volume.Place(places.AnswerFile, answer)
	if err != nil {
		return nil, fmt.Errorf("answer file: %w", err)
	}
	all = append(all, more...)
	tag, err := p.tag(plan.Layout).encode()
	if err != nil {
		return nil, err
	}
	if more, err = volume.Place(places.Tag, tag); err != nil {
		return nil, fmt.Errorf("%s: %w", TagName, err)
	}
	all = append(all, more...)
	if more, err = p.labels(places); err != nil {
		return nil, err
	}
	all = append(all, more...)
	for _, s := range places.Stores {
		store, err := encodeStore(plan, p, s.Firmware)
		if err != nil {
			return nil, err
		}
		if int64(len(store)) != s.Bytes {
			return nil, fmt.Errorf("boot store for %v: %d bytes, the master has room for %d", s.Firmware, len(store), s.Bytes)
		}
		more, err := volume.Place(s.Extents, store)
		if err != nil {
			return nil, fmt.Errorf("boot store for %v: %w", s.Firmware, err)
		}
		all = append(all, more...)
	}
	return all, nil
}

// String keeps the answer file, which holds secrets, out of logs.
func (p Personal) String() string {
	return fmt.Sprintf("stick %s (disk %08x %v)", p.StickID, p.DiskSignature, p.DiskGUID)
}
