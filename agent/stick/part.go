package stick

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stickpress/stickpress/agent/vdisk"
	"github.com/stickpress/stickpress/agent/volume"
)

// partFile says where a master keeps the content of one partition.
type partFile struct {
	Name          string `json:"name"` // of a file in the master's folder
	volume.Extent        // of the partition, on the device
	Modified      int64  `json:"modified"` // the file's time, Unix nanoseconds
	// Disk says that the file is a virtual disk of the device's geometry, and
	// not just the partition's bytes.
	Disk bool `json:"disk,omitempty"`
	// Boot takes the place of the partition's first bytes: our boot code, for
	// which a virtual disk is not opened again.
	Boot []byte `json:"boot,omitempty"`
}

// part is the content of one partition, open for reading.
type part struct {
	io.ReaderAt          // byte 0 is the partition's
	file        *os.File // beneath it
	modified    int64    // as in partFile
}

// openPart opens the content of a partition. A file that is not as long as the
// partition, or a virtual disk that ends before it, is an error.
func openPart(dir string, p partFile) (*part, error) {
	f, err := openShared(filepath.Join(dir, p.Name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	o := &part{ReaderAt: f, file: f, modified: info.ModTime().UnixNano()}
	size := info.Size()
	if p.Disk {
		disk, err := vdisk.Open(f, size)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", p.Name, err), f.Close())
		}
		o.ReaderAt = io.NewSectionReader(disk, p.Offset, p.Length)
		size = min(disk.Size()-p.Offset, p.Length)
	}
	if size != p.Length {
		return nil, errors.Join(fmt.Errorf("%s has %d bytes, its partition %d", p.Name, size, p.Length), f.Close())
	}
	if len(p.Boot) > 0 {
		o.ReaderAt = overlaid{o.ReaderAt, p.Boot}
	}
	return o, nil
}

// Close ends the use of the content.
func (p *part) Close() error { return p.file.Close() }

// overlaid is a reader whose first bytes are others.
type overlaid struct {
	io.ReaderAt
	head []byte
}

// ReadAt implements io.ReaderAt.
func (o overlaid) ReadAt(b []byte, offset int64) (int, error) {
	n, err := o.ReaderAt.ReadAt(b, offset)
	if offset >= 0 && offset < int64(len(o.head)) {
		copy(b[:n], o.head[offset:])
	}
	return n, err
}
