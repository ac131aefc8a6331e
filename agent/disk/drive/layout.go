package drive

import "fmt"

// Style is PARTITION_STYLE (winioctl.h).
type Style uint32

// The styles of a partition table.
const (
	MBR Style = 0
	GPT Style = 1
	Raw Style = 2 // none
)

// Layout is a partition table as Windows has read it.
type Layout struct {
	Style      Style
	Partitions []Partition // without unused entries
}

// Partition is one entry of a Layout.
type Partition struct {
	Offset, Length int64 // bytes
	Type           byte  // of an MBR
	TypeGUID       string
}

// Structures of winioctl.h: DRIVE_LAYOUT_INFORMATION_EX begins with style,
// count and a union of 40 bytes, PARTITION_INFORMATION_EX follow.
const (
	layoutHead    = 48
	partitionSize = 144
	partOffset    = 8
	partLength    = 16
	partUnion     = 32
)

// DecodeLayout reads DRIVE_LAYOUT_INFORMATION_EX, the answer to
// IOCTL_DISK_GET_DRIVE_LAYOUT_EX.
func DecodeLayout(b []byte) (Layout, error) {
	if err := need(b, layoutHead, "DRIVE_LAYOUT_INFORMATION_EX"); err != nil {
		return Layout{}, err
	}
	l := Layout{Style: Style(le.Uint32(b))}
	count := int64(le.Uint32(b[4:]))
	if count > int64(len(b)-layoutHead)/partitionSize {
		return Layout{}, fmt.Errorf("DRIVE_LAYOUT_INFORMATION_EX of %d partitions in %d bytes: %w", count, len(b), ErrShort)
	}
	for i := range count {
		e := b[layoutHead+partitionSize*i:]
		p := Partition{Offset: int64(le.Uint64(e[partOffset:])), Length: int64(le.Uint64(e[partLength:]))}
		switch Style(le.Uint32(e)) {
		case MBR:
			p.Type = e[partUnion]
		case GPT:
			p.TypeGUID = guid(e[partUnion:])
		case Raw: // an entry that is not in use
		}
		if p.Length > 0 && p.Offset >= 0 {
			l.Partitions = append(l.Partitions, p)
		}
	}
	return l, nil
}

// guid writes a GUID as Windows stores it in the way of its documentation.
func guid(b []byte) string {
	return fmt.Sprintf("%08X-%04X-%04X-%X-%X", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}

// Partition types that mean that a disk is a part of something larger
// (Microsoft, PARTITION_INFORMATION_GPT and "MBR partition types").
const typeDynamic = 0x42

var pooled = map[string]string{
	"5808C8AA-7E8F-42E0-85D2-E1E90434CFB3": "dynamic disk",
	"AF9B60A0-1431-4F62-BC68-3311714A69AD": "dynamic disk",
	"E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D": "Storage Spaces",
}

// holders names what the partitions of a disk belong to, each once.
func (l *Layout) holders() []string {
	var names []string
	add := func(name string) {
		for _, n := range names {
			if n == name {
				return
			}
		}
		names = append(names, name)
	}
	for _, p := range l.Partitions {
		if p.Type == typeDynamic {
			add("dynamic disk")
		}
		if name := pooled[p.TypeGUID]; name != "" {
			add(name)
		}
	}
	return names
}
