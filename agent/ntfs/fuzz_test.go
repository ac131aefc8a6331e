package ntfs

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stickpress/stickpress/agent/volume"
)

// FuzzVolume lays fuzzed bytes over the MFT of a small volume: whatever they
// say, reading ends with an answer or an error, and never with more memory
// than the volume could fill.
func FuzzVolume(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(seedRecord(attrData, nil), seedRecord(attrIndexRoot, []byte{0x30, 0, 0, 0, 1, 0, 0, 0, 0, 16, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 32, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 2, 0, 0, 0}))
	f.Add(seedRecord(attrData, append([]byte("RSTR"), make([]byte, 600)...)), seedRecord(attrVolumeInformation, make([]byte, 12)))
	f.Add(seedRecord(attrList, bytes.Repeat([]byte{0x80, 0, 0, 0, 32, 0, 0, 26}, 4)), seedRecord(attrSecurityDescriptor, nil))
	f.Add(seedRecord(attrData, nil), seedRecord(attrVolumeName, bytes.Repeat([]byte("x\x00"), 230)))
	f.Fuzz(func(t *testing.T, mft, root []byte) {
		const size, mftAt = 64 << 10, 4 * 4096
		image := make([]byte, size)
		copy(image[3:], "NTFS    ")
		binary.LittleEndian.PutUint16(image[bootSectorSize:], 512)
		image[bootClusterSize] = 8
		binary.LittleEndian.PutUint64(image[bootTotalSectors:], size/512-1)
		binary.LittleEndian.PutUint64(image[bootMFT:], mftAt/4096)
		binary.LittleEndian.PutUint64(image[bootMFTMirr:], 8)
		image[bootRecordSize], image[bootIndexSize] = 0xF6, 1
		binary.LittleEndian.PutUint16(image[bootSignature:], 0xAA55)
		base := seedRecord(attrData, nil)
		copy(image[mftAt:], base)
		copy(image[mftAt:mftAt+1024], mft)
		copy(image[mftAt+recordRoot*1024:mftAt+recordRoot*1024+1024], root)
		copy(image[mftAt+recordVolume*1024:mftAt+recordVolume*1024+1024], root)
		copy(image[mftAt+recordBitmap*1024:mftAt+recordBitmap*1024+1024], mft)
		copy(image[mftAt+recordLogFile*1024:mftAt+recordLogFile*1024+1024], mft)
		copy(image[mftAt+recordVolume*1024:mftAt+recordVolume*1024+1024], root)
		v, err := Open(bytes.NewReader(image))
		if err != nil {
			return
		}
		_, _ = v.UsedExtents()
		if labels, err := v.LabelExtents(); err == nil && volume.Total(labels[0]) != volume.Total(labels[1]) {
			t.Errorf("copies of the label at %v", labels)
		}
		_, _ = v.List("")
		_, _ = v.Dirty()
		_, _ = v.LogClean()
		_, _ = v.Hibernated()
		if file, err := v.Find("Windows/Panther/unattend.xml"); err == nil {
			_, _ = file.Read()
			_, _ = file.Extents()
			_, _ = v.SetDescriptor(file, SystemAndAdministrators(false))
		}
		if file, err := v.open(recordRoot); err == nil {
			_, _ = v.SetDescriptor(file, SystemAndAdministrators(true))
		}
	})
}

// seedRecord is a valid MFT record with one attribute: resident with a value,
// or the 16 clusters of the MFT from cluster 4 on.
func seedRecord(typ uint32, value []byte) []byte {
	rec := make([]byte, 1024)
	copy(rec, "FILE")
	binary.LittleEndian.PutUint16(rec[recUSAOffset:], 48)
	binary.LittleEndian.PutUint16(rec[recUSACount:], 3)
	binary.LittleEndian.PutUint16(rec[recAttrs:], 56)
	binary.LittleEndian.PutUint16(rec[recFlags:], recInUse|recDirectory)
	binary.LittleEndian.PutUint32(rec[recAllocated:], 1024)
	a := make([]byte, 80)
	if value != nil {
		a = make([]byte, (attrResidentMin+16+len(value)+7)/8*8)
		binary.LittleEndian.PutUint32(a[attrValueLength:], uint32(len(value)))
		binary.LittleEndian.PutUint16(a[attrValueOffset:], attrResidentMin+16)
		copy(a[attrResidentMin+16:], value)
	} else {
		a[attrNonResident] = 1
		binary.LittleEndian.PutUint64(a[attrHighestVCN:], 7)
		binary.LittleEndian.PutUint16(a[attrRunsOffset:], 64)
		binary.LittleEndian.PutUint64(a[attrDataSize:], 8*4096)
		copy(a[64:], []byte{0x11, 8, 4, 0})
	}
	if typ == attrIndexRoot {
		a[attrNameLength] = 4
		binary.LittleEndian.PutUint16(a[attrNameOffset:], attrResidentMin)
		copy(a[attrResidentMin:], []byte("$\x00I\x003\x000\x00"))
	}
	binary.LittleEndian.PutUint32(a, typ)
	binary.LittleEndian.PutUint32(a[attrLength:], uint32(len(a)))
	copy(rec[56:], a)
	binary.LittleEndian.PutUint32(rec[56+len(a):], attrEnd)
	binary.LittleEndian.PutUint32(rec[recUsed:], uint32(56+len(a)+8))
	if err := redoFixups(rec); err != nil {
		panic(err)
	}
	return rec
}
