package stick

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/fat"
	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/bootcode"
	"github.com/stickpress/stickpress/agent/volume"
)

// Boot sector fields that tell what became of the Windows volume ([MS-FVE] has
// no public layout; the name of the format is where NTFS has its own).
const (
	bootFormat    = 3  // 8 bytes
	bootSectors   = 40 // i64
	formatLocked  = "-FVE-FS-"
	maxStoreBytes = 8 * mib
	maxBootFile   = 64 * mib
)

// evidence says how it is known that the stick's Windows has run. Only what a
// running Windows does counts, and only where it is whole: a damaged sector is
// no evidence. A computer that merely mounts the stick writes a journal and a
// folder or two, and loads none of the stick's hives.
//
//   - registry: the SYSTEM hive or one of its logs has a base block whose
//     checksum is right and whose numbers are not those that were pressed.
//     Every start of Windows writes there, the first one before Setup shows
//     anything.
//   - grown: partition table and boot sector agree that the volume is longer.
//   - encrypted: BitLocker has put its name over the volume's.
func (w *reread) evidence() ([]string, error) {
	var found []string
	boot, err := w.windowsBoot()
	if err != nil {
		return nil, err
	}
	if string(boot[bootFormat:bootFormat+8]) == formatLocked {
		return []string{protocol.EvidenceEncrypted}, nil
	}
	if w.grown(boot) {
		found = append(found, protocol.EvidenceGrown)
	}
	v, err := ntfs.Open(w.volume(RoleWindows))
	var marks []HiveMark
	if err == nil {
		marks, err = hiveMarks(v)
	}
	if deviceFault(err) {
		return nil, err
	}
	// A volume that cannot be read is no evidence, it is compared.
	for i, m := range marks {
		if err == nil && i < len(w.facts.Hives) && m.Mark != nil && !sameMark(m.Mark, w.facts.Hives[i].Mark) {
			return append(found, protocol.EvidenceRegistry), nil
		}
	}
	return found, nil
}

func sameMark(have, pressed *hive.Mark) bool { return pressed != nil && *have == *pressed }

// grown compares the length of the Windows volume with the pressed one.
func (w *reread) grown(boot []byte) bool {
	if w.table == nil {
		return false
	}
	pressed := w.facts.partition(RoleWindows)
	now, err := w.table.at(pressed)
	if err != nil || now.Length <= pressed.Length || now.End() > w.src.Size() {
		return false
	}
	sector := int64(w.facts.SectorSize)
	sectors := int64(binary.LittleEndian.Uint64(boot[bootSectors:])) + 1 // the backup boot sector
	return sectors > pressed.Length/sector && sectors <= now.Length/sector
}

// used looks at what Windows leaves alone.
func (w *reread) used(evidence []string) (replaced []string, read int64, err error) {
	if err := w.usedTable(); err != nil {
		return nil, 0, err
	}
	system := w.volume(RoleSystem)
	v, err := fat.Open(system)
	if err != nil {
		if deviceFault(err) {
			return nil, 0, err
		}
		return nil, 0, changed("system_volume", "", "FAT32", err)
	}
	tag, err := readTag(v, system)
	switch {
	case deviceFault(err):
		return nil, 0, err
	case err != nil:
		return nil, 0, changed("manifest", TagName, w.record.StickID, err)
	case tag.DiskID != w.record.DiskID: // its stick was compared before
		return nil, 0, changed("manifest", TagName, w.record.DiskID, tag.DiskID)
	}
	if err := w.usedBootSectors(system, evidence); err != nil {
		return nil, 0, err
	}
	for _, path := range w.facts.Stores {
		if err := w.usedStore(v, system, path); err != nil {
			return nil, 0, err
		}
	}
	return w.usedFiles(v, system)
}

// usedTable looks at the disk's identity and its layout. Only the Windows
// partition may have changed its length, and only upwards.
func (w *reread) usedTable() error {
	if w.table == nil || w.table.layout != w.facts.Layout {
		have := "none"
		if w.table != nil {
			have = w.table.layout
		}
		return changed("layout", "", w.facts.Layout, have)
	}
	if w.table.diskID != w.record.DiskID {
		return changed("disk_id", "", w.record.DiskID, w.table.diskID)
	}
	for _, p := range w.facts.Partitions {
		have, err := w.table.at(p)
		if err != nil {
			return changed("partition", string(p.Role), p.Offset, "none")
		}
		grew := p.Role == RoleWindows && have.Length > p.Length && have.End() <= w.src.Size()
		if have.Length != p.Length && !grew {
			return changed("partition", string(p.Role), p.Length, have.Length)
		}
		if w.facts.Layout == protocol.LayoutMBRDual && have.active != (p.Role == RoleSystem) {
			return changed("active_partition", string(p.Role), p.Role == RoleSystem, have.active)
		}
	}
	return nil
}

