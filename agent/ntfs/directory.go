package ntfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/stickpress/stickpress/agent/volume"
)

// Index structures (ntfsdoc, $INDEX_ROOT and $INDEX_ALLOCATION).
const (
	indexName       = "$I30" // the index of file names
	rootHeader      = 16     // in the root: the INDEX_HEADER
	blockHeader     = 24     // in an INDX block: the INDEX_HEADER
	headerEntries   = 0      // u32, from the header
	headerLength    = 4      // u32, from the header
	headerMin       = 16
	entryRef        = 0  // u64
	entryLength     = 8  // u16
	entryKeyLength  = 10 // u16
	entryFlags      = 12 // u16
	entryKey        = 16
	entryHasSubnode = 1
	entryLast       = 2
	// $FILE_NAME, the key
	nameLength    = 64 // u8, UTF-16 units
	nameSpace     = 65 // u8: 0 POSIX, 1 Win32, 2 DOS, 3 both
	nameText      = 66
	nameSpaceDOS  = 2
	maxIndexDepth = 32
)

// Entry is one name in a directory.
type Entry struct {
	Name   string // as stored
	Record int64  // MFT record number
}

// List returns the names in a directory in the order of its index; pure DOS
// short names are left out.
func (v *Volume) List(dir string) ([]Entry, error) {
	f, err := v.Find(dir)
	if err != nil {
		return nil, err
	}
	entries, err := v.list(f.number)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", dir, err)
	}
	return entries, nil
}

// Find looks a path up, with / between names, ignoring case the way that the
// volume does; an exact match is preferred where names differ in case alone.
// ErrNotFound is wrapped when a name is not there.
func (v *Volume) Find(path string) (*File, error) {
	_, f, err := v.lookup(path)
	return f, err
}

// Stored returns a path as its names are stored, for tools that care about
// case.
func (v *Volume) Stored(path string) (string, error) {
	stored, _, err := v.lookup(path)
	return stored, err
}

// Variants returns the stored names in dir that equal name but for case.
// A directory that is not there holds none.
func (v *Volume) Variants(dir, name string) ([]string, error) {
	entries, err := v.List(dir)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var same []string
	for _, e := range entries {
		equal, err := v.equalFold(e.Name, name)
		if err != nil {
			return nil, err
		}
		if equal {
			same = append(same, e.Name)
		}
	}
	return same, nil
}

func (v *Volume) lookup(path string) (string, *File, error) {
	number := int64(recordRoot)
	var stored []string
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		entries, err := v.list(number)
		if err != nil {
			return "", nil, fmt.Errorf("look up %q: %w", path, err)
		}
		found, err := v.choose(entries, part)
		if err != nil {
			return "", nil, err
		}
		if found == nil {
			return "", nil, fmt.Errorf("%q: %w", path, ErrNotFound)
		}
		number = found.Record
		stored = append(stored, found.Name)
	}
	f, err := v.open(number)
	if err != nil {
		return "", nil, fmt.Errorf("open %q: %w", path, err)
	}
	return strings.Join(stored, "/"), f, nil
}

func (v *Volume) choose(entries []Entry, name string) (*Entry, error) {
	var found *Entry
	for i, e := range entries {
		if e.Name == name {
			return &entries[i], nil
		}
		equal, err := v.equalFold(e.Name, name)
		if err != nil {
			return nil, err
		}
		if equal && found == nil {
			found = &entries[i]
		}
	}
	return found, nil
}

