package ntfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// $VOLUME_INFORMATION (ntfsdoc; ntfs-3g layout.h, VOLUME_INFORMATION).
const (
	attrVolumeInformation = 0x70
	volumeFlags           = 10 // u16
	volumeInformationSize = 12
	volumeIsDirty         = 0x0001
)

// Dirty reports whether the volume carries the mark by which Windows checks
// it at its next start: changes were under way when it was last in use.
func (v *Volume) Dirty() (bool, error) {
	rec, err := v.record(recordVolume)
	if err != nil {
		return false, fmt.Errorf("read $Volume: %w", err)
	}
	a, ok, err := findAttribute(rec, func(a attribute) bool { return a.typ == attrVolumeInformation })
	if err == nil && !ok {
		err = corrupt("$Volume has no information")
	}
	if err != nil {
		return false, err
	}
	info, err := a.value()
	if err != nil {
		return false, fmt.Errorf("read $Volume: %w", err)
	}
	if len(info) < volumeInformationSize {
		return false, corrupt("$Volume: %d bytes of information", len(info))
	}
	return binary.LittleEndian.Uint16(info[volumeFlags:])&volumeIsDirty != 0, nil
}

// Restart page of $LogFile and the restart area in it (ntfsdoc, $LogFile;
// ntfs-3g logfile.h, RESTART_PAGE_HEADER and RESTART_AREA).
const (
	restartPageSize   = 16 // u32, of both restart pages
	restartArea       = 24 // u16, offset of the area
	restartHeader     = 30
	areaLSN           = 0  // i64
	areaClientsInUse  = 12 // u16
	areaFlags         = 14 // u16
	areaMin           = 16
	noClient          = 0xffff
	restartIsClean    = 0x0002
	defaultLogPage    = 4096
	maxLogPage        = 64 << 10
	logProbe          = 512 // the area lies before the first fix-up
	restartAreaSector = 510
)

// LogClean reports whether $LogFile, the journal, holds nothing that has to
// be played back before the volume's content is right: it was emptied, or its
// newest restart area says that nobody was using it or that the volume was
// dismounted. The rule is ntfs-3g's (logfile.c, ntfs_is_logfile_clean).
func (v *Volume) LogClean() (bool, error) {
	f, err := v.open(recordLogFile)
	if err != nil {
		return false, fmt.Errorf("open $LogFile: %w", err)
	}
	first, err := f.restartPage(0)
	if err != nil {
		return false, err
	}
	if first.empty {
		return f.blank()
	}
	size := int64(defaultLogPage)
	if first.valid {
		size = first.pageSize
	}
	second, err := f.restartPage(size)
	if err != nil {
		return false, err
	}
	newest := first
	if second.valid && (!first.valid || second.lsn > first.lsn) {
		newest = second
	}
	return newest.valid && newest.clean, nil
}

// restart is what one restart page says.
type restart struct {
	empty    bool // filled with 0xff: the journal was emptied
	valid    bool
	pageSize int64
	lsn      int64
	clean    bool
}

func (f *File) restartPage(at int64) (restart, error) {
	b := make([]byte, logProbe)
	if _, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		return restart{}, fmt.Errorf("read $LogFile: %w", err)
	}
	if allOnes(b) {
		return restart{empty: true}, nil
	}
	magic := string(b[:4])
	size, offset := int64(binary.LittleEndian.Uint32(b[restartPageSize:])), int(binary.LittleEndian.Uint16(b[restartArea:]))
	if magic != "RSTR" && magic != "CHKD" || size < logProbe || size > maxLogPage || size%logProbe != 0 ||
		offset < restartHeader || offset%8 != 0 || offset+areaMin > restartAreaSector {
		return restart{}, nil
	}
	area := b[offset:]
	return restart{
		valid: true, pageSize: size, lsn: int64(binary.LittleEndian.Uint64(area[areaLSN:])),
		clean: binary.LittleEndian.Uint16(area[areaClientsInUse:]) == noClient ||
			binary.LittleEndian.Uint16(area[areaFlags:])&restartIsClean != 0,
	}, nil
}

// blank reports whether the whole journal is filled with 0xff, as far as a
// restart or record page could begin in it.
func (f *File) blank() (bool, error) {
	b := make([]byte, logProbe)
	for at := int64(0); at < f.size; at += defaultLogPage {
		if _, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return false, fmt.Errorf("read $LogFile: %w", err)
		}
		if !allOnes(b[:min(int64(len(b)), f.size-at)]) {
			return false, nil
		}
	}
	return true, nil
}

func allOnes(b []byte) bool {
	for _, c := range b {
		if c != 0xff {
			return false
		}
	}
	return true
}

// hiberfil is where Windows puts its memory when it sleeps.
const hiberfil = "hiberfil.sys"

// Hibernated reports whether a Windows sleeps on the volume, or was shut down
// by its fast start-up, which is half a sleep: hiberfil.sys begins with the
// mark of an image that is to be resumed or is being resumed ("hibr", "rstr";
// PO_MEMORY_IMAGE of Microsoft's public symbols, as ntfs-3g's
// ntfs_volume_check_hiberfile reads it). "wake" marks one that was resumed,
// zeros one that was never used.
func (v *Volume) Hibernated() (bool, error) {
	f, err := v.Find(hiberfil)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if f.directory {
		return false, nil
	}
	mark := make([]byte, 4)
	if n, err := f.ReadAt(mark, 0); err != nil && !errors.Is(err, io.EOF) || n < len(mark) {
		if errors.Is(err, io.EOF) {
			return false, nil // shorter than any mark
		}
		return false, fmt.Errorf("read %s: %w", hiberfil, err)
	}
	switch string(mark) {
	case "hibr", "HIBR", "rstr", "RSTR":
		return true, nil
	}
	return false, nil
}

// LogBegun reports whether somebody has kept a journal on the volume. Programs
// that make a volume, and ntfs-3g, leave $LogFile empty; Windows begins a
// journal as soon as it mounts the volume for writing.
func (v *Volume) LogBegun() (bool, error) {
	f, err := v.open(recordLogFile)
	if err != nil {
		return false, fmt.Errorf("open $LogFile: %w", err)
	}
	first, err := f.restartPage(0)
	return first.valid, err
}
