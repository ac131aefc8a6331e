// Package imagefile says what is inside an image file before anything relies
// on it: its format, and its editions or the disk that it holds. Names of files
// do not count.
//
// First it looks at the file's structure: a file of 6 GB is judged in
// milliseconds, by its header, its table of contents and its XML. That finds
// what is no image, a file that ends too early (an upload or a download that
// broke), one part of a split image, and an image that its last writer did not
// finish. Then all that is packed is unpacked once: what is in a WIM is compared
// with the SHA-1 that the file has of it (by wimlib), and a compressed disk image
// with its checksums. That finds bytes that were changed in place. A disk image
// that is not compressed has no checksums; a changed copy of a stored file is
// found by its digest.
package imagefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/partition"
	"github.com/stickpress/stickpress/agent/stream"
	"github.com/stickpress/stickpress/agent/wim/header"
	"github.com/stickpress/stickpress/api/fault"
)

// Formats of an image file.
const (
	FormatWIM = "wim"
	FormatESD = "esd" // a WIM of version 0xe00, whose content may be solid
)

// Info is what an image file says of itself.
type Info struct {
	Format      string // FormatWIM, FormatESD, or one of protocol's of disk images
	Compression string // of a WIM: "none", "XPRESS", "LZX" or "LZMS"
	Integrity   bool   // of a WIM: it carries a table of checksums
	Bytes       int64  // of the file
	Editions    []Edition
	Disk        *Disk // of disk images
}

// Edition is one index of the file. Texts that the file does not have are
// empty and numbers 0; only Index is always there.
type Edition struct {
	Index            int // from 1
	Name             string
	Description      string
	EditionID        string // "Enterprise"
	Architecture     string // "x86_64", "arm64", "x86", "arm", "ia64"
	Version          string // "10.0.26100.1742"
	Build            int    // 26100
	Languages        []string
	Bytes            int64  // when applied: hard links count once
	InstallationType string // "Client", "Server" or "WindowsPE"
}

// Inspect reads the file at path. Refusals, all of kind Invalid:
//
//	image_not_readable{found}     it is nothing of all this; found is what it looks like, or "unknown"
//	image_truncated{have_bytes, detail}
//	image_corrupt{detail}         it contradicts itself
//	image_unsupported{detail}     a kind that is not known here
//	image_part{part, parts}       one file of a split image
//	image_no_editions{}
//	image_differencing{}          a VHD or VHDX that needs another one
//	image_log_dirty{}             a VHDX that was not closed, with a log that cannot be applied
//	image_filter{}                an xz with a filter for programs
//	image_window{limit_bytes}     compressed so that decoding takes too much memory
//	image_damaged{detail}         a WIM whose contents are not what they were
//
// and image_tool_missing{tool, package}, of kind Unavailable, where the content of a
// WIM cannot be verified. What is packed is unpacked once, which takes its time;
// all else is judged by its structure. progress, if not nil, is told how many
// bytes of a packed file were done.
func Inspect(ctx context.Context, path string, progress func(done int64)) (Info, error) {
	info, err := look(ctx, path, progress)
	if err == nil && info.Disk == nil {
		err = verifyWIM(ctx, path, info.Bytes, progress)
	}
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

// Look is Inspect of a file that was inspected before, and whose digest has been
// compared since: the contents of a WIM are not verified again.
func Look(ctx context.Context, path string) (Info, error) { return look(ctx, path, nil) }

func look(ctx context.Context, path string, progress func(done int64)) (Info, error) {
	file, size, err := open(path)
	if err != nil {
		return Info{}, err
	}
	defer file.Close()
	return inspect(contextReader{ctx, file}, size, progress)
}

// Slow reports whether to inspect a file takes long, because much is packed in it.
// What of it can be refused without unpacking it is refused, as Inspect does.
func Slow(path string) (bool, error) {
	file, size, err := open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if h, err := header.Read(file, size); err == nil {
		return slowWIM(h, size)
	}
	head := make([]byte, min(size, partition.HeadBytes))
	if n, err := file.ReadAt(head, 0); n < len(head) {
		return false, fmt.Errorf("inspect an image file: %w", err)
	}
	if stream.Detect(head) == "" {
		return false, nil
	}
	_, err = openCompressed(file, size)
	return err == nil, err
}

func open(path string) (*os.File, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("inspect an image file: %w", err)
	}
	st, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, fmt.Errorf("inspect an image file: %w", err)
	}
	return file, st.Size(), nil
}

