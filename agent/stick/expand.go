package stick

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/stickpress/stickpress/agent/fulldisk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stream"
)

// flyWindow is how far back a compressed image may refer to itself and still be
// decoded as it is written: what each stick has left beside its buffers. It is
// the window of xz -6 and of zstd -19.
const flyWindow = 8 * mib

// Large reports whether a compressed image takes more memory to decode than a
// press has for that, so that it is to be expanded. Fault: image_corrupt.
func (s *RawSpec) Large() (bool, error) {
	if s.Compression == protocol.CompressionNone {
		return false, nil
	}
	f, compressed, err := s.openCompressed()
	if err != nil {
		return false, err
	}
	return compressed.Window() > flyWindow, f.Close()
}

func (s *RawSpec) openCompressed() (*os.File, *stream.File, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("open disk image: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		var compressed *stream.File
		if compressed, err = stream.Open(f, info.Size()); err == nil {
			return f, compressed, nil
		}
	}
	return nil, nil, errors.Join(imageFault(err), f.Close())
}

// What an expanded image is in the folder that belongs to it: a folder, which
// appears whole, with the disk and what its chunks hash to.
const (
	expandedName = "disk"
	expandedDisk = "disk.raw"
	expandedList = "expanded.json"
	expandedHole = 64 * kib // no shorter run of zeros becomes a hole
)

// expansion lists what lies in an expanded image.
type expansion struct {
	Version int    `json:"version"`
	SHA256  string `json:"image_sha256"`
	Bytes   int64  `json:"bytes"`
	Sums    []Sum  `json:"sums"` // of every ChunkBytes
}

// Expand returns the spec of an image as a raw disk in a file below dir, which
// is made unless it is there. One that is there is read through before it is
// used, and made anew if it is not what it was. Calls for one dir wait for one
// another. It takes the memory of one decoder.
//
// report gets bytes of the disk. Nothing unfinished is left behind by an error.
// Fault: image_corrupt. A full disk is syscall.ENOSPC. A cancelled call returns the
// cause of ctx.
func Expand(ctx context.Context, dir string, spec RawSpec, report func(done, total int64)) (RawSpec, error) {
	if err := spec.plausible(); err != nil {
		return RawSpec{}, imageFault(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return RawSpec{}, fmt.Errorf("expand a disk image: %w", err)
	}
	final := filepath.Join(dir, expandedName)
	lock, err := acquire(ctx, final+lockSuffix, report)
	if err != nil {
		return RawSpec{}, fmt.Errorf("expand a disk image: %w", err)
	}
	defer lock.release()
	x := &expander{ctx: ctx, spec: spec, dir: final, report: func(done int64) {
		lock.note(done, spec.DiskBytes)
		report(done, spec.DiskBytes)
	}}
	err = x.check()
	if err != nil && ctx.Err() == nil {
		work := final + workSuffix
		if err := errors.Join(removeWork(work), os.RemoveAll(final), os.Mkdir(work, 0o700)); err != nil {
			return RawSpec{}, fmt.Errorf("expand a disk image: %w", err)
		}
		err = x.make(work)
		debug.FreeOSMemory() // the decoder's window, before a press takes as much
		if err == nil {
			err = os.Rename(work, final)
		}
		if err != nil {
			err = errors.Join(imageFault(err), os.RemoveAll(work))
		}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	spec.Path, spec.Compression = filepath.Join(final, expandedDisk), protocol.CompressionNone
	return spec, err
}

// expander is the work on one image.
type expander struct {
	ctx    context.Context
	spec   RawSpec
	dir    string
	report func(done int64)
}

// check reads an expanded image through; an error says that it is not there, or
// is not what it was.
func (x *expander) check() error {
	raw, err := os.ReadFile(filepath.Join(x.dir, expandedList))
	if err != nil {
		return err
	}
	var list expansion
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("read the list of an expanded image: %w", err)
	}
	if list.Version != 1 || list.SHA256 != x.spec.SHA256 || list.Bytes != x.spec.DiskBytes {
		return fmt.Errorf("expanded image is of %s", list.SHA256)
	}
	f, err := os.Open(filepath.Join(x.dir, expandedDisk))
	if err != nil {
		return err
	}
	defer f.Close()
	sums, err := x.each(f, func([]byte, int64) error { return nil })
	if err != nil {
		return err
	}
	if len(sums) != len(list.Sums) {
		return fmt.Errorf("%d chunks, not %d", len(sums), len(list.Sums))
	}
	for i := range sums {
		if sums[i] != list.Sums[i] {
			return fmt.Errorf("chunk %d of an expanded image is %s, not %s", i, sums[i], list.Sums[i])
		}
	}
	return nil
}

// make expands the image into a folder.
func (x *expander) make(dir string) error {
	file, compressed, err := x.spec.openCompressed()
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := compressed.NewReader()
	if err != nil {
		return err
	}
	defer r.Close()
	out, err := os.OpenFile(filepath.Join(dir, expandedDisk), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("expand a disk image: %w", err)
	}
	defer out.Close()
	sums, err := x.each(r, func(b []byte, at int64) error { return writeSparse(out, b, at) })
	if err != nil {
		return err
	}
	// The end of the file, with its checksums, has to come now.
	if n, err := r.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return errors.Join(err, fmt.Errorf("%w: more than its %d bytes come out of it", errImage, x.spec.DiskBytes))
	}
	raw, err := json.Marshal(expansion{1, x.spec.SHA256, x.spec.DiskBytes, sums})
	if err != nil {
		return fmt.Errorf("expand a disk image: %w", err)
	}
	err = errors.Join(out.Truncate(x.spec.DiskBytes), out.Sync(), os.WriteFile(filepath.Join(dir, expandedList), raw, 0o600))
	if err != nil {
		return fmt.Errorf("expand a disk image: %w", fulldisk.Wrap(err))
	}
	return nil
}

// each reads the disk chunk by chunk and hands them on.
func (x *expander) each(r io.Reader, do func(b []byte, at int64) error) (sums []Sum, err error) {
	buf, unmap := mapBytes(ChunkBytes)
	defer unmap()
	for at := int64(0); at < x.spec.DiskBytes; {
		if x.ctx.Err() != nil {
			return nil, context.Cause(x.ctx)
		}
		b := buf[:min(ChunkBytes, x.spec.DiskBytes-at)]
		if n, err := io.ReadFull(r, b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w: it ends at %d of %d bytes", errImage, at+int64(n), x.spec.DiskBytes)
			}
			return nil, err
		}
		sums = append(sums, SumOf(b))
		if err := do(b, at); err != nil {
			return nil, err
		}
		at += int64(len(b))
		x.report(at)
	}
	return sums, nil
}

// writeSparse leaves zeros out: the file is new.
func writeSparse(f *os.File, b []byte, at int64) error {
	for len(b) > 0 {
		part := b[:min(len(b), expandedHole)]
		if !bytes.Equal(part, zeros[:len(part)]) {
			if _, err := f.WriteAt(part, at); err != nil {
				return fmt.Errorf("expand a disk image: %w", fulldisk.Wrap(err))
			}
		}
		b, at = b[len(part):], at+int64(len(part))
	}
	return nil
}
