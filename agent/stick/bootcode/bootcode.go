// Package bootcode holds the two small programs that start a stick on a BIOS
// machine, and puts them where they belong.
//
// A BIOS start is a relay. The BIOS loads sector 0 of the stick, the master boot
// record (mbr.asm), which loads the first sector of the active partition, the
// FAT32 partition boot record (fat32.asm), which loads the file \bootmgr to
// 2000:0000, and from there on it is Windows's own affair. Both programs are
// ours: assembler source beside this file, the assembled bytes committed and
// embedded, so that building Stickpress needs no assembler. A test assembles
// them again and fails when source and bytes differ.
//
// To change one: edit the .asm file, then `go generate ./agent/stick/bootcode`.
package bootcode

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
)

//go:generate nasm -f bin -o mbr.bin mbr.asm
//go:generate nasm -f bin -o fat32.bin fat32.asm

const (
	// MBRCodeSize is the length of MBR's code in bytes. In the sector the disk
	// signature (440-443), two reserved bytes, the partition table (446-509)
	// and the mark 55 AA (510-511) follow.
	MBRCodeSize = 440
	// SecondSector is the sector of the FAT32 volume that holds the second half
	// of its boot record: the third of the three sectors that the FAT
	// specification sets aside for boot code, the second being FSInfo.
	SecondSector = 2
	// PatchSize is how many bytes of a volume's beginning PatchFAT32 wants: the
	// boot sectors, FSInfo and their backup copies lie within them.
	PatchSize = 16 * sectorSize
)

const (
	sectorSize = 512
	bpbEnd     = 90 // code of sector 0 begins here (FAT32: BS_BootCode32)
)

// Offsets in a FAT32 boot sector, from Microsoft's FAT specification 1.03, section 3.
const (
	offBytesPerSector = 11
	offReserved       = 14
	offRootEntries    = 17
	offSectorsPerFAT  = 22
	offHidden         = 28
	offSectorsPerFAT4 = 36
	offFSInfo         = 48
	offBackup         = 50
	offMark           = 510
)

var (
	//go:embed mbr.bin
	mbrCode []byte
	//go:embed fat32.bin
	fat32Code []byte
)

// ErrVolume is wrapped by PatchFAT32's errors about a volume that cannot carry
// the boot code.
var ErrVolume = errors.New("FAT32 volume cannot carry the boot code")

// MBR returns a copy of the master boot record's code: the first MBRCodeSize
// bytes of a stick's sector 0. It needs exactly one active entry in the
// partition table and a BIOS that reads by LBA.
func MBR() []byte {
	return append([]byte(nil), mbrCode...)
}

// PatchFAT32 installs the partition boot record into boot, the first bytes (at
// least PatchSize) of a FAT32 volume with 512-byte sectors. It writes
//
//   - bytes 0-2 and 90-511 of sector 0; OEM name and BPB (3-89) stay,
//   - the whole of sector SecondSector,
//   - the backup copies of both, at BPB_BkBootSec and BPB_BkBootSec+SecondSector,
//     if the volume has a backup.
//
// The volume must know its place: the hidden-sector count (mkfs.fat -h) is where
// the code and Windows's boot manager look for the volume on the stick, so zero
// is refused. Errors wrap ErrVolume and leave boot unchanged; patching twice
// gives the same bytes.
func PatchFAT32(boot []byte) error {
	backup, err := checkVolume(boot)
	if err != nil {
		return err
	}
	copy(boot[:3], fat32Code[:3])
	copy(boot[bpbEnd:sectorSize], fat32Code[bpbEnd:sectorSize])
	copy(sector(boot, SecondSector), fat32Code[sectorSize:])
	if backup != 0 {
		copy(sector(boot, backup), sector(boot, 0))
		copy(sector(boot, backup+SecondSector), sector(boot, SecondSector))
	}
	return nil
}

// checkVolume returns the sector of the backup boot record, 0 for none.
func checkVolume(boot []byte) (int, error) {
	if len(boot) < PatchSize {
		return 0, fmt.Errorf("%w: %d bytes given, %d needed", ErrVolume, len(boot), PatchSize)
	}
	u16 := func(off int) int { return int(binary.LittleEndian.Uint16(boot[off:])) }
	if u16(offMark) != 0xaa55 {
		return 0, fmt.Errorf("%w: no boot sector mark 55 AA", ErrVolume)
	}
	if n := u16(offBytesPerSector); n != sectorSize {
		return 0, fmt.Errorf("%w: %d bytes per sector, only %d start by BIOS", ErrVolume, n, sectorSize)
	}
	if u16(offRootEntries) != 0 || u16(offSectorsPerFAT) != 0 || binary.LittleEndian.Uint32(boot[offSectorsPerFAT4:]) == 0 {
		return 0, fmt.Errorf("%w: it is not FAT32", ErrVolume)
	}
	if binary.LittleEndian.Uint32(boot[offHidden:]) == 0 {
		return 0, fmt.Errorf("%w: its hidden-sector count is 0; format it with its offset on the stick (mkfs.fat -h)", ErrVolume)
	}

	// With no backup the specification stores 0; some formatters store FFFF.
	reserved, info, backup := u16(offReserved), u16(offFSInfo), u16(offBackup)
	if backup == 0xffff {
		backup = 0
	}
	if reserved <= SecondSector || info == SecondSector {
		return 0, fmt.Errorf("%w: sector %d is not free (%d reserved sectors, FSInfo in %d)",
			ErrVolume, SecondSector, reserved, info)
	}
	last := backup + SecondSector
	if backup != 0 && (backup <= SecondSector || last >= reserved || last >= PatchSize/sectorSize || info == backup || info == last) {
		return 0, fmt.Errorf("%w: its backup boot sector %d does not lie within %d and %d",
			ErrVolume, backup, SecondSector+1, min(reserved, PatchSize/sectorSize)-SecondSector-1)
	}
	return backup, nil
}

func sector(b []byte, n int) []byte {
	return b[n*sectorSize : (n+1)*sectorSize]
}
