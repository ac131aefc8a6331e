package stick

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// File is a Device in a file of this host, for trials and benchmarks. It
// knows no guards: agent/disk opens devices for people.
type File struct {
	f          *os.File
	size       int64
	sectorSize int
	direct     bool
}

var _ Device = (*File)(nil)

// OpenFile opens an existing file, which keeps its size, as a device with
// sectors of sectorSize bytes. Reads and writes go past the page cache where
// the filesystem allows it.
func OpenFile(path string, sectorSize int) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT, 0)
	direct := err == nil
	if err == nil {
		// Some filesystems take the flag and refuse the reads.
		if _, err = f.ReadAt(alignedBuffer(sectorSize), 0); errors.Is(err, io.EOF) {
			err = nil
		}
		if errors.Is(err, unix.EINVAL) {
			f.Close()
		}
	}
	if errors.Is(err, unix.EINVAL) {
		direct = false
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open stick file: %w", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("open stick file %s: not a regular file", path), err, f.Close())
	}
	return &File{f, info.Size(), sectorSize, direct}, nil
}

// ReadAt implements io.ReaderAt.
func (d *File) ReadAt(p []byte, offset int64) (int, error) { return d.f.ReadAt(p, offset) }

// WriteAt implements io.WriterAt. A file does not grow.
func (d *File) WriteAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset+int64(len(p)) > d.size {
		return 0, fmt.Errorf("write %d bytes at %d: past the end of the stick", len(p), offset)
	}
	return d.f.WriteAt(p, offset)
}

// Sync implements Device.
func (d *File) Sync() error {
	if err := d.f.Sync(); err != nil {
		return err
	}
	if !d.direct {
		return unix.Fadvise(int(d.f.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	return nil
}

// DropCaches implements Device.
func (d *File) DropCaches() error {
	if err := d.f.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(d.f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// Discard implements Device by making a hole.
func (d *File) Discard(offset, length int64) error {
	err := unix.Fallocate(int(d.f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, length)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}

// Size implements Device.
func (d *File) Size() int64 { return d.size }

// SectorSize implements Device.
func (d *File) SectorSize() int { return d.sectorSize }

// Close implements Device.
func (d *File) Close() error { return d.f.Close() }
