package disk

import (
	"encoding/binary"
	"strings"
)

// The signatures that tell a person what is on a stick before it is erased.
// Offsets are bytes from the start of the disk or partition.
//
//	NTFS, exFAT, FAT  OEM name at 3, type at 54 (FAT12/16) or 82 (FAT32);
//	                  label at 43 or 71 (Microsoft, FAT specification 3.1–3.3)
//	ext2/3/4          magic 0xef53 at 1024+0x38, label at 1024+0x78
//	ISO 9660          "CD001" at 32769, label at 32808
//	BitLocker         OEM name "-FVE-FS-" at 3; on a former FAT volume "MSWIN4.1"
//	                  and one of two GUIDs at 424 (libbde, "BDE format", 2.3)
//	LUKS              "LUKS\xba\xbe" at 0
//	LVM               "LABELONE" at 512
//	swap              "SWAPSPACE2" at 4086
//	btrfs             "_BHRfS_M" at 64 KiB + 0x40
//	ZFS               uberblock magic 0x00bab10c at 128 KiB + n KiB
const signatureBytes = 256 << 10

// bitLocker is what signature calls a BitLocker volume.
const bitLocker = "bitlocker"

// The marks of BitLocker on a former FAT volume: encrypted as a whole, or its
// used part only.
const (
	bitLockerToGo = "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"
	bitLockerUsed = "\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8"
)

// signature names the filesystem, or what else there is, in b, the first
// bytes of a disk or partition: its label if it has one, else its type; empty
// if nothing is known.
func signature(b []byte) string {
	at := func(offset int, magic string) bool {
		return len(b) >= offset+len(magic) && string(b[offset:offset+len(magic)]) == magic
	}
	label := func(offset, length int, kind string) string {
		if len(b) < offset+length {
			return kind
		}
		text, _, _ := strings.Cut(string(b[offset:offset+length]), "\x00")
		text = strings.TrimSpace(strings.ToValidUTF8(text, "?"))
		if text == "" || text == "NO NAME" {
			return kind
		}
		return text
	}
	switch {
	case at(3, "-FVE-FS-"), at(3, "MSWIN4.1") && (at(424, bitLockerToGo) || at(424, bitLockerUsed)):
		return bitLocker
	case at(3, "NTFS    "):
		return "ntfs"
	case at(3, "EXFAT   "):
		return "exfat"
	case at(82, "FAT32   "):
		return label(71, 11, "vfat")
	case at(54, "FAT1"):
		return label(43, 11, "vfat")
	case at(1024+0x38, "\x53\xef"):
		return label(1024+0x78, 16, "ext")
	case at(32769, "CD001"):
		return label(32808, 32, "iso9660")
	case at(0, "LUKS\xba\xbe"):
		return "luks"
	case at(512, "LABELONE"):
		return "lvm"
	case at(4086, "SWAPSPACE2"):
		return "swap"
	case at(64<<10+0x40, "_BHRfS_M"):
		return "btrfs"
	case zfs(b):
		return "zfs"
	}
	return ""
}

// zfs looks for an uberblock of either byte order in the first vdev label.
func zfs(b []byte) bool {
	for offset := 128 << 10; offset+8 <= len(b) && offset < 256<<10; offset += 1 << 10 {
		if v := b[offset : offset+8]; binary.LittleEndian.Uint64(v) == 0x00bab10c || binary.BigEndian.Uint64(v) == 0x00bab10c {
			return true
		}
	}
	return false
}
