// Package bcd writes the store in which the Windows boot manager finds what to boot.
//
// A store ("BCD", boot configuration data) is a registry hive with one key per object: the boot manager itself, the
// loader of a Windows, settings that others inherit. An object has a type and elements; an element's type says how
// to read its data (device, text, GUID, number, truth). bcdedit and bcdboot make stores on Windows; here a store is
// a pure function of a [Store], so that it can be made anywhere and differs per stick in nothing but its GUIDs.
//
// A stick carries two stores: one for UEFI and, in the layout that boots old PCs too, one for BIOS; see
// [Firmware.StorePath]. The firmware's own objects are left out: they mirror a PC's NVRAM, and a stick has no PC.
//
// The store names partitions, not "the partition I was started from": a boot manager that misses its loader would
// then go on searching, and boot the Windows of the host PC's own disk.
//
// Sources of the numbers: ReactOS boot/environ/include/bcd.h and bl.h, ntloader include/bcd.h, stores that bcdboot
// wrote.
package bcd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stickpress/stickpress/agent/hive"
)

// ErrInvalid means that a [Store] or a GUID does not make sense.
var ErrInvalid = errors.New("invalid boot store")

// Firmware is the kind of firmware that a store is for.
type Firmware int

// The kinds of firmware.
const (
	UEFI Firmware = iota + 1
	BIOS
)

// String names the firmware for messages.
func (f Firmware) String() string {
	switch f {
	case UEFI:
		return "UEFI"
	case BIOS:
		return "BIOS"
	}
	return fmt.Sprintf("firmware %d", int(f))
}

// StorePath is where the boot manager of this firmware expects the store on the boot partition.
func (f Firmware) StorePath() string {
	if f == BIOS {
		return `\Boot\BCD`
	}
	return `\EFI\Microsoft\Boot\BCD`
}

// Store is what a boot store of one Windows on one stick depends on.
type Store struct {
	Firmware Firmware
	Boot     Device // the partition with the boot manager and this store
	Windows  Device // the partition with \Windows, on the same disk

	Description string // what the boot menu calls this Windows
	Locale      string // language of the boot programs, "en-US"
	Timeout     uint64 // seconds that a boot menu waits; one with a single entry is not shown

	Loader GUID // names the Windows in the store; random and unique per stick
	Resume GUID // names its resume from hibernation; random, another one
}

// Encode makes the bytes of the store. For one firmware, locale and description their number does not depend on
// devices and GUIDs, and neither does the place of anything in them: a store prepared with any values can be replaced
// by a stick's own in the space that it takes. It is cheap enough to be called per stick.
// It returns [ErrInvalid] if the Store does not make sense.
func (s Store) Encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var objects []hive.Key
	for _, o := range s.objects() {
		objects = append(objects, o.key())
	}
	file, err := hive.Write(hive.Key{Name: "NewStoreRoot", Keys: []hive.Key{
		{Name: "Description", Values: []hive.Value{
			hive.SZ("KeyName", "BCD00000000"), hive.DWORD("System", 1), hive.DWORD("TreatAsSystem", 1),
		}},
		{Name: "Objects", Keys: objects},
	}}, hive.Options{Name: "BCD"})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return file, nil
}

func (s Store) check() error {
	if s.Firmware != UEFI && s.Firmware != BIOS {
		return fmt.Errorf("%w: %v", ErrInvalid, s.Firmware)
	}
	if s.Boot == nil || s.Windows == nil {
		return fmt.Errorf("%w: a partition is missing", ErrInvalid)
	}
	for _, d := range []Device{s.Boot, s.Windows} {
		if err := d.check(); err != nil {
			return err
		}
	}
	if s.Boot.disk() != s.Windows.disk() || s.Boot == s.Windows {
		return fmt.Errorf("%w: boot and Windows must be two partitions of one disk, not %v and %v", ErrInvalid, s.Boot, s.Windows)
	}
	if _, gpt := s.Boot.(GPT); gpt && s.Firmware == BIOS {
		return fmt.Errorf("%w: a BIOS boots sticks with MBR only", ErrInvalid)
	}
	for what, text := range map[string]string{"description": s.Description, "locale": s.Locale} {
		if text == "" || strings.ContainsRune(text, 0) {
			return fmt.Errorf("%w: %s %q", ErrInvalid, what, text)
		}
	}
	if s.Loader == s.Resume {
		return fmt.Errorf("%w: loader and resume are one object, %v", ErrInvalid, s.Loader)
	}
	for _, g := range []GUID{s.Loader, s.Resume} {
		if _, known := wellKnown[g]; known || g == (GUID{}) {
			return fmt.Errorf("%w: the object of a Windows cannot be %v", ErrInvalid, g)
		}
	}
	return nil
}
