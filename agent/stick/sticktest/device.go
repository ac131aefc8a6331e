// Package sticktest has a stick that exists in memory and breaks on demand.
package sticktest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"unsafe"
)

// Op names an operation of a device.
type Op string

// The operations.
const (
	Read    Op = "read"
	Write   Op = "write"
	Sync    Op = "sync"
	Drop    Op = "drop" // of caches
	Discard Op = "discard"
)

// Old is what every byte holds that was never written: a stick that is full
// of somebody's old files.
const Old = 0xA5

const page = 4096

// Device is a stick of any size that costs memory only for what is written.
// It refuses what direct I/O would refuse. Safe for concurrent use.
type Device struct {
	size   int64
	sector int

	mu     sync.Mutex
	pages  map[int64][]byte
	counts map[Op]int
	total  int

	// Forgets makes Discard leave zeros behind, as only good sticks do.
	Forgets bool

	// Before is called ahead of every operation with its number, from 1,
	// among those of its kind, and may wait. What it returns is what the
	// operation returns instead of being done: an error; ErrLost for a write
	// that is accepted and not stored, ErrShort for one that ends halfway.
	Before func(op Op, n int, offset, length int64) error
}

// ErrLost and ErrShort are results of Before that are no errors of the device.
var (
	ErrLost  = errors.New("lost")
	ErrShort = errors.New("short")
)

// New returns a stick full of old bytes.
func New(size int64, sector int) *Device {
	return &Device{size: size, sector: sector, pages: make(map[int64][]byte), counts: make(map[Op]int)}
}

// FailFrom makes every operation from the n-th on fail with EIO, counting all
// kinds together from 1: the stick was pulled out.
func (d *Device) FailFrom(n int) {
	d.Before = func(Op, int, int64, int64) error {
		if d.Operations() >= n {
			return syscall.EIO
		}
		return nil
	}
}

// Fail makes the n-th operation of a kind, and no other, end with err.
func (d *Device) Fail(op Op, n int, err error) {
	d.Before = func(o Op, i int, _, _ int64) error {
		if o == op && i == n {
			return err
		}
		return nil
	}
}

// Operations is how many operations there were.
func (d *Device) Operations() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total
}

// Count is how many operations of a kind there were.
func (d *Device) Count(op Op) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[op]
}

func (d *Device) begin(op Op, offset, length int64) error {
	d.mu.Lock()
	d.counts[op]++
	d.total++
	n := d.counts[op]
	d.mu.Unlock()
	if d.Before == nil {
		return nil
	}
	return d.Before(op, n, offset, length)
}

func (d *Device) check(p []byte, offset int64) error {
	aligned := uintptr(unsafe.Pointer(unsafe.SliceData(p)))%uintptr(d.sector) == 0
	if !aligned || offset%int64(d.sector) != 0 || len(p)%d.sector != 0 || offset < 0 || offset+int64(len(p)) > d.size {
		return fmt.Errorf("%d bytes at %d (buffer aligned: %v): %w", len(p), offset, aligned, syscall.EINVAL)
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (d *Device) ReadAt(p []byte, offset int64) (int, error) {
	if err := d.check(p, offset); err != nil {
		return 0, err
	}
	if err := d.begin(Read, offset, int64(len(p))); err != nil {
		return 0, err
	}
	d.Peek(p, offset)
	return len(p), nil
}

// WriteAt implements io.WriterAt.
func (d *Device) WriteAt(p []byte, offset int64) (int, error) {
	if err := d.check(p, offset); err != nil {
		return 0, err
	}
	err := d.begin(Write, offset, int64(len(p)))
	switch {
	case err == nil:
		d.poke(p, offset)
		return len(p), nil
	case errors.Is(err, ErrLost):
		return len(p), nil
	case errors.Is(err, ErrShort):
		half := len(p) / 2 / d.sector * d.sector
		d.poke(p[:half], offset)
		return half, nil
	}
	return 0, err
}

// Sync implements stick.Device.
func (d *Device) Sync() error { return d.begin(Sync, 0, 0) }

// DropCaches implements stick.Device.
func (d *Device) DropCaches() error { return d.begin(Drop, 0, 0) }

// Discard implements stick.Device. Old bytes stay where they are, as on most
// sticks, unless this one Forgets.
func (d *Device) Discard(offset, length int64) error {
	err := d.begin(Discard, offset, length)
	if err == nil && d.Forgets {
		zeros := make([]byte, page)
		for end := offset + length; offset < end; offset += page {
			d.poke(zeros[:min(page, end-offset)], offset)
		}
	}
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// Size implements stick.Device.
func (d *Device) Size() int64 { return d.size }

// SectorSize implements stick.Device.
func (d *Device) SectorSize() int { return d.sector }

// Close implements stick.Device.
func (d *Device) Close() error { return nil }

// Peek reads bytes of any alignment without counting an operation.
func (d *Device) Peek(p []byte, offset int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(p) > 0 {
		data, at := d.pages[offset/page], int(offset%page)
		n := min(len(p), page-at)
		if data == nil {
			copy(p[:n], bytes.Repeat([]byte{Old}, n))
		} else {
			copy(p[:n], data[at:])
		}
		p, offset = p[n:], offset+int64(n)
	}
}

// Restore puts bytes of any alignment back without counting an operation.
func (d *Device) Restore(p []byte, offset int64) { d.poke(p, offset) }

func (d *Device) poke(p []byte, offset int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(p) > 0 {
		data, at := d.pages[offset/page], int(offset%page)
		if data == nil {
			data = bytes.Repeat([]byte{Old}, page)
			d.pages[offset/page] = data
		}
		n := copy(data[at:], p)
		p, offset = p[n:], offset+int64(n)
	}
}

// Written returns the offset of every page that was written, in no order.
func (d *Device) Written() []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var offsets []int64
	for n := range d.pages {
		offsets = append(offsets, n*page)
	}
	return offsets
}
