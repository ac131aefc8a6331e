package imagefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/stickpress/stickpress/agent/partition"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stream"
	"github.com/stickpress/stickpress/agent/vdisk"
)

// Disk is what a disk image becomes on a stick.
type Disk struct {
	Bytes       int64  // of the disk
	Compression string // protocol.CompressionNone, …Gzip, …XZ or …Zstd
	SectorSize  int    // that its partition table is made for: 512 or 4096
	Table       string // "gpt", "mbr", or "" for none
	DiskID      string // disk GUID, or MBR signature in hex; all copies share it
	Starts      bool   // sector 0 is marked as one that a PC may start from
	ElTorito    bool   // an ISO that a PC starts from as a disc
}

// inspectDisk reads what is no WIM.
func inspectDisk(r io.ReaderAt, size int64, progress func(int64)) (Info, error) {
	head := make([]byte, min(size, partition.HeadBytes))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return Info{}, fmt.Errorf("inspect an image file: %w", err)
	}
	info := Info{Bytes: size}
	if stream.Detect(head) != "" {
		return inspectCompressed(r, info, progress)
	}
	d, err := vdisk.Open(r, size)
	switch {
	case err == nil:
		return inspectVirtual(d, info)
	case !errors.Is(err, vdisk.ErrUnknown):
		return Info{}, refuseDisk(err, size)
	}
	return inspectHead(head, size, info)
}

// inspectVirtual looks into a VHD or a VHDX.
func inspectVirtual(d vdisk.Disk, info Info) (Info, error) {
	info.Format = string(d.Format())
	info.Disk = &Disk{Bytes: d.Size(), SectorSize: d.SectorSize()}
	return info.withTable(d, d.Size())
}

// inspectHead looks at a disk of size bytes that lies in the file as it is, or
// comes out of it.
func inspectHead(head []byte, size int64, info Info) (Info, error) {
	compression := ""
	if info.Disk != nil {
		compression = info.Disk.Compression
	}
	info.Disk = &Disk{Bytes: size, Compression: compression, SectorSize: 512}
	if iso := isoBytes(head); iso > 0 {
		if iso > size {
			return Info{}, refuse(nil, "image_truncated", "have_bytes", size, "detail", fmt.Sprintf("the ISO has %d bytes", iso))
		}
		info.Format, info.Disk.ElTorito = protocol.FormatISO, elTorito(head)
		return info.withTable(bytes.NewReader(head), size)
	}
	if found := looksLike(bytes.NewReader(head)); found != unknown {
		return Info{}, refuse(nil, "image_not_readable", "found", found)
	}
	info.Format = protocol.FormatRaw
	return info.withTable(bytes.NewReader(head), size)
}

// withTable reads the partition table. A raw image without any may still be a
// filesystem on the whole disk; without the mark of a sector that may be
// started, or of a filesystem, it could be anything.
func (info Info) withTable(r io.ReaderAt, size int64) (Info, error) {
	t, err := partition.Read(r, size)
	if err != nil && !(errors.Is(err, partition.ErrCorrupt) && info.Format == protocol.FormatISO) { // an ISO is written as it is
		return Info{}, refuseDisk(err, size)
	}
	if info.Format == protocol.FormatRaw && t.Kind == partition.None && !t.Boots && !hasExt(r) {
		return Info{}, refuse(nil, "image_not_readable", "found", unknown)
	}
	if end := t.UsedEnd(); end > size && info.Format != protocol.FormatISO {
		return Info{}, refuse(nil, "image_truncated", "have_bytes", size, "detail", fmt.Sprintf("its partitions end at %d", end))
	}
	info.Disk.Table, info.Disk.DiskID, info.Disk.Starts = string(t.Kind), t.DiskID, t.Boots
	if t.Kind == partition.GPT {
		info.Disk.SectorSize = t.SectorSize
	}
	return info, nil
}

// maxDecoded bounds how much is decoded to look at a file.
const maxDecoded = 1 << 40

// inspectCompressed decodes a file once, to the end: its checksums are right,
// and its size is known before a stick is chosen for it.
func inspectCompressed(r io.ReaderAt, info Info, progress func(int64)) (Info, error) {
	read := &progressReader{r: r}
	f, err := openCompressed(read, info.Bytes)
	if err != nil {
		return Info{}, err
	}
	read.progress = progress // decoding goes through the file from its start
	d, err := f.NewReader()
	if err != nil {
		return Info{}, refuseDisk(err, info.Bytes)
	}
	defer d.Close()
	var ends endsWriter
	size, err := io.CopyN(&ends, d, maxDecoded+1)
	switch {
	case err == nil:
		return Info{}, refuse(nil, "image_unsupported", "detail", fmt.Sprintf("more than %d bytes when decompressed", int64(maxDecoded)))
	case !errors.Is(err, io.EOF):
		return Info{}, refuseDisk(err, info.Bytes)
	}
	if bytes.HasPrefix(ends.last, []byte("conectix")) || bytes.HasPrefix(ends.head, []byte("vhdxfile")) || bytes.HasPrefix(ends.head, []byte("MSWIM")) || stream.Detect(ends.head) != "" {
		return Info{}, refuse(nil, "image_unsupported", "detail", "a compressed WIM, VHD or VHDX, or one compressed twice: decompress it first")
	}
	info.Disk = &Disk{Compression: string(f.Format())}
	return inspectHead(ends.head, size, info)
}

