package stick

import (
	"fmt"
	"strings"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/protocol"
)

// What the boot stores say besides the stick's own numbers. A store with one
// Windows shows no menu, so that the words are seen by tools alone.
const (
	storeDescription = "Windows"
	storeLocale      = "en-US"
	storeTimeout     = 30 // seconds
)

// firmwares are those that a layout starts on: no BIOS reads sectors of 4096
// bytes.
func (p *Plan) firmwares() []bcd.Firmware {
	if p.Layout == protocol.LayoutMBRDual && p.SectorSize == 512 {
		return []bcd.Firmware{bcd.UEFI, bcd.BIOS}
	}
	return []bcd.Firmware{bcd.UEFI}
}

// storePath is where a boot store lies on the system partition, with / between
// names.
func storePath(f bcd.Firmware) string {
	return strings.Trim(strings.ReplaceAll(f.StorePath(), `\`, "/"), "/")
}

// encodeStore makes the boot store of one stick. All stores of a plan and a
// firmware are equally long.
func encodeStore(plan *Plan, p Personal, f bcd.Firmware) ([]byte, error) {
	s := bcd.Store{
		Firmware: f, Description: storeDescription, Locale: storeLocale, Timeout: storeTimeout,
		Loader: p.LoaderID, Resume: p.ResumeID,
	}
	if plan.Layout == protocol.LayoutMBRDual {
		s.Boot = bcd.MBR{Signature: p.DiskSignature, Offset: uint64(plan.Partition(RoleSystem).Offset)}
		s.Windows = bcd.MBR{Signature: p.DiskSignature, Offset: uint64(plan.Partition(RoleWindows).Offset)}
	} else {
		s.Boot = bcd.GPT{Disk: p.DiskGUID, Partition: p.SystemGUID}
		s.Windows = bcd.GPT{Disk: p.DiskGUID, Partition: p.WindowsGUID}
	}
	store, err := s.Encode()
	if err != nil {
		return nil, fmt.Errorf("boot store for %v: %w", f, err)
	}
	return store, nil
}

// emptyStore is the store that the master holds in place of a stick's own.
// The disk that it names is nobody's.
func emptyStore(plan *Plan, f bcd.Firmware) ([]byte, error) {
	return encodeStore(plan, Personal{
		DiskSignature: 1, DiskGUID: GUID{1}, SystemGUID: GUID{2}, WindowsGUID: GUID{3}, LoaderID: GUID{4}, ResumeID: GUID{5},
	}, f)
}
