package fat

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/stickpress/stickpress/agent/volume"
)

// Directory entries (specification, FAT Directory Structure, Long Names).
const (
	dirEntry      = 32
	dirAttributes = 11
	dirCase       = 12 // Windows NT: 0x08 name, 0x10 extension in lower case
	dirHigh       = 20 // u16, first cluster
	dirLow        = 26 // u16
	dirSize       = 28 // u32
	attrLongName  = 0x0F
	attrVolume    = 0x08
	attrDirectory = 0x10
	maxDirectory  = 2 << 20 // the specification's limit of 65,536 entries
)

// File is a file or directory.
type File struct {
	Name      string
	Directory bool
	Size      int64 // bytes, 0 for directories
	v         *Volume
	cluster   uint32
}

// Find looks a path up, with / between names, ignoring ASCII case.
// ErrNotFound is wrapped when a name is not there.
func (v *Volume) Find(path string) (*File, error) {
	f := &File{Directory: true, v: v, cluster: v.root}
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		entries, err := f.List()
		if err != nil {
			return nil, fmt.Errorf("look up %q: %w", path, err)
		}
		var next *File
		for i := range entries {
			if strings.EqualFold(entries[i].Name, part) {
				next = &entries[i]
				break
			}
		}
		if next == nil {
			return nil, fmt.Errorf("%q: %w", path, ErrNotFound)
		}
		f = next
	}
	return f, nil
}

// Extents says where the content lies on the volume, in its order.
func (f *File) Extents() ([]volume.Extent, error) {
	if f.Size == 0 && !f.Directory {
		return nil, nil
	}
	extents, err := f.v.chain(f.cluster)
	if err != nil || f.Directory {
		return extents, err
	}
	left := f.Size
	for i := range extents {
		extents[i].Length = min(extents[i].Length, left)
		if left -= extents[i].Length; left == 0 {
			return extents[:i+1], nil
		}
	}
	return nil, corrupt("%s: %d bytes short", f.Name, left)
}

// List returns what a directory holds, without "." and "..".
func (f *File) List() ([]File, error) {
	if !f.Directory {
		return nil, fmt.Errorf("%s is not a directory: %w", f.Name, ErrNotFound)
	}
	extents, err := f.Extents()
	if err != nil {
		return nil, err
	}
	if volume.Total(extents) > maxDirectory {
		return nil, corrupt("directory of %d bytes", volume.Total(extents))
	}
	raw, err := volume.Read(f.v.r, extents)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	var files []File
	var long []uint16
	for ; len(raw) >= dirEntry && raw[0] != 0; raw = raw[dirEntry:] {
		e := raw[:dirEntry]
		switch {
		case e[0] == 0xE5: // free
			long = nil
		case e[dirAttributes]&0x3F == attrLongName:
			if e[0]&0x40 != 0 { // the name's last part comes first
				long = nil
			}
			long = append(longPart(e), long...)
		default:
			name := shortName(e)
			if long != nil {
				name = string(utf16.Decode(long))
			}
			long = nil
			if e[dirAttributes]&attrVolume != 0 || name == "." || name == ".." {
				continue
			}
			files = append(files, File{
				Name: name, Directory: e[dirAttributes]&attrDirectory != 0, v: f.v,
				Size: int64(binary.LittleEndian.Uint32(e[dirSize:])),
				cluster: uint32(binary.LittleEndian.Uint16(e[dirHigh:]))<<16 |
					uint32(binary.LittleEndian.Uint16(e[dirLow:])),
			})
		}
	}
	return files, nil
}

// longPart returns the 13 units of a long-name entry up to its terminator.
func longPart(e []byte) []uint16 {
	units := make([]uint16, 0, 13)
	for _, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
		u := binary.LittleEndian.Uint16(e[at:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return units
}

func shortName(e []byte) string {
	base, ext := strings.TrimRight(string(e[:8]), " "), strings.TrimRight(string(e[8:11]), " ")
	if e[dirCase]&0x08 != 0 {
		base = strings.ToLower(base)
	}
	if e[dirCase]&0x10 != 0 {
		ext = strings.ToLower(ext)
	}
	if ext == "" {
		return base
	}
	return base + "." + ext
}
