package stick

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/fat"
	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/bootcode"
	"github.com/stickpress/stickpress/agent/volume"
)

// Facts are what of a master can still be looked for on a stick whose Windows
// has run, when no hash of a chunk holds any more; and what tells that it has.
type Facts struct {
	Layout     string      `json:"layout"`
	SectorSize int         `json:"sector_size"`
	Partitions []Partition `json:"partitions"`
	// MBRCode, FATBoot and NTFSBoot are hashes of the boot sectors without what
	// differs per stick and what Windows may change.
	MBRCode  Sum        `json:"mbr_code"`
	FATBoot  Sum        `json:"fat_boot"`
	NTFSBoot Sum        `json:"ntfs_boot"`
	Files    []BootFile `json:"files"`  // of the system volume, without those that differ per stick
	Stores   []string   `json:"stores"` // paths of the boot stores there
	Hives    []HiveMark `json:"hives"`  // the SYSTEM hive and its logs
	// Journal says that the Windows volume came with a journal.
	Journal bool `json:"journal"`
}

// BootFile is a file of the system volume.
type BootFile struct {
	Path  string `json:"path"` // with / between names
	Bytes int64  `json:"bytes"`
	XXH3  Sum    `json:"xxh3"`
}

// HiveMark is when a hive, or a log of one, was last written. Logs that are
// empty, or missing, have no mark.
type HiveMark struct {
	Path string     `json:"path"`
	Mark *hive.Mark `json:"mark,omitempty"`
}

// hiveLogs are the suffixes of a hive's own name and of its logs.
var hiveLogs = []string{"", ".LOG1", ".LOG2"}

// Facts implements Described. They are gathered once.
func (m *Master) Facts() (*Facts, error) { return m.facts() }

func (m *Master) gatherFacts() (*Facts, error) {
	f := &Facts{Layout: m.plan.Layout, SectorSize: m.plan.SectorSize, Partitions: m.plan.Partitions}
	if f.Layout == protocol.LayoutMBRDual {
		f.MBRCode = SumOf(m.plan.mbr(Personal{})[:bootcode.MBRCodeSize])
	}
	var err error
	if f.FATBoot, err = fatBoot(m.files[m.part(RoleSystem)], f.Layout); err != nil {
		return nil, err
	}
	if f.NTFSBoot, err = ntfsBoot(m.files[m.part(RoleWindows)]); err != nil {
		return nil, err
	}
	for _, s := range m.manifest.Places.Stores {
		f.Stores = append(f.Stores, storePath(s.Firmware))
	}
	if f.Files, err = bootFiles(m.files[m.part(RoleSystem)], append([]string{TagName}, f.Stores...)); err != nil {
		return nil, err
	}
	v, err := ntfs.Open(m.files[m.part(RoleWindows)])
	if err != nil {
		return nil, err
	}
	if f.Hives, err = hiveMarks(v); err != nil {
		return nil, err
	}
	f.Journal, err = v.LogBegun()
	return f, err
}

// part is the index of a role's file.
func (m *Master) part(role Role) int {
	at := m.plan.Partition(role).Offset
	return slices.IndexFunc(m.manifest.Partitions, func(p partFile) bool { return p.Offset == at })
}

// fatBoot hashes the boot sector of a FAT32 volume, and the second sector of
// boot code where a BIOS starts it, without serial number and label, and
// without the flags that say that somebody has it mounted.
func fatBoot(r io.ReaderAt, layout string) (Sum, error) {
	raw := make([]byte, bootcode.PatchSize)
	if err := readFull(r, raw, 0); err != nil {
		return Sum{}, err
	}
	const sector, flags, serial, label = 512, 65, 67, 71
	clear(raw[flags : flags+1])
	clear(raw[serial : label+fat.LabelBytes])
	boot := raw[:sector:sector]
	if layout == protocol.LayoutMBRDual {
		boot = append(boot, raw[bootcode.SecondSector*sector:(bootcode.SecondSector+1)*sector]...)
	}
	return SumOf(boot), nil
}

