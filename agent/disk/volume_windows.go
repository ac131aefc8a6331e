package disk

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/stickpress/stickpress/agent/disk/drive"
)

// volumeList lists the volumes of the machine with their places. It asks the
// volume manager, not the disks. What is no volume on disks, such as a CD, has
// no extents.
func volumeList() ([]drive.Volume, error) {
	name := make([]uint16, windows.MAX_PATH)
	find, err := windows.FindFirstVolume(&name[0], uint32(len(name)))
	if errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	defer func() { _ = windows.FindVolumeClose(find) }()
	var out []drive.Volume
	for {
		v := drive.Volume{Name: windows.UTF16ToString(name)}
		v.Extents, _ = extents(v.Name)
		if v.Mounts, err = mounts(v.Name); err != nil {
			return nil, err
		}
		out = append(out, v)
		err := windows.FindNextVolume(find, &name[0], uint32(len(name)))
		if errors.Is(err, windows.ERROR_NO_MORE_FILES) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list volumes: %w", err)
		}
	}
}

// extents asks on which disks a volume lies. The device has the volume's name
// without the backslash, which would be its root directory.
func extents(volume string) ([]drive.Extent, error) {
	h, err := openPath(strings.TrimSuffix(volume, `\`), 0)
	if err != nil {
		return nil, err
	}
	defer closeHandle(h)
	raw, err := controlGrowing(h, drive.GetVolumeExtents, nil)
	if err != nil {
		return nil, err
	}
	return drive.DecodeExtents(raw)
}

// mounts lists the letters and folders of a volume.
func mounts(volume string) ([]string, error) {
	name, err := windows.UTF16PtrFromString(volume)
	if err != nil {
		return nil, err
	}
	for size := uint32(windows.MAX_PATH); ; size *= 4 {
		buf := make([]uint16, size)
		var n uint32
		err := windows.GetVolumePathNamesForVolumeName(name, &buf[0], size, &n)
		switch {
		case errors.Is(err, windows.ERROR_MORE_DATA) && size < 1<<20:
			continue
		case errors.Is(err, windows.ERROR_FILE_NOT_FOUND): // it went away
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("list mount points of %s: %w", volume, err)
		}
		return multi(buf[:n]), nil
	}
}

// multi splits a list of strings that end with zeros.
func multi(buf []uint16) (out []string) {
	for start := 0; start < len(buf); {
		s := windows.UTF16ToString(buf[start:])
		if s == "" {
			break
		}
		out = append(out, s)
		start += len(windows.StringToUTF16(s))
	}
	return out
}

// readVolumes asks the volumes of a disk for their names, and the disk for
// BitLocker's mark and for what Windows does not recognise.
func (c *candidate) readVolumes() {
	h, err := openPath(c.Path, windows.GENERIC_READ)
	if err == nil {
		defer closeHandle(h)
	}
	readable := err == nil
	for i := range c.Drive.Volumes {
		v := &c.Drive.Volumes[i]
		var label, format [windows.MAX_PATH]uint16
		name, err := windows.UTF16PtrFromString(v.Name)
		if err == nil {
			err = windows.GetVolumeInformation(name, &label[0], uint32(len(label)), nil, nil, nil, &format[0], uint32(len(format)))
		}
		if err == nil {
			v.Label, v.Format = windows.UTF16ToString(label[:]), windows.UTF16ToString(format[:])
		}
		unknown := ""
		for _, e := range v.Extents {
			if e.Disk == c.Number && readable {
				unknown = signatureAt(h, e.Offset, c.SectorSize)
				v.Encrypted = v.Encrypted || unknown == bitLocker
			}
		}
		title := v.Title()
		if title == "" {
			title = unknown
		}
		if title != "" {
			c.Device.Volumes = append(c.Device.Volumes, title)
		}
	}
}

// signatureAt names what begins at an offset of a disk, empty if nothing is
// known or it cannot be read.
func signatureAt(h windows.Handle, offset int64, sectorSize int) string {
	b := aligned(signatureBytes)
	n, err := readAt(h, b, offset)
	if err != nil || n < sectorSize {
		return ""
	}
	return signature(b[:n])
}

// look collects what the guards need to know of the machine.
func (l *Lister) look() (*drive.Machine, error) {
	all, err := volumeList()
	if err != nil {
		return nil, err
	}
	m := &drive.Machine{Running: map[uint32]bool{}, Paging: map[uint32]bool{}, Data: map[uint32]bool{}}
	windowsDir, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return nil, fmt.Errorf("find the running Windows: %w", err)
	}
	if err := addPath(m.Running, all, windowsDir); err != nil {
		return nil, err
	}
	if err := addSystemPartition(m.Running); err != nil {
		return nil, err
	}
	files, err := pageFiles()
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		if err := addPath(m.Paging, all, path); err != nil {
			return nil, err
		}
	}
	for _, path := range l.DataDirs {
		if err := addPath(m.Data, all, path); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// addPath adds the disks beneath a file or folder. A path that cannot be
// placed is an error: nothing is offered then.
func addPath(set map[uint32]bool, all []drive.Volume, path string) error {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	root, volume := make([]uint16, windows.MAX_LONG_PATH), make([]uint16, windows.MAX_PATH)
	if err := windows.GetVolumePathName(name, &root[0], uint32(len(root))); err != nil {
		return fmt.Errorf("find the volume of %s: %w", path, err)
	}
	if err := windows.GetVolumeNameForVolumeMountPoint(&root[0], &volume[0], uint32(len(volume))); err != nil {
		return fmt.Errorf("find the volume of %s: %w", path, err)
	}
	want := windows.UTF16ToString(volume)
	for _, v := range all {
		if strings.EqualFold(v.Name, want) {
			for _, e := range v.Extents {
				set[e.Disk] = true
			}
			return nil
		}
	}
	return fmt.Errorf("find the volume of %s: %s is not listed", path, want)
}

// addSystemPartition adds the disk of the partition that the firmware started,
// which the registry names by its device.
func addSystemPartition(set map[uint32]bool) error {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\Setup`, registry.QUERY_VALUE)
	if err != nil {
		return fmt.Errorf("find the system partition: %w", err)
	}
	defer key.Close()
	device, _, err := key.GetStringValue("SystemPartition")
	if err != nil {
		return fmt.Errorf("find the system partition: %w", err)
	}
	parts, err := extents(`\\?\GLOBALROOT` + device)
	if err != nil {
		return fmt.Errorf("find the system partition %s: %w", device, err)
	}
	for _, e := range parts {
		set[e.Disk] = true
	}
	return nil
}

// pageFiles lists the page files in use. The registry has them as the kernel
// names them, `\??\C:\pagefile.sys`.
func pageFiles() ([]string, error) {
	const memory = `SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management`
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, memory, registry.QUERY_VALUE)
	if err != nil {
		return nil, fmt.Errorf("find the page files: %w", err)
	}
	defer key.Close()
	files, _, err := key.GetStringsValue("ExistingPageFiles")
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the page files: %w", err)
	}
	for i, f := range files {
		files[i] = strings.TrimPrefix(f, `\??\`)
	}
	return files, nil
}

// readAt reads from an offset of a device or file.
func readAt(h windows.Handle, b []byte, offset int64) (int, error) {
	var n uint32
	at := windows.Overlapped{Offset: uint32(offset), OffsetHigh: uint32(offset >> 32)}
	err := windows.ReadFile(h, b, &n, &at)
	return int(n), err
}

// writeAt writes to an offset of a device or file.
func writeAt(h windows.Handle, b []byte, offset int64) (int, error) {
	var n uint32
	at := windows.Overlapped{Offset: uint32(offset), OffsetHigh: uint32(offset >> 32)}
	err := windows.WriteFile(h, b, &n, &at)
	return int(n), err
}
