package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
	"github.com/stickpress/stickpress/agent/protocol"
)

// fileInfo is what lies beneath a virtual stick.
type fileInfo struct {
	windows.ByHandleFileInformation
}

func readFileInfo(h windows.Handle) (*fileInfo, error) {
	f := new(fileInfo)
	return f, windows.GetFileInformationByHandle(h, &f.ByHandleFileInformation)
}

// plain reports whether the file is a regular one with this single name.
func (f *fileInfo) plain() bool {
	const other = windows.FILE_ATTRIBUTE_DIRECTORY | windows.FILE_ATTRIBUTE_REPARSE_POINT | windows.FILE_ATTRIBUTE_DEVICE
	return f.FileAttributes&other == 0 && f.NumberOfLinks == 1
}

func (f *fileInfo) size() int64 { return int64(f.FileSizeHigh)<<32 | int64(f.FileSizeLow) }

// same reports whether two are one file.
func (f *fileInfo) same(o *fileInfo) bool {
	return f.VolumeSerialNumber == o.VolumeSerialNumber && f.FileIndexHigh == o.FileIndexHigh && f.FileIndexLow == o.FileIndexLow
}

// refuse is the guard of virtual sticks: a link, or a file with a second name,
// is none.
func (f *fileInfo) refuse(d *drive.Drive) []*protocol.Fault {
	switch {
	case !f.plain():
		return []*protocol.Fault{protocol.NewFault(protocol.FaultNotRemovable, "path", d.Path)}
	case f.FileAttributes&windows.FILE_ATTRIBUTE_READONLY != 0:
		return []*protocol.Fault{protocol.NewFault(protocol.FaultReadOnly, "path", d.Path)}
	}
	return []*protocol.Fault{}
}

// virtualSticks lists the files of VirtualDir; a folder that does not exist
// yet holds none.
func (l *Lister) virtualSticks() ([]*candidate, error) {
	if l.VirtualDir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(l.VirtualDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list virtual sticks: %w", err)
	}
	var out []*candidate
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), virtualSuffix) {
			continue
		}
		c, err := l.virtualStick(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed while we looked
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (l *Lister) virtualStick(name string) (*candidate, error) {
	folder, err := filepath.Abs(l.VirtualDir)
	if err != nil {
		return nil, fmt.Errorf("folder of virtual sticks: %w", err)
	}
	if name != filepath.Base(name) || !strings.HasSuffix(name, virtualSuffix) {
		return nil, fmt.Errorf("virtual stick %q: %w", name, fs.ErrNotExist)
	}
	path := filepath.Join(folder, name)
	if held := l.holder(path); held != nil { // nobody else may open it then
		c := &candidate{file: held.file}
		c.Device = held.device
		return c, nil
	}
	h, err := create(path, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE,
		windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_FLAG_BACKUP_SEMANTICS)
	if err != nil {
		return nil, err
	}
	defer closeHandle(h)
	info, err := readFileInfo(h)
	if err != nil {
		return nil, fmt.Errorf("virtual stick %s: %w", path, err)
	}
	c := &candidate{file: info}
	c.Device = protocol.Device{
		Identity: protocol.Identity{
			Kind: protocol.KindVirtual, Port: name, Serial: virtualSerial(name), Bytes: info.size(),
			// Another file of the same name is another connection.
			Connection: mix(fmt.Sprint(info.VolumeSerialNumber, info.FileIndexHigh, info.FileIndexLow,
				info.CreationTime.Nanoseconds())) & (1<<53 - 1),
		},
		Path: path, Vendor: VirtualVendor, Model: VirtualModel, SectorSize: 512, Removable: true,
		Volumes: []string{}, AutomountedAt: []string{},
	}
	return c, nil
}

// checkFile compares the open file with the one that is found now.
func (h *Handle) checkFile(c *candidate) error {
	open, err := readFileInfo(h.disk)
	switch {
	case err != nil:
		return fmt.Errorf("stat the open %s: %w", c.Path, err)
	case !open.plain():
		return protocol.NewFault(protocol.FaultNotRemovable, "path", c.Path)
	case !open.same(c.file):
		return h.changed("file", c.file.FileIndexLow, open.FileIndexLow)
	case open.size() != c.Bytes:
		return h.changed("bytes", c.Bytes, open.size())
	}
	return nil
}

// zeroData is FILE_ZERO_DATA_INFORMATION, the question of FSCTL_SET_ZERO_DATA:
// the first byte and the one after the last.
func zeroData(off, length int64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(off))
	return binary.LittleEndian.AppendUint64(b, uint64(off+length))
}
