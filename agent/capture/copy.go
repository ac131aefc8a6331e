package capture

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

const (
	copyChunk = 4 << 20   // bytes read at once
	copyGap   = 256 << 10 // free bytes that are read along rather than leapt over
)

// content is what of the volume is copied: the used clusters, without those
// of files in its root that are left out by name. These are what is large: the
// page file and the memory of a Windows that slept.
func (c *candidate) content(exclude []string) ([]volume.Extent, error) {
	used, err := c.ntfs.UsedExtents()
	if err != nil {
		return nil, err
	}
	var without []volume.Extent
	for _, glob := range exclude {
		name, rooted := strings.CutPrefix(glob, `\`)
		if !rooted || strings.ContainsAny(name, `\*?`) {
			continue
		}
		f, err := c.ntfs.Find(name)
		if errors.Is(err, ntfs.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		places, err := f.Extents()
		if err != nil {
			continue // it has no clusters of its own
		}
		without = append(without, volume.Align(places, c.ntfs.ClusterSize())...)
	}
	return volume.Join(subtract(used, without), copyGap), nil
}

// subtract returns what of extents does not lie in holes.
func subtract(extents, holes []volume.Extent) []volume.Extent {
	extents, holes = volume.Join(extents, 0), volume.Join(holes, 0)
	var left []volume.Extent
	for _, e := range extents {
		for _, h := range holes {
			if h.End() <= e.Offset || h.Offset >= e.End() {
				continue
			}
			if h.Offset > e.Offset {
				left = append(left, volume.Extent{Offset: e.Offset, Length: h.Offset - e.Offset})
			}
			e.Offset, e.Length = h.End(), e.End()-h.End()
			if e.Length <= 0 {
				break
			}
		}
		if e.Length > 0 {
			left = append(left, e)
		}
	}
	return left
}

// Copy makes the file path, which must not exist, a copy of the volume for
// Pack: as long as it, with its used clusters. progress counts bytes up to Bytes. It
// returns the faults of the source, capture_read_failed with the offset on it,
// and errors that wrap syscall.ENOSPC when the disk is full; the file is then
// left for the caller to remove.
func (v *Volume) Copy(ctx context.Context, path string, progress func(done, total int64)) error {
	f, err := v.newCopy(path)
	if err != nil {
		return full(err)
	}
	return v.copyTo(ctx, f, progress)
}

// copyTo fills a file and closes it.
func (v *Volume) copyTo(ctx context.Context, f copyFile, progress func(done, total int64)) error {
	defer f.Close()
	buf := make([]byte, copyChunk)
	var done int64
	for _, e := range v.extents {
		for at := e.Offset; at < e.End(); {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b := buf[:min(copyChunk, e.End()-at)]
			if _, err := v.src.ReadAt(b, at); err != nil {
				return v.unreadable(err, at)
			}
			if _, err := f.WriteAt(b, at); err != nil {
				return full(fmt.Errorf("write the copy of the volume: %w", err))
			}
			at += int64(len(b))
			done += int64(len(b))
			progress(done, v.Bytes())
		}
	}
	if err := f.Finish(); err != nil {
		return full(fmt.Errorf("write the copy of the volume: %w", err))
	}
	return nil
}

func (v *Volume) unreadable(err error, at int64) error {
	var f *protocol.Fault
	if errors.As(err, &f) {
		return f
	}
	return protocol.WrapFault(err, protocol.FaultCaptureRead, "partition", v.Partition, "offset", v.src.offset+at)
}
