package bcd_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/hive/hivetest"
)

const (
	loaderID  = "11111111-2222-4333-8444-555555555555"
	resumeID  = "66666666-7777-4888-9999-aaaaaaaaaaaa"
	diskID    = "00112233-4455-4677-8899-aabbccddeeff"
	bootID    = "01020304-0506-4708-890a-0b0c0d0e0f10"
	windowsID = "f1e2d3c4-b5a6-4978-8a5b-4c3d2e1f0011"
)

func parse(t testing.TB, s string) bcd.GUID {
	t.Helper()
	g, err := bcd.ParseGUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func store(t testing.TB, firmware bcd.Firmware, boot, windows bcd.Device) bcd.Store {
	t.Helper()
	return bcd.Store{
		Firmware: firmware, Boot: boot, Windows: windows,
		Description: "Windows 11", Locale: "en-US", Timeout: 30,
		Loader: parse(t, loaderID), Resume: parse(t, resumeID),
	}
}

func stores(t testing.TB) map[string]bcd.Store {
	t.Helper()
	disk := parse(t, diskID)
	gpt := [2]bcd.Device{bcd.GPT{Disk: disk, Partition: parse(t, bootID)}, bcd.GPT{Disk: disk, Partition: parse(t, windowsID)}}
	mbr := [2]bcd.Device{bcd.MBR{Signature: 0xdeadbeef, Offset: 1 << 20}, bcd.MBR{Signature: 0xdeadbeef, Offset: 351 << 20}}
	return map[string]bcd.Store{
		"UEFI GPT": store(t, bcd.UEFI, gpt[0], gpt[1]),
		"UEFI MBR": store(t, bcd.UEFI, mbr[0], mbr[1]),
		"BIOS MBR": store(t, bcd.BIOS, mbr[0], mbr[1]),
	}
}

// The device elements, byte by byte.
const (
	zeros16 = "00000000000000000000000000000000"
	header  = zeros16 + "06000000" + "00000000" + "48000000" + "00000000"

	gptDisk    = "00000000" + "00000000" + "33221100554477468899aabbccddeeff" + zeros16
	gptBoot    = header + "0403020106050847890a0b0c0d0e0f10" + gptDisk
	gptWindows = header + "c4d3e2f1a6b578498a5b4c3d2e1f0011" + gptDisk

	mbrDisk    = "00000000" + "01000000" + "efbeadde" + "000000000000000000000000" + zeros16
	mbrBoot    = header + "0000100000000000" + "0000000000000000" + mbrDisk
	mbrWindows = header + "0000f01500000000" + "0000000000000000" + mbrDisk
)

// table lists what a store holds: object, its type, its elements as "type kind data". Lines marked UEFI or BIOS
// belong to that firmware only. BOOT and WINDOWS are the device elements.
const table = `
{9dea862c-5cdd-4e70-acc1-f32b344d4795} 10100002
 11000001 bin BOOT
UEFI 12000002 sz \EFI\Microsoft\Boot\bootmgfw.efi
 12000004 sz Windows Boot Manager
 12000005 sz en-US
 14000006 multi {7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}
 23000003 sz {11111111-2222-4333-8444-555555555555}
 23000006 sz {66666666-7777-4888-9999-aaaaaaaaaaaa}
 24000001 multi {11111111-2222-4333-8444-555555555555}
 24000010 multi {b2721d73-1db4-4c62-bf78-c548a880142d}
 25000004 bin 1e00000000000000
{11111111-2222-4333-8444-555555555555} 10200003
 11000001 bin WINDOWS
UEFI 12000002 sz \Windows\system32\winload.efi
BIOS 12000002 sz \Windows\system32\winload.exe
 12000004 sz Windows 11
 12000005 sz en-US
 14000006 multi {6efb52bf-1766-41db-a6b3-0ee5eff72bd7}
 16000009 bin 00
UEFI 16000060 bin 01
 17000077 bin 7500001500000000
 21000001 bin WINDOWS
 22000002 sz \Windows
 23000003 sz {66666666-7777-4888-9999-aaaaaaaaaaaa}
 25000020 bin 0000000000000000
 250000c2 bin 0100000000000000
{66666666-7777-4888-9999-aaaaaaaaaaaa} 10200004
 11000001 bin WINDOWS
UEFI 12000002 sz \Windows\system32\winresume.efi
BIOS 12000002 sz \Windows\system32\winresume.exe
 12000004 sz Windows Resume Application
 12000005 sz en-US
 14000006 multi {1afa9c49-16ab-4a5c-901b-212802da9460}
UEFI 16000060 bin 01
 17000077 bin 7500001500000000
 21000001 bin WINDOWS
 22000002 sz \hiberfil.sys
 25000008 bin 0100000000000000
{b2721d73-1db4-4c62-bf78-c548a880142d} 10200005
 11000001 bin BOOT
UEFI 12000002 sz \EFI\Microsoft\Boot\memtest.efi
BIOS 12000002 sz \boot\memtest.exe
 12000004 sz Windows Memory Diagnostic
 12000005 sz en-US
 14000006 multi {7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}
 1600000b bin 01
{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e} 20100000
 14000006 multi {4636856e-540f-4170-a130-a84776f4c654} {0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9} {5189b25c-5558-4bf2-bca4-289b11bd29e2}
{6efb52bf-1766-41db-a6b3-0ee5eff72bd7} 20200003
 14000006 multi {7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e} {7ff607e0-4395-11db-b0de-0800200c9a66}
{1afa9c49-16ab-4a5c-901b-212802da9460} 20200004
 14000006 multi {7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}
{7ff607e0-4395-11db-b0de-0800200c9a66} 20200003
 250000f3 bin 0000000000000000
 250000f4 bin 0100000000000000
 250000f5 bin 00c2010000000000
{4636856e-540f-4170-a130-a84776f4c654} 20100000
 15000011 bin 0400000000000000
{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9} 20100000
 16000020 bin 00
{5189b25c-5558-4bf2-bca4-289b11bd29e2} 20100000
`

// expected builds the registry tree that the table describes.
func expected(t *testing.T, firmware, boot, windows string) hive.Key {
	t.Helper()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	objects := hive.Key{Name: "Objects"}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "{") {
			id, typ, _ := strings.Cut(line, " ")
			b := unhex(typ)
			objects.Keys = append(objects.Keys, hive.Key{Name: id, Keys: []hive.Key{
				{Name: "Description", Values: []hive.Value{
					hive.DWORD("Type", uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3])),
				}},
				{Name: "Elements"},
			}})
			continue
		}
		only, rest, _ := strings.Cut(line, " ")
		if only != "" && only != firmware {
			continue
		}
		field := strings.SplitN(rest, " ", 3)
		var v hive.Value
		switch field[1] {
		case "sz":
			v = hive.SZ("Element", field[2])
		case "multi":
			v = hive.MultiSZ("Element", strings.Fields(field[2])...)
		case "bin":
			v = hive.Binary("Element", unhex(strings.NewReplacer("BOOT", boot, "WINDOWS", windows).Replace(field[2])))
		}
		elements := &objects.Keys[len(objects.Keys)-1].Keys[1]
		elements.Keys = append(elements.Keys, hive.Key{Name: field[0], Values: []hive.Value{v}})
	}
	return hive.Key{Keys: []hive.Key{
		{Name: "Description", Values: []hive.Value{
			hive.SZ("KeyName", "BCD00000000"), hive.DWORD("System", 1), hive.DWORD("TreatAsSystem", 1),
		}},
		objects,
	}}
}