// ntfsBoot hashes what of an NTFS boot sector says what the volume is and where
// it begins; its length grows with it.
func ntfsBoot(r io.ReaderAt) (Sum, error) {
	raw := make([]byte, 512)
	if err := readFull(r, raw, 0); err != nil {
		return Sum{}, err
	}
	const from, to = 3, 32 // the name of the format to the hidden sectors
	return SumOf(raw[from:to]), nil
}

// bootFiles lists the files of a FAT32 volume, but for those left out.
func bootFiles(r io.ReaderAt, without []string) ([]BootFile, error) {
	v, err := fat.Open(r)
	if err != nil {
		return nil, err
	}
	var files []BootFile
	var walk func(dir *fat.File, at string, depth int) error
	walk = func(dir *fat.File, at string, depth int) error {
		const deepest = 16
		entries, err := dir.List()
		if err != nil || depth > deepest {
			return err
		}
		for i := range entries {
			e := &entries[i]
			name := path.Join(at, e.Name)
			switch {
			case e.Directory:
				err = walk(e, name, depth+1)
			case !slices.ContainsFunc(without, func(s string) bool { return strings.EqualFold(s, name) }):
				var sum Sum
				if sum, err = sumFile(r, e); err == nil {
					files = append(files, BootFile{name, e.Size, sum})
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	root, err := v.Find("")
	if err == nil {
		err = walk(root, "", 0)
	}
	if err != nil {
		return nil, fmt.Errorf("list the boot files: %w", err)
	}
	return files, nil
}

func sumFile(r io.ReaderAt, f *fat.File) (Sum, error) {
	extents, err := f.Extents()
	if err != nil {
		return Sum{}, err
	}
	data, err := volume.Read(r, extents)
	if err != nil {
		return Sum{}, err
	}
	return SumOf(data), nil
}

// hiveMarks reads the marks of the SYSTEM hive and its logs. A file that is
// missing, or is none of them, has none.
func hiveMarks(v *ntfs.Volume) ([]HiveMark, error) {
	var marks []HiveMark
	for _, suffix := range hiveLogs {
		m := HiveMark{Path: systemHive + suffix}
		base := make([]byte, 512)
		f, err := v.Find(m.Path)
		if err == nil {
			_, err = f.ReadAt(base, 0)
		}
		if mark, ok := hive.ReadMark(base); err == nil && ok {
			m.Mark = &mark
		}
		if err != nil && suffix == "" {
			return nil, fmt.Errorf("read %s: %w", m.Path, err)
		}
		marks = append(marks, m)
	}
	return marks, nil
}

// check refuses facts that would lead outside of a device of size bytes.
func (f *Facts) check(size int64) error {
	known := []Role{RoleSystem, RoleReserved, RoleWindows}
	seen := map[Role]bool{}
	for _, p := range f.Partitions {
		if !slices.Contains(known, p.Role) || seen[p.Role] || p.Offset <= 0 || p.Length <= 0 || p.Offset > size-p.Length {
			return badRecord("partition %+v on a device of %d bytes", p, size)
		}
		seen[p.Role] = true
	}
	if !seen[RoleSystem] || !seen[RoleWindows] || f.SectorSize != 512 && f.SectorSize != 4096 ||
		f.Layout != protocol.LayoutMBRDual && f.Layout != protocol.LayoutGPTUEFI {
		return badRecord("layout %q with %d partitions and sectors of %d bytes", f.Layout, len(f.Partitions), f.SectorSize)
	}
	return nil
}

func (f *Facts) partition(role Role) Partition {
	i := slices.IndexFunc(f.Partitions, func(p Partition) bool { return p.Role == role })
	return f.Partitions[i]
}

// isProgram reports whether bytes begin like a program that firmware loads.
func isProgram(b []byte) bool { return bytes.HasPrefix(b, []byte("MZ")) }