// openCompressed looks at the structure of a compressed file.
func openCompressed(r io.ReaderAt, size int64) (*stream.File, error) {
	f, err := stream.Open(r, size)
	if err != nil {
		return nil, refuseDisk(err, size)
	}
	if decoded, known := f.DecodedSize(); known && decoded > maxDecoded {
		return nil, refuse(nil, "image_unsupported", "detail", fmt.Sprintf("%d bytes when decompressed", decoded))
	}
	return f, nil
}

// progressReader tells where a file is being read.
type progressReader struct {
	r        io.ReaderAt
	progress func(done int64) // nil tells nobody
}

// ReadAt implements io.ReaderAt.
func (p *progressReader) ReadAt(b []byte, at int64) (int, error) {
	n, err := p.r.ReadAt(b, at)
	if p.progress != nil {
		p.progress(at + int64(n))
	}
	return n, err
}

// endsWriter keeps the first HeadBytes and the last sector of what it is given.
type endsWriter struct {
	head, last []byte
}

// Write implements io.Writer.
func (w *endsWriter) Write(p []byte) (int, error) {
	w.head = append(w.head, p[:min(len(p), partition.HeadBytes-len(w.head))]...)
	const sector = 512
	w.last = append(w.last, p[max(0, len(p)-sector):]...)
	w.last = w.last[max(0, len(w.last)-sector):]
	return len(p), nil
}

// refuseDisk turns what the readers of disks say into refusals.
func refuseDisk(err error, size int64) error {
	for _, r := range []struct {
		reason error
		refuse func() error
	}{
		{vdisk.ErrDifferencing, func() error { return refuse(err, "image_differencing") }},
		{vdisk.ErrDirtyLog, func() error { return refuse(err, "image_log_dirty") }},
		{stream.ErrWindow, func() error { return refuse(err, "image_window", "limit_bytes", int64(stream.MaxWindow)) }},
		{vdisk.ErrTruncated, func() error { return refuse(err, "image_truncated", "have_bytes", size, "detail", err) }},
		{stream.ErrTruncated, func() error { return refuse(err, "image_truncated", "have_bytes", size, "detail", err) }},
		{vdisk.ErrUnsupported, func() error { return refuse(err, "image_unsupported", "detail", err) }},
		{stream.ErrFilter, func() error { return refuse(err, "image_filter") }},
		{stream.ErrUnsupported, func() error { return refuse(err, "image_unsupported", "detail", err) }},
		{vdisk.ErrCorrupt, func() error { return refuse(err, "image_corrupt", "detail", err) }},
		{stream.ErrCorrupt, func() error { return refuse(err, "image_corrupt", "detail", err) }},
		{partition.ErrCorrupt, func() error { return refuse(err, "image_corrupt", "detail", err) }},
	} {
		if errors.Is(err, r.reason) {
			return r.refuse()
		}
	}
	return fmt.Errorf("inspect an image file: %w", err)
}

// Where ext2, ext3 and ext4 have their mark (Documentation/filesystems/ext4 of
// Linux, "The Super Block"): they leave the first sector, and its mark, alone.
const (
	extMagicAt = 1024 + 56 // u16
	extMagic   = 0xEF53
)

func hasExt(r io.ReaderAt) bool {
	b := make([]byte, 2)
	n, _ := r.ReadAt(b, extMagicAt)
	return n == len(b) && binary.LittleEndian.Uint16(b) == extMagic
}

// Parts of an ISO 9660 (ECMA-119, 8): volume descriptors from sector 16 on.
const (
	isoSector     = 2048
	isoFirst      = 16 * isoSector
	isoSpace      = 80 // u32, sectors of the volume, in a primary descriptor
	isoPrimary    = 1
	isoTerminator = 255
)

// isoBytes is the size of an ISO by its primary descriptor, 0 for anything
// else; of pure UDF it is 1.
func isoBytes(head []byte) int64 {
	if len(head) < isoFirst+isoSector {
		return 0
	}
	d := head[isoFirst : isoFirst+isoSector]
	switch {
	case string(d[1:6]) == "CD001" && d[0] == isoPrimary:
		return max(int64(binary.LittleEndian.Uint32(d[isoSpace:]))*isoSector, 1)
	case string(d[1:6]) == "CD001", string(d[1:6]) == "BEA01": // ECMA-167, 2/9.2
		return 1
	}
	return 0
}

// elTorito finds a boot record among the descriptors ("El Torito" 1.0, 2.0).
func elTorito(head []byte) bool {
	for at := isoFirst; at+isoSector <= len(head) && string(head[at+1:at+6]) == "CD001" && head[at] != isoTerminator; at += isoSector {
		if head[at] == 0 && bytes.HasPrefix(head[at+7:], []byte("EL TORITO SPECIFICATION")) {
			return true
		}
	}
	return false
}