func encode(t testing.TB, s bcd.Store) []byte {
	t.Helper()
	file, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEncode(t *testing.T) {
	t.Parallel()
	all := stores(t)
	for name, want := range map[string]hive.Key{
		"UEFI GPT": expected(t, "UEFI", gptBoot, gptWindows),
		"UEFI MBR": expected(t, "UEFI", mbrBoot, mbrWindows),
		"BIOS MBR": expected(t, "BIOS", mbrBoot, mbrWindows),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := encode(t, all[name])
			if diff := cmp.Diff(hivetest.Lines(want), hivetest.Lines(hivetest.Export(t, file))); diff != "" {
				t.Errorf("hivex reads (-want +got):\n%s", diff)
			}
			if info := hivetest.Info(t, file); strings.Count(info, "Elements") != 11 {
				t.Errorf("regfinfo reads:\n%s", info)
			}
		})
	}
}

// TestLength holds that a stick's own store fits exactly where the prepared one was.
func TestLength(t *testing.T) {
	t.Parallel()
	random := func() bcd.GUID {
		g, err := bcd.NewGUID(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	length := map[bcd.Firmware]int{}
	for name, s := range stores(t) {
		for range 50 {
			s.Loader, s.Resume = random(), random()
			disk, id := random(), random()
			if _, gpt := s.Boot.(bcd.GPT); gpt {
				s.Boot, s.Windows = bcd.GPT{Disk: disk, Partition: random()}, bcd.GPT{Disk: disk, Partition: random()}
			} else {
				signature := uint32(id[0]) + 1
				s.Boot, s.Windows = bcd.MBR{Signature: signature, Offset: 512}, bcd.MBR{Signature: signature, Offset: 1 << 41}
			}
			file := encode(t, s)
			if length[s.Firmware] == 0 {
				length[s.Firmware] = len(file)
			}
			if len(file) != length[s.Firmware] {
				t.Fatalf("%s: %d bytes, others have %d", name, len(file), length[s.Firmware])
			}
			if at := bytes.Index(file, []byte(s.Loader.Braced())); at < 0 {
				t.Fatalf("%s: no object %v", name, s.Loader)
			}
		}
	}
	t.Logf("UEFI %d bytes, BIOS %d bytes", length[bcd.UEFI], length[bcd.BIOS])
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *bcd.Store){
		"no firmware":          func(s *bcd.Store) { s.Firmware = 0 },
		"no boot partition":    func(s *bcd.Store) { s.Boot = nil },
		"no Windows partition": func(s *bcd.Store) { s.Windows = nil },
		"one partition":        func(s *bcd.Store) { s.Windows = s.Boot },
		"zero GUID":            func(s *bcd.Store) { s.Boot = bcd.GPT{} },
		"two disks":            func(s *bcd.Store) { s.Windows = bcd.GPT{Disk: s.Loader, Partition: s.Resume} },
		"GPT and MBR":          func(s *bcd.Store) { s.Windows = bcd.MBR{Signature: 1, Offset: 512} },
		"BIOS and GPT":         func(s *bcd.Store) { s.Firmware = bcd.BIOS },
		"no signature":         func(s *bcd.Store) { s.Boot, s.Windows = bcd.MBR{Offset: 512}, bcd.MBR{Offset: 1024} },
		"odd offset": func(s *bcd.Store) {
			s.Boot, s.Windows = bcd.MBR{Signature: 1, Offset: 512}, bcd.MBR{Signature: 1, Offset: 1000}
		},
		"no locale":            func(s *bcd.Store) { s.Locale = "" },
		"no description":       func(s *bcd.Store) { s.Description = "" },
		"description with NUL": func(s *bcd.Store) { s.Description = "a\x00b" },
		"description too long": func(s *bcd.Store) { s.Description = strings.Repeat("w", 10000) },
		"no loader":            func(s *bcd.Store) { s.Loader = bcd.GUID{} },
		"known loader":         func(s *bcd.Store) { s.Loader = bcd.BootManager },
		"one object":           func(s *bcd.Store) { s.Resume = s.Loader },
	} {
		s := stores(t)["UEFI GPT"]
		change(&s)
		if _, err := s.Encode(); !errors.Is(err, bcd.ErrInvalid) {
			t.Errorf("%s: got %v, expected ErrInvalid", name, err)
		}
	}
}

func TestStorePath(t *testing.T) {
	t.Parallel()
	if p := bcd.UEFI.StorePath(); p != `\EFI\Microsoft\Boot\BCD` {
		t.Error(p)
	}
	if p := bcd.BIOS.StorePath(); p != `\Boot\BCD` {
		t.Error(p)
	}
}

func BenchmarkEncode(b *testing.B) {
	s := stores(b)["UEFI GPT"]
	for b.Loop() {
		encode(b, s)
	}
}