func (w *reread) usedBootSectors(system io.ReaderAt, evidence []string) error {
	if w.facts.Layout == protocol.LayoutMBRDual {
		code := make([]byte, bootcode.MBRCodeSize)
		if err := readFull(w.sectors, code, 0); err != nil {
			return w.unreadable(err, 0)
		}
		if have := SumOf(code); have != w.facts.MBRCode {
			return changed("boot_code", "", w.facts.MBRCode, have)
		}
	}
	have, err := fatBoot(system, w.facts.Layout)
	if err != nil {
		return w.unreadable(err, w.facts.partition(RoleSystem).Offset)
	}
	if have != w.facts.FATBoot {
		return changed("boot_sector", string(RoleSystem), w.facts.FATBoot, have)
	}
	if slices.Contains(evidence, protocol.EvidenceEncrypted) {
		return nil
	}
	if have, err = ntfsBoot(w.volume(RoleWindows)); err != nil {
		return w.unreadable(err, w.facts.partition(RoleWindows).Offset)
	}
	if have != w.facts.NTFSBoot {
		return changed("boot_sector", string(RoleWindows), w.facts.NTFSBoot, have)
	}
	return nil
}

// Objects and elements of a boot store (agent/bcd).
const (
	bootManagerKey = `Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}`
	elementDefault = "23000003"
	elementDevice  = "11000001"
	elementPath    = "12000002"
)

// usedStore looks whether a boot store still leads from the boot manager to a
// Windows on this disk. Windows writes to it at every start.
func (w *reread) usedStore(v *fat.Volume, r io.ReaderAt, path string) error {
	raw, err := readBootFile(v, r, path, maxStoreBytes)
	if deviceFault(err) {
		return err
	}
	if err == nil {
		err = checkStore(raw, w.record.DiskID)
	}
	if err != nil {
		return changed("boot_store", path, w.record.DiskID, err)
	}
	return nil
}

func checkStore(raw []byte, diskID string) error {
	h, err := hive.Open(raw)
	if errors.Is(err, hive.ErrDirty) {
		return nil // Windows has a write of its own to finish
	}
	if err != nil {
		return err
	}
	element := func(object, element string) (hive.Value, error) {
		return h.Value(object+`\Elements\`+element, "Element")
	}
	value, err := element(bootManagerKey, elementDefault)
	if err != nil {
		return fmt.Errorf("default of the boot manager: %w", err)
	}
	id, err := value.Text()
	if err != nil {
		return fmt.Errorf("default of the boot manager: %w", err)
	}
	loader := `Objects\` + id
	if _, err := element(loader, elementPath); err != nil {
		return fmt.Errorf("loader %s: %w", id, err)
	}
	device, err := element(loader, elementDevice)
	if err != nil {
		return fmt.Errorf("loader %s: %w", id, err)
	}
	return checkDevice(device.Data, diskID)
}

// Device elements (agent/bcd): a partition names its disk by signature or GUID.
const (
	deviceType      = 16
	devicePartition = 6
	deviceDiskType  = 52
	diskMBR         = 1
	deviceDisk      = 56 // GUID, or signature and zeros
	deviceLength    = 88
)

// checkDevice compares the disk that a device element names. Elements that name
// none ("the disk that was booted from") lead to this one, too.
func checkDevice(raw []byte, diskID string) error {
	if len(raw) < deviceType+4 || binary.LittleEndian.Uint32(raw[deviceType:]) != devicePartition {
		return nil
	}
	if len(raw) < deviceLength {
		return fmt.Errorf("a partition of %d bytes", len(raw))
	}
	id := raw[deviceDisk : deviceDisk+16]
	have := Personal{DiskGUID: GUID(id)}.DiskID(protocol.LayoutGPTUEFI)
	if binary.LittleEndian.Uint32(raw[deviceDiskType:]) == diskMBR {
		have = Personal{DiskSignature: binary.LittleEndian.Uint32(id)}.DiskID(protocol.LayoutMBRDual)
	}
	if have != diskID {
		return fmt.Errorf("it leads to disk %s", have)
	}
	return nil
}

// usedFiles looks at every boot file. One that is missing, or is no program any
// more, is a fault; one that is another was replaced by Windows.
func (w *reread) usedFiles(v *fat.Volume, r io.ReaderAt) (replaced []string, read int64, err error) {
	var total int64
	for _, f := range w.facts.Files {
		total += f.Bytes
	}
	for _, f := range w.facts.Files {
		if w.ctx.Err() != nil {
			return nil, read, context.Cause(w.ctx)
		}
		raw, err := readBootFile(v, r, f.Path, maxBootFile)
		if deviceFault(err) {
			return nil, read, err
		}
		if err != nil {
			return nil, read, changed("boot_file", f.Path, f.XXH3, err)
		}
		if sum := SumOf(raw); sum != f.XXH3 {
			if len(raw) == 0 || strings.HasSuffix(strings.ToLower(f.Path), ".efi") && !isProgram(raw) {
				return nil, read, changed("boot_file", f.Path, f.XXH3, sum)
			}
			replaced = append(replaced, f.Path)
		}
		read += f.Bytes
		w.progress(read, total)
	}
	return replaced, read, nil
}

// readBootFile reads a file of the system volume of at most limit bytes.
func readBootFile(v *fat.Volume, r io.ReaderAt, path string, limit int64) ([]byte, error) {
	f, err := v.Find(path)
	if err != nil {
		return nil, err
	}
	if f.Directory || f.Size > limit {
		return nil, fmt.Errorf("%s of %d bytes", path, f.Size)
	}
	extents, err := f.Extents()
	if err != nil {
		return nil, err
	}
	return volume.Read(r, extents)
}
