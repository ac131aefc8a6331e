package ntfs

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/stickpress/stickpress/agent/volume"
)

// Attribute flags that say that the clusters do not hold the plain bytes.
const (
	flagCompressed = 0x00ff
	flagEncrypted  = 0x4000
)

// maxRead limits what is read into memory as one piece: the $Bitmap of the
// largest capacity class (896 GiB in 4 KiB clusters) has 28 MiB.
const maxRead = 256 << 20

// File is a file or directory of a volume with its unnamed data stream.
type File struct {
	v         *Volume
	number    int64
	directory bool
	resident  []byte // content, when it lives in the MFT record
	runs      []run
	size      int64
	written   int64 // what lies behind it reads as zeros, whatever the clusters hold
	plain     bool  // neither compressed nor encrypted
}

// IsDirectory reports whether f is a directory; one has no content.
func (f *File) IsDirectory() bool { return f.directory }

// Extents says where the content lies on the volume, in its order. It fails
// for content that has no such place: resident, compressed, encrypted, or
// with holes.
func (f *File) Extents() ([]volume.Extent, error) {
	if f.directory || f.resident != nil || !f.plain {
		return nil, fmt.Errorf("ntfs record %d: content has no clusters of its own", f.number)
	}
	return f.v.locate(f.runs, 0, f.size)
}

// Read returns the content. Compressed and encrypted files are refused, and
// so is content above 256 MiB or larger than the volume.
func (f *File) Read() ([]byte, error) {
	switch {
	case f.resident != nil:
		return slices.Clone(f.resident), nil
	case !f.plain || f.directory:
		return nil, fmt.Errorf("ntfs record %d: not a plain file", f.number)
	case f.size > min(maxRead, f.v.Size()):
		return nil, fmt.Errorf("ntfs record %d: %d bytes are too many to read at once", f.number, f.size)
	}
	data := make([]byte, f.size)
	if _, err := f.ReadAt(data, 0); err != nil {
		return nil, err
	}
	return data, nil
}

// ReadAt implements io.ReaderAt over the content; holes, and what was never
// written, are zeros. Compressed and encrypted files are refused, and
// directories.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if !f.plain && f.resident == nil || f.directory {
		return 0, fmt.Errorf("ntfs record %d: not a plain file", f.number)
	}
	if offset < 0 {
		return 0, fmt.Errorf("ntfs record %d: read at %d", f.number, offset)
	}
	var end error
	if left := max(f.size-offset, 0); int64(len(p)) > left {
		p, end = p[:left], io.EOF
	}
	if f.resident != nil {
		copy(p, f.resident[min(offset, f.size):])
		return len(p), end
	}
	clear(p)
	for _, r := range f.runs {
		start := r.vcn * f.v.clusterSize
		from, to := max(start, offset), min(start+r.length*f.v.clusterSize, offset+int64(len(p)), f.written)
		if r.lcn < 0 || from >= to {
			continue
		}
		if _, err := f.v.r.ReadAt(p[from-offset:to-offset], r.lcn*f.v.clusterSize+from-start); err != nil {
			return 0, fmt.Errorf("ntfs record %d: read %d bytes at cluster %d: %w", f.number, to-from, r.lcn, err)
		}
	}
	return len(p), end
}

// openMFT finds the runs of the MFT itself. Its extension records lie in the
// part that earlier runs describe, so that runs are taken in as they come.
func (v *Volume) openMFT(cluster int64) error {
	rec, err := v.recordAt(recordMFT, []volume.Extent{{Offset: cluster * v.clusterSize, Length: v.recordSize}})
	if err != nil {
		return err
	}
	a, ok, err := findAttribute(rec, func(a attribute) bool {
		return a.typ == attrData && a.name() == "" && !a.resident() && a.lowestVCN() == 0
	})
	if err != nil || !ok {
		return cmp.Or(err, corrupt("MFT has no data"))
	}
	if v.mft, err = v.decodeRuns(a); err != nil {
		return err
	}
	parts, err := v.listed(rec, attrData, "")
	if err != nil {
		return fmt.Errorf("MFT: %w", err)
	}
	for _, p := range parts {
		if p.lowest == 0 {
			continue
		}
		more, err := v.part(p, attrData)
		if err != nil {
			return fmt.Errorf("MFT: %w", err)
		}
		runs, err := v.decodeRuns(more)
		if err != nil {
			return fmt.Errorf("MFT: %w", err)
		}
		v.mft = append(v.mft, runs...)
	}
	return nil
}

// open reads a record and its unnamed data stream.
func (v *Volume) open(n int64) (*File, error) {
	rec, err := v.record(n)
	if err != nil {
		return nil, err
	}
	f := &File{v: v, number: n, directory: binary.LittleEndian.Uint16(rec[recFlags:])&recDirectory != 0}
	if f.directory {
		return f, nil
	}
	s, err := v.stream(rec, attrData, "")
	if err != nil {
		return nil, fmt.Errorf("MFT record %d: %w", n, err)
	}
	f.resident, f.runs, f.size, f.written, f.plain = s.resident, s.runs, s.size, s.written, s.plain
	return f, nil
}

// content is a whole attribute, gathered from all records that hold parts.
type content struct {
	resident []byte
	runs     []run
	size     int64
	written  int64
	plain    bool
}