func inspect(r io.ReaderAt, size int64, progress func(int64)) (Info, error) {
	h, err := header.Read(r, size)
	switch {
	case errors.Is(err, header.ErrNotWIM):
		return inspectDisk(r, size, progress)
	case errors.Is(err, header.ErrTruncated):
		return Info{}, refuse(err, "image_truncated", "have_bytes", size, "detail", err)
	case errors.Is(err, header.ErrCorrupt):
		return Info{}, refuse(err, "image_corrupt", "detail", err)
	case errors.Is(err, header.ErrUnsupported):
		return Info{}, refuse(err, "image_unsupported", "detail", err)
	case err != nil:
		return Info{}, fmt.Errorf("inspect an image file: %w", err)
	case h.Parts > 1:
		return Info{}, refuse(nil, "image_part", "part", h.Part, "parts", h.Parts)
	case len(h.Images) == 0:
		return Info{}, refuse(nil, "image_no_editions")
	}
	info := Info{Format: FormatWIM, Compression: string(h.Compression), Integrity: h.Integrity, Bytes: size}
	if h.Version == header.VersionESD {
		info.Format = FormatESD
	}
	for i := range h.Images {
		info.Editions = append(info.Editions, edition(&h.Images[i]))
	}
	return info, nil
}

func edition(img *header.Image) Edition {
	e := Edition{
		Index: img.Index, Name: firstText(img.DisplayName, img.Name), Description: firstText(img.DisplayDescription, img.Description),
		EditionID: firstText(img.EditionID, img.Flags), Architecture: img.Architecture, Version: img.Build,
		Languages: languages(img), InstallationType: img.InstallationType,
	}
	if e.Architecture == "x64" {
		e.Architecture = "x86_64"
	}
	if parts := strings.Split(img.Build, "."); len(parts) > 2 {
		e.Build, _ = strconv.Atoi(parts[2]) // header wrote it as a number
	}
	// A file that claims more savings than content, or more content than
	// there are bytes in the world, gets 0: the size is not known.
	if n := img.TotalBytes - img.HardLinkBytes; img.HardLinkBytes <= img.TotalBytes && n <= math.MaxInt64 {
		e.Bytes = int64(n)
	}
	return e
}

// languages puts the default one first.
func languages(img *header.Image) []string {
	list := []string{}
	if img.DefaultLanguage != "" {
		list = append(list, img.DefaultLanguage)
	}
	for _, l := range img.Languages {
		if l != img.DefaultLanguage {
			list = append(list, l)
		}
	}
	return list
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			return t
		}
	}
	return ""
}

func refuse(err error, code fault.Code, pairs ...any) error {
	return fault.Wrap(err, fault.KindInvalid, code, pairs...)
}

// signatures tell what people upload instead of an image, by the bytes at an
// offset.
var signatures = []struct {
	at    int64
	magic string
	name  string
}{
	{0, "PK\x03\x04", "ZIP"},
	{0, "7z\xbc\xaf\x27\x1c", "7z"},
	{0, "Rar!\x1a\x07", "RAR"},
	{0, "MSCF", "CAB"},
	{0, "MZ", "EXE"},
	{0, "QFI\xfb", "QCOW2"},
	{0, "KDMV", "VMDK"},
	{0, "BZh", "bzip2"},
	{257, "ustar", "tar"},
}

const unknown = "unknown"

func looksLike(r io.ReaderAt) string {
	for _, s := range signatures {
		b := make([]byte, len(s.magic))
		if n, _ := r.ReadAt(b, s.at); n == len(b) && bytes.Equal(b, []byte(s.magic)) {
			return s.name
		}
	}
	return unknown
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.ReaderAt
}

// ReadAt implements io.ReaderAt.
func (c contextReader) ReadAt(p []byte, at int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.ReadAt(p, at)
}