// list walks the index of a directory.
func (v *Volume) list(number int64) ([]Entry, error) {
	rec, err := v.record(number)
	if err != nil {
		return nil, err
	}
	root, err := v.stream(rec, attrIndexRoot, indexName)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("MFT record %d is not a directory: %w", number, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	w := indexWalk{v: v, seen: make(map[int64]bool)}
	allocation, err := v.stream(rec, attrIndexAllocation, indexName)
	switch {
	case err == nil:
		w.runs = allocation.runs
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	if len(root.resident) < rootHeader+headerMin {
		return nil, corrupt("MFT record %d: index root of %d bytes", number, len(root.resident))
	}
	if err := w.node(root.resident[rootHeader:], 0); err != nil {
		return nil, fmt.Errorf("MFT record %d: %w", number, err)
	}
	return w.entries, nil
}

// indexWalk visits the nodes of one directory's B-tree.
type indexWalk struct {
	v       *Volume
	runs    []run
	seen    map[int64]bool
	entries []Entry
}

// node reads the entries of one node, given from its INDEX_HEADER on, and
// the nodes below each.
func (w *indexWalk) node(header []byte, depth int) error {
	start, end := binary.LittleEndian.Uint32(header[headerEntries:]), binary.LittleEndian.Uint32(header[headerLength:])
	if start < headerMin || int64(end) > int64(len(header)) || start > end {
		return corrupt("index entries from %d to %d of %d", start, end, len(header))
	}
	for rest := header[start:end]; ; {
		if len(rest) < entryKey {
			return corrupt("index node has no last entry")
		}
		length := int(binary.LittleEndian.Uint16(rest[entryLength:]))
		flags := binary.LittleEndian.Uint16(rest[entryFlags:])
		if length < entryKey || length > len(rest) {
			return corrupt("index entry of %d bytes", length)
		}
		entry := rest[:length]
		if flags&entryHasSubnode != 0 {
			if length < entryKey+8 {
				return corrupt("index entry of %d bytes with a subnode", length)
			}
			if err := w.block(int64(binary.LittleEndian.Uint64(entry[length-8:])), depth+1); err != nil {
				return err
			}
		}
		if flags&entryLast != 0 {
			return nil
		}
		if err := w.name(entry); err != nil {
			return err
		}
		rest = rest[length:]
	}
}

func (w *indexWalk) name(entry []byte) error {
	key := entry[entryKey:]
	if n := int(binary.LittleEndian.Uint16(entry[entryKeyLength:])); n < len(key) {
		key = key[:n]
	}
	if len(key) < nameText || nameText+2*int(key[nameLength]) > len(key) {
		return corrupt("index key of %d bytes", len(key))
	}
	if key[nameSpace] == nameSpaceDOS {
		return nil
	}
	w.entries = append(w.entries, Entry{
		Name:   decodeUTF16(key[nameText : nameText+2*int(key[nameLength])]),
		Record: refNumber(binary.LittleEndian.Uint64(entry[entryRef:])),
	})
	return nil
}

// block reads the INDX block at a VCN. VCNs count clusters, or 512-byte
// units where a block is smaller than a cluster.
func (w *indexWalk) block(vcn int64, depth int) error {
	if w.seen[vcn] || depth > maxIndexDepth {
		return corrupt("index block %d is its own descendant", vcn)
	}
	w.seen[vcn] = true
	unit := w.v.clusterSize
	if w.v.indexSize < unit {
		unit = fixupStride
	}
	if vcn < 0 || vcn > 1<<40 {
		return corrupt("index block %d", vcn)
	}
	extents, err := w.v.locate(w.runs, vcn*unit, w.v.indexSize)
	if err != nil {
		return fmt.Errorf("index block %d: %w", vcn, err)
	}
	raw, err := volume.Read(w.v.r, extents)
	if err != nil {
		return fmt.Errorf("index block %d: %w", vcn, err)
	}
	if err := undoFixups(raw, "INDX"); err != nil {
		return fmt.Errorf("index block %d: %w", vcn, err)
	}
	return w.node(raw[blockHeader:], depth)
}

// equalFold compares names through the volume's own $UpCase table.
func (v *Volume) equalFold(a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	if v.upcase == nil {
		if err := v.loadUpCase(); err != nil {
			return false, err
		}
	}
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	if len(x) != len(y) {
		return false, nil
	}
	for i := range x {
		if v.upcase[x[i]] != v.upcase[y[i]] {
			return false, nil
		}
	}
	return true, nil
}

func (v *Volume) loadUpCase() error {
	f, err := v.open(recordUpCase)
	if err != nil {
		return fmt.Errorf("open $UpCase: %w", err)
	}
	if f.size != 2<<16 {
		return corrupt("$UpCase of %d bytes", f.size)
	}
	raw, err := f.Read()
	if err != nil {
		return fmt.Errorf("read $UpCase: %w", err)
	}
	table := make([]uint16, 1<<16)
	for i := range table {
		table[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	v.upcase = table
	return nil
}

func decodeUTF16(raw []byte) string {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return string(utf16.Decode(units))
}
