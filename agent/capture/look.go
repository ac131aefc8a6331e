package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/partition"
	"github.com/stickpress/stickpress/agent/protocol"
)

// kind is what a place on a source holds, as far as a capture cares.
type kind int

const (
	kindOther kind = iota
	kindNTFS
	kindBitLocker
)

// What BitLocker writes into a boot sector (libbde, "BitLocker Drive
// Encryption (BDE) format", Volume header): the OEM name of an encrypted
// volume; and the identifier that a volume of BitLocker To Go carries, which
// otherwise looks like FAT, at 424, and others at 160.
const (
	bootOEM      = 3
	oemNTFS      = "NTFS    "
	oemBitLocker = "-FVE-FS-"
)

var (
	bitLockerPlaces = []int{160, 424}
	bitLockerIDs    = [][]byte{
		// 4967d63b-2e29-4ad8-8399-f6a339e3d001
		{0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01},
		// 92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8: used space only
		{0x3b, 0x4d, 0xa8, 0x92, 0x80, 0xdd, 0x0e, 0x4d, 0x9e, 0x4e, 0xb1, 0xe3, 0x28, 0x4e, 0xae, 0xd8},
	}
)

func kindOf(boot []byte) kind {
	oem := string(boot[bootOEM : bootOEM+8])
	if oem == oemBitLocker {
		return kindBitLocker
	}
	for _, at := range bitLockerPlaces {
		for _, id := range bitLockerIDs {
			if bytes.Equal(boot[at:at+16], id) {
				return kindBitLocker
			}
		}
	}
	if oem == oemNTFS {
		return kindNTFS
	}
	return kindOther
}

// Look finds the Windows of a source and checks that it may be captured. It
// returns the faults capture_no_windows, capture_several (two of them, and
// nobody said which), capture_bitlocker, capture_hibernated, capture_dirty,
// capture_not_generalized, capture_undeployable, hive_dirty, capture_corrupt
// and capture_read_failed, or an error of the source that is a fault itself.
func Look(src Source, opts Options) (*Volume, error) {
	found, err := find(src, opts.Partition)
	if err != nil {
		return nil, err
	}
	if err := found.inOrder(); err != nil {
		return nil, err
	}
	w, err := readWindows(found.ntfs)
	if err != nil {
		return nil, found.broken(err)
	}
	if err := w.deployable(opts.AnyState); err != nil {
		return nil, err
	}
	v := &Volume{Windows: *w, Partition: found.number, src: found.src, size: found.ntfs.Size(), sector: found.ntfs.SectorSize(), exclude: opts.Exclude}
	if v.size > found.src.length {
		return nil, protocol.NewFault(protocol.FaultCaptureCorrupt, "partition", found.number,
			"detail", fmt.Sprintf("the volume has %d bytes, its place %d", v.size, found.src.length))
	}
	if v.extents, err = found.content(opts.Exclude); err != nil {
		return nil, found.broken(err)
	}
	return v, nil
}

// candidate is an NTFS volume of a source.
type candidate struct {
	number int
	src    window
	ntfs   *ntfs.Volume
}

// broken is the fault for an error that came up while a volume was read.
func (c *candidate) broken(err error) error {
	var f *protocol.Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, ntfs.ErrCorrupt), errors.Is(err, ntfs.ErrNotFound), errors.Is(err, io.ErrUnexpectedEOF):
		return protocol.WrapFault(err, protocol.FaultCaptureCorrupt, "partition", c.number, "detail", err)
	}
	return protocol.WrapFault(err, protocol.FaultCaptureRead, "partition", c.number)
}

// find looks at the source as a bare volume and at each of its partitions.
func find(src Source, want int) (*candidate, error) {
	list := []partition.Place{{Length: src.Bytes}} // number 0: there is no table
	boot := make([]byte, 512)
	disk := window{src, 0, src.Bytes}
	if _, err := disk.ReadAt(boot, 0); err != nil {
		return nil, (&candidate{}).broken(err)
	}
	if kindOf(boot) == kindOther {
		var err error
		if list, _, err = partition.List(disk, src.Bytes, src.SectorSize); err != nil {
			return nil, (&candidate{}).broken(err)
		}
	}
	var windows []*candidate
	var encrypted []string
	var broken error
	for _, p := range list {
		if want != 0 && p.Number != want {
			continue
		}
		c := &candidate{number: p.Number, src: window{src, p.Offset, p.Length}}
		if _, err := c.src.ReadAt(boot, 0); err != nil {
			return nil, c.broken(err)
		}
		switch kindOf(boot) {
		case kindBitLocker:
			encrypted = append(encrypted, strconv.Itoa(p.Number))
		case kindNTFS:
			is, err := c.holdsWindows()
			if err != nil {
				broken = c.broken(err)
			}
			if is {
				windows = append(windows, c)
			}
		case kindOther:
		}
	}
	switch {
	case len(windows) == 1:
		return windows[0], nil
	case len(windows) > 1:
		numbers := make([]string, len(windows))
		for i, c := range windows {
			numbers[i] = strconv.Itoa(c.number)
		}
		return nil, protocol.NewFault(protocol.FaultCaptureSeveral, "partitions", strings.Join(numbers, ", "))
	case len(encrypted) > 0:
		return nil, protocol.NewFault(protocol.FaultCaptureBitLocker, "partition", strings.Join(encrypted, ", "))
	case broken != nil:
		return nil, broken
	}
	return nil, protocol.NewFault(protocol.FaultCaptureNoWindows)
}

// holdsWindows opens the volume and looks for the hive that every Windows has.
func (c *candidate) holdsWindows() (bool, error) {
	var err error
	if c.ntfs, err = ntfs.Open(c.src); err != nil {
		return false, err
	}
	_, err = c.ntfs.Find(softwareHive)
	if errors.Is(err, ntfs.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// inOrder refuses a volume whose content is not what Windows would see.
func (c *candidate) inOrder() error {
	asleep, err := c.ntfs.Hibernated()
	if err != nil {
		return c.broken(err)
	}
	if asleep {
		return protocol.NewFault(protocol.FaultCaptureHibernated, "partition", c.number)
	}
	dirty, err := c.ntfs.Dirty()
	if err != nil {
		return c.broken(err)
	}
	clean, err := c.ntfs.LogClean()
	if err != nil {
		return c.broken(err)
	}
	if dirty || !clean {
		return protocol.NewFault(protocol.FaultCaptureDirty, "partition", c.number)
	}
	return nil
}
