package capture

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	gpt "github.com/stickpress/stickpress/agent/partition"
	"github.com/stickpress/stickpress/agent/vdisk"
)

// copyFile is a file that Copy makes.
type copyFile interface {
	io.WriterAt // at an offset of the volume
	// Finish completes it.
	Finish() error
	io.Closer
}

func create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a copy of the volume: %w", err)
	}
	return f, nil
}

// diskName is a virtual disk's: diskpart knows one by its name.
const diskName = "volume.vhdx"

// The disk around the volume: its partition begins where everybody's does, and
// is a whole number of MiB.
const (
	mib        = 1 << 20
	diskBefore = 1 * mib
	diskBehind = 1 * mib
)

// diskCopy is a dynamic VHDX with the volume as its only partition, which
// Windows can attach; a sparse file it would refuse.
type diskCopy struct {
	*os.File
	disk *vdisk.Writer
}

// Attributes of the partition (Microsoft, PARTITION_INFORMATION_GPT): nobody
// writes to it, and it gets no letter by itself.
const (
	partReadOnly = 1 << 60
	partNoLetter = 1 << 63
)

// basicData is GUID EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 (PARTITION_BASIC_DATA_GUID).
var basicData = [16]byte{0xA2, 0xA0, 0xD0, 0xEB, 0xE5, 0xB9, 0x33, 0x44, 0x87, 0xC0, 0x68, 0xB6, 0xB7, 0x26, 0x99, 0xC7}

func newDiskCopy(path string, volume int64, sector int) (copyFile, error) {
	f, err := create(path)
	if err != nil {
		return nil, err
	}
	c := &diskCopy{File: f}
	if err := c.begin((volume+mib-1)/mib*mib, sector); err != nil {
		return nil, errors.Join(fmt.Errorf("make a copy of the volume: %w", err), f.Close())
	}
	return c, nil
}

// begin writes the partition table.
func (c *diskCopy) begin(length int64, sector int) (err error) {
	size := diskBefore + length + diskBehind
	if c.disk, err = vdisk.NewWriter(c.File, size, sector, newGUID()); err != nil {
		return err
	}
	table := gpt.New(sector, newGUID(), gpt.Part{
		Type: basicData, ID: newGUID(), Offset: diskBefore, Length: length, Attributes: partReadOnly | partNoLetter,
	}).Move(size)
	entries := table.Backup[:len(table.Backup)-sector]
	for _, w := range []struct {
		at int64
		b  []byte
	}{{0, table.Sector0}, {int64(sector), table.Header}, {2 * int64(sector), entries}, {table.BackupAt, table.Backup}} {
		if _, err := c.disk.WriteAt(w.b, w.at); err != nil {
			return err
		}
	}
	return nil
}

// WriteAt implements copyFile.
func (c *diskCopy) WriteAt(p []byte, off int64) (int, error) {
	return c.disk.WriteAt(p, diskBefore+off)
}

// Finish implements copyFile.
func (c *diskCopy) Finish() error {
	if err := c.disk.Finish(); err != nil {
		return err
	}
	return c.Close()
}

// newGUID is a random GUID (RFC 9562, 5.4) as it is stored: the version lies in
// the last byte of its third part.
func newGUID() (g [16]byte) {
	_, _ = rand.Read(g[:]) // never fails
	g[7] = g[7]&0x0F | 0x40
	g[8] = g[8]&0x3F | 0x80
	return g
}