// stream gathers an attribute of the file whose base record is rec.
// ErrNotFound is wrapped when there is none.
func (v *Volume) stream(rec []byte, typ uint32, name string) (*content, error) {
	parts, err := v.gather(rec, typ, name)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("attribute %#x %q: %w", typ, name, ErrNotFound)
	}
	first := parts[0]
	c := &content{plain: first.flags()&(flagCompressed|flagEncrypted) == 0}
	if first.resident() {
		value, err := first.value()
		if err != nil {
			return nil, err
		}
		c.resident, c.size, c.written = append([]byte{}, value...), int64(len(value)), int64(len(value))
		return c, nil
	}
	c.size = int64(binary.LittleEndian.Uint64(first.raw[attrDataSize:]))
	c.written = int64(binary.LittleEndian.Uint64(first.raw[attrInitializedSize:]))
	if c.size < 0 || c.written < 0 {
		return nil, corrupt("attribute %#x: %d of %d bytes", typ, c.written, c.size)
	}
	next := int64(0)
	for _, p := range parts {
		if p.resident() || p.lowestVCN() != next {
			return nil, corrupt("attribute %#x: part at VCN %d is missing", typ, next)
		}
		runs, err := v.decodeRuns(p)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			next += r.length
		}
		c.runs = append(c.runs, runs...)
	}
	if c.size > next*v.clusterSize {
		return nil, corrupt("attribute %#x: %d bytes in %d clusters", typ, c.size, next)
	}
	return c, nil
}

// gather returns the parts of an attribute in the order of their VCNs.
func (v *Volume) gather(rec []byte, typ uint32, name string) ([]attribute, error) {
	listed, err := v.listed(rec, typ, name)
	if err != nil {
		return nil, err
	}
	var parts []attribute
	if listed == nil {
		a, ok, err := findAttribute(rec, func(a attribute) bool { return a.typ == typ && a.name() == name })
		if err != nil || !ok {
			return nil, err
		}
		return []attribute{a}, nil
	}
	for _, p := range listed {
		a, err := v.part(p, typ)
		if err != nil {
			return nil, err
		}
		parts = append(parts, a)
	}
	return parts, nil
}

// listedPart is an entry of an attribute list: where a part is.
type listedPart struct {
	lowest   int64
	record   int64
	instance uint16
}

// Attribute list entry (ntfsdoc, $ATTRIBUTE_LIST).
const (
	listLength     = 4  // u16
	listNameLength = 6  // u8
	listNameOffset = 7  // u8
	listLowest     = 8  // i64
	listRef        = 16 // u64
	listInstance   = 24 // u16
	listMin        = 26
)

// listed reads the attribute list of a base record for one attribute; nil
// when the record has no list.
func (v *Volume) listed(rec []byte, typ uint32, name string) ([]listedPart, error) {
	a, ok, err := findAttribute(rec, func(a attribute) bool { return a.typ == attrList })
	if err != nil || !ok {
		return nil, err
	}
	list, err := v.attributeList(a)
	if err != nil {
		return nil, err
	}
	parts := []listedPart{}
	for len(list) >= listMin {
		length := int(binary.LittleEndian.Uint16(list[listLength:]))
		if length < listMin || length > len(list) {
			return nil, corrupt("attribute list entry of %d bytes", length)
		}
		nameAt, nameEnd := int(list[listNameOffset]), int(list[listNameOffset])+2*int(list[listNameLength])
		if list[listNameLength] > 0 && nameEnd > length {
			return nil, corrupt("attribute list entry: name ends at %d of %d", nameEnd, length)
		}
		entryName := ""
		if list[listNameLength] > 0 {
			entryName = decodeUTF16(list[nameAt:nameEnd])
		}
		if binary.LittleEndian.Uint32(list) == typ && entryName == name {
			parts = append(parts, listedPart{
				int64(binary.LittleEndian.Uint64(list[listLowest:])),
				refNumber(binary.LittleEndian.Uint64(list[listRef:])),
				binary.LittleEndian.Uint16(list[listInstance:]),
			})
		}
		list = list[length:]
	}
	slices.SortStableFunc(parts, func(a, b listedPart) int { return cmp.Compare(a.lowest, b.lowest) })
	return parts, nil
}

// attributeList returns the bytes of an attribute list, which is never itself
// split; Windows limits it to 256 KiB.
func (v *Volume) attributeList(a attribute) ([]byte, error) {
	if a.resident() {
		return a.value()
	}
	size := int64(binary.LittleEndian.Uint64(a.raw[attrDataSize:]))
	if size < 0 || size > 256<<10 {
		return nil, corrupt("attribute list of %d bytes", size)
	}
	runs, err := v.decodeRuns(a)
	if err != nil {
		return nil, err
	}
	extents, err := v.locate(runs, 0, size)
	if err != nil {
		return nil, err
	}
	return volume.Read(v.r, extents)
}

// part loads the attribute that a list entry names.
func (v *Volume) part(p listedPart, typ uint32) (attribute, error) {
	rec, err := v.record(p.record)
	if err != nil {
		return attribute{}, err
	}
	a, ok, err := findAttribute(rec, func(a attribute) bool { return a.typ == typ && a.instance() == p.instance })
	if err == nil && !ok {
		err = corrupt("MFT record %d lacks attribute %#x, instance %d", p.record, typ, p.instance)
	}
	return a, err
}
