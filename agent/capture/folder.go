package capture

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/vdisk"
)

// suffixes are the names of files that are offered: virtual disks, and raw
// images of disks and volumes.
var suffixes = []string{".vhd", ".vhdx", ".img", ".raw", ".ntfs"}

const (
	maxDepth  = 4   // folders below an allowed one, itself included
	maxFiles  = 200 // that are offered
	rawSector = 512 // raw images do not say; a GPT for 4096 is found anyway
)

// Folders are the folders of a host whose disk images may be captured; no
// other file of the host ever is.
type Folders []string

// List returns the images in all folders and a few levels below, by path, as
// devices of protocol.KindFile: their port is the path. A folder that cannot
// be read holds none; of more than 200 files the last are left out.
func (d Folders) List() []protocol.Device {
	var found []protocol.Device
	for _, folder := range d {
		root, err := os.OpenRoot(folder)
		if err != nil {
			continue
		}
		_ = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil //nolint:nilerr // what cannot be read is not offered
			case e.IsDir() && strings.Count(path, "/")+2 > maxDepth && path != ".":
				return fs.SkipDir
			case !e.Type().IsRegular() || !slices.Contains(suffixes, strings.ToLower(filepath.Ext(path))):
				return nil
			}
			if info, err := e.Info(); err == nil && info.Size() > 0 {
				full := filepath.Join(folder, path)
				found = append(found, protocol.Device{
					Identity: identity(full, info), Path: full, SectorSize: rawSector,
					Volumes: []string{}, AutomountedAt: []string{}, Refusals: []*protocol.Fault{},
				})
			}
			return nil
		})
		root.Close()
	}
	slices.SortFunc(found, func(a, b protocol.Device) int { return cmp.Compare(a.Port, b.Port) })
	found = slices.CompactFunc(found, func(a, b protocol.Device) bool { return a.Port == b.Port })
	return found[:min(len(found), maxFiles)]
}

// identity is a file as it is now: a change of its length or its content's
// time is another connection.
func identity(path string, info fs.FileInfo) protocol.Identity {
	h := fnv.New64a()
	fmt.Fprint(h, info.Size(), info.ModTime().UnixNano())
	return protocol.Identity{Kind: protocol.KindFile, Port: path, Bytes: info.Size(), Connection: int64(h.Sum64() & (1<<53 - 1))}
}

// File is an open image.
type File struct {
	Source
	file *os.File
	want protocol.Identity
}

// Close ends the use of it as a Source.
func (f *File) Close() error { return f.file.Close() }

// Check returns device_changed when somebody has written to the file since it
// was confirmed: a virtual machine that runs from it, say. What was read
// of it is then of two times.
func (f *File) Check() error {
	info, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("look at %s: %w", f.want.Port, err)
	}
	if have := identity(f.want.Port, info); have != f.want {
		return protocol.NewFault(protocol.FaultDeviceChanged, "path", f.want.Port, "what", "content",
			"want", strconv.FormatInt(f.want.Connection, 10), "have", strconv.FormatInt(have.Connection, 10))
	}
	return nil
}

// Open opens the file that want names for reading, if it lies in an allowed
// folder and is what was confirmed: device_gone, device_changed. A virtual
// disk is opened to its content: capture_dirty when its log was not applied,
// capture_file when it cannot be read.
func (d Folders) Open(want protocol.Identity) (*File, error) {
	gone := protocol.NewFault(protocol.FaultDeviceGone, "port", want.Port)
	for _, folder := range d {
		inside, err := filepath.Rel(folder, want.Port)
		if err != nil || !filepath.IsLocal(inside) || want.Kind != protocol.KindFile {
			continue
		}
		root, err := os.OpenRoot(folder)
		if err != nil {
			return nil, protocol.WrapFault(err, gone.Code, "port", want.Port)
		}
		defer root.Close()
		// A link is not offered, and is not what was confirmed.
		if info, err := root.Lstat(inside); err != nil || !info.Mode().IsRegular() {
			return nil, gone
		}
		f, err := root.Open(inside)
		if err != nil {
			return nil, protocol.WrapFault(err, gone.Code, "port", want.Port)
		}
		file, err := open(f, want)
		if err != nil {
			f.Close()
			return nil, err
		}
		return file, nil
	}
	return nil, gone
}

func open(f *os.File, want protocol.Identity) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", want.Port, err)
	}
	file := &File{file: f, want: want}
	if err := file.Check(); err != nil {
		return nil, err
	}
	src := Source{f, info.Size(), rawSector}
	disk, err := vdisk.Open(f, info.Size())
	switch {
	case err == nil:
		src = Source{disk, disk.Size(), disk.SectorSize()}
	case errors.Is(err, vdisk.ErrDirtyLog):
		return nil, protocol.WrapFault(err, protocol.FaultCaptureDirty, "partition", 0)
	case !errors.Is(err, vdisk.ErrUnknown):
		return nil, protocol.WrapFault(err, protocol.FaultCaptureFile, "path", want.Port, "detail", err)
	}
	// What lies behind the last whole sector is no part of a disk.
	src.Bytes -= src.Bytes % int64(src.SectorSize)
	file.Source = src
	return file, nil
}
