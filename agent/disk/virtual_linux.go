package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// fileInfo is what lies beneath a virtual stick.
type fileInfo struct {
	path       string // with the folder's symbolic links resolved
	dev, inode uint64
	mode       uint32
	links      uint32
	folderDev  uint64
}

// plain reports whether the file is a regular one with this single name, on
// the same filesystem as its folder.
func (f *fileInfo) plain() bool {
	return f.mode&unix.S_IFMT == unix.S_IFREG && f.links == 1 && f.dev == f.folderDev
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
	if err == nil {
		folder, err = filepath.EvalSymlinks(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("folder of virtual sticks: %w", err)
	}
	if name != filepath.Base(name) || !strings.HasSuffix(name, virtualSuffix) {
		return nil, fmt.Errorf("virtual stick %q: %w", name, fs.ErrNotExist)
	}
	var st unix.Statx_t
	var dir unix.Stat_t
	path := filepath.Join(folder, name)
	err = unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	if err == nil {
		err = unix.Stat(folder, &dir)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	c := &candidate{file: &fileInfo{
		path: path, dev: unix.Mkdev(st.Dev_major, st.Dev_minor), inode: st.Ino,
		mode: uint32(st.Mode), links: st.Nlink, folderDev: dir.Dev,
	}}
	c.Device = protocol.Device{
		Identity: protocol.Identity{
			Kind: protocol.KindVirtual, Port: name, Serial: virtualSerial(name), Bytes: int64(st.Size),
			// Another file of the same name is another connection. Inodes
			// are used again at once, so the time of birth goes in.
			Connection: mix(fmt.Sprint(st.Ino, st.Btime.Sec, st.Btime.Nsec)) & (1<<53 - 1),
		},
		Path: path, Socket: protocol.KindVirtual + "-" + name, Vendor: VirtualVendor, Model: VirtualModel, SectorSize: 512, Removable: true,
	}
	c.ro = c.file.plain() && unix.Access(path, unix.R_OK|unix.W_OK) != nil
	return c, nil
}
