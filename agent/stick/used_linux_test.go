package stick

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/protocol"
)

// lent is a pressed stick in a file, for foreign tools to work on.
type lent struct {
	t      *testing.T
	path   string
	m      *Master
	layout string
	record *Record
}

func pressFile(t *testing.T, layout string) lent {
	t.Helper()
	l := lent{t: t, path: filepath.Join(t.TempDir(), "stick.img"), m: smallMaster(t, layout), layout: layout}
	f, err := os.Create(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(deviceBytes), f.Close()); err != nil {
		t.Fatal(err)
	}
	d, err := OpenFile(l.path, 512)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	personal, err := NewPersonal(layout, rand.Reader, "stick_a", nil)
	if err != nil {
		t.Fatal(err)
	}
	o := Press(t.Context(), l.m, []Target{{Device: d, Personal: personal, Context: t.Context(), Report: &reporter{t: t}}})[0]
	if o.Err != nil || o.Record == nil {
		t.Fatal(o.Err)
	}
	l.record = o.Record
	return l
}

// again is a copy of the stick.
func (l lent) again(t *testing.T) lent {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stick.img")
	foreign(t, "cp", "--sparse=always", l.path, path)
	l.t, l.path = t, path
	return l
}

func (l lent) reread() (protocol.CheckResult, error) {
	l.t.Helper()
	d, err := OpenFile(l.path, 512)
	if err != nil {
		l.t.Fatal(err)
	}
	defer d.Close()
	found, _, err := Reread(l.t.Context(), d, l.record, silently)
	return found, err
}

// write puts bytes at a place of the stick.
func (l lent) write(b []byte, at int64) {
	l.t.Helper()
	f, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	_, err = f.WriteAt(b, at)
	if err := errors.Join(err, f.Close()); err != nil {
		l.t.Fatal(err)
	}
}

// mtools runs one of mtools on the system volume.
func (l lent) mtools(name string, args ...string) {
	l.t.Helper()
	image := fmt.Sprintf("%s@@%d", l.path, l.m.plan.Partition(RoleSystem).Offset)
	cmd := exec.CommandContext(l.t.Context(), name, append([]string{"-i", image}, args...)...)
	cmd.Env = append(os.Environ(), "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// replaceBoot puts a file onto the system volume in place of another.
func (l lent) replaceBoot(path string, data []byte) {
	l.t.Helper()
	file := filepath.Join(l.t.TempDir(), "file")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.mtools("mcopy", "-o", file, "::/"+path)
}

// windows lends the Windows volume to foreign tools, grow bytes longer than it
// is, and puts back what they made of it.
func (l lent) windows(grow int64, do func(image string)) {
	l.t.Helper()
	part := l.m.plan.Partition(RoleWindows)
	image := filepath.Join(l.t.TempDir(), "windows.img")
	stick, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	defer stick.Close()
	f, err := os.OpenFile(image, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(part.Length + grow); err != nil {
		l.t.Fatal(err)
	}
	copyData(l.t, f, 0, stick, part.Offset, part.Length)
	do(image)
	copyData(l.t, stick, part.Offset, f, 0, part.Length+grow)
}

// copyData copies what is no hole.
func copyData(t *testing.T, to *os.File, toAt int64, from *os.File, fromAt, length int64) {
	t.Helper()
	for at := fromAt; at < fromAt+length; {
		data, err := unix.Seek(int(from.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || data >= fromAt+length {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		hole, err := unix.Seek(int(from.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			t.Fatal(err)
		}
		hole = min(hole, fromAt+length)
		b := make([]byte, hole-data)
		if _, err := from.ReadAt(b, data); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if _, err := to.WriteAt(b, toAt+data-fromAt); err != nil {
			t.Fatal(err)
		}
		at = hole
	}
}

// started does what a first start of Windows does: the SYSTEM hive is written,
// and says so in its base block.
func (l lent) started() {
	l.t.Helper()
	l.windows(0, func(image string) {
		file := filepath.Join(l.t.TempDir(), "SYSTEM")
		raw := []byte(foreign(l.t, "ntfscat", image, "Windows/System32/config/SYSTEM"))
		le := binary.LittleEndian
		le.PutUint32(raw[4:], le.Uint32(raw[4:])+7)
		le.PutUint32(raw[8:], le.Uint32(raw[8:])+7)
		signHive(raw)
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			l.t.Fatal(err)
		}
		foreign(l.t, "hivexml", file)
		foreign(l.t, "ntfscp", "-q", image, file, "Windows/System32/config/SYSTEM")
	})
}

// signHive makes a base block's checksum right.
func signHive(base []byte) {
	var sum uint32
	for at := 0; at < 508; at += 4 {
		sum ^= binary.LittleEndian.Uint32(base[at:])
	}
	binary.LittleEndian.PutUint32(base[508:], sum)
}

// After the first start of Windows the stick is used; what Windows leaves alone
// is still looked at, and said by name.
func TestRereadUsed(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		fresh := pressFile(t, layout)
		if found, err := fresh.reread(); err != nil || found.Outcome != protocol.OutcomeIntact {
			t.Fatalf("%+v, %v", found, err)
		}
		used := fresh.again(t)
		used.started()
		found, err := used.reread()
		if err != nil || found.Outcome != protocol.OutcomeUsed || !slices.Equal(found.Evidence, []string{protocol.EvidenceRegistry}) || found.Replaced != nil {
			t.Fatalf("%+v, %v", found, err)
		}
		program := append([]byte("MZ"), bytes.Repeat([]byte("update"), 9000)...)
		system := fresh.m.plan.Partition(RoleSystem).Offset
		type want struct {
			code, what, path string
			replaced         []string
		}
		changed := func(what, path string) want { return want{protocol.FaultUsedChanged, what, path, nil} }
		for name, c := range map[string]struct {
			do   func(l lent)
			want want
		}{
			"boot manager updated": {
				func(l lent) { l.replaceBoot("EFI/Microsoft/Boot/bootmgfw.efi", program) },
				want{replaced: []string{"efi/microsoft/boot/bootmgfw.efi"}},
			},
			"boot manager spoilt": {
				func(l lent) { l.replaceBoot("EFI/Boot/bootx64.efi", []byte("zeros")) }, changed("boot_file", "efi/boot/bootx64.efi"),
			},
			"boot manager gone": {
				func(l lent) { l.mtools("mdel", "::/EFI/Boot/bootx64.efi") }, changed("boot_file", "efi/boot/bootx64.efi"),
			},
			"boot store spoilt": {
				func(l lent) { l.replaceBoot("EFI/Microsoft/Boot/BCD", []byte("nothing")) }, changed("boot_store", "efi/microsoft/boot/bcd"),
			},
			"boot store of another disk": {
				func(l lent) {
					store, err := emptyStore(l.m.plan, l.m.manifest.Places.Stores[0].Firmware)
					if err != nil {
						l.t.Fatal(err)
					}
					l.replaceBoot("EFI/Microsoft/Boot/BCD", store)
				}, changed("boot_store", "efi/microsoft/boot/bcd"),
			},
			"manifest gone": {func(l lent) { l.mtools("mdel", "::/"+TagName) }, changed("manifest", TagName)},
			"boot sector":   {func(l lent) { l.write([]byte{9}, system+24) }, changed("boot_sector", "system")},
			"mounted":       {func(l lent) { l.write([]byte{1}, system+65) }, want{}},
			"disk signature": {
				func(l lent) {
					l.sfdisk("--disk-id", map[string]string{protocol.LayoutMBRDual: "0x12345678", protocol.LayoutGPTUEFI: "11111111-2222-3333-4444-555555555555"}[layout])
				},
				changed("disk_id", ""),
			},
			"partition gone": {
				func(l lent) { l.sfdisk("--delete", "1") }, changed("partition", "system"),
			},
		} {
			t.Run(name, func(t *testing.T) {
				l := used.again(t)
				c.do(l)
				found, err := l.reread()
				if c.want.code != "" {
					wantFault(t, err, c.want.code, map[string]string{"what": c.want.what})
					if path := protocol.AsFault(err).Params["path"]; !strings.EqualFold(path, c.want.path) {
						t.Errorf("path %q, want %q", path, c.want.path)
					}
					return
				}
				if err != nil || found.Outcome != protocol.OutcomeUsed || !slices.EqualFunc(found.Replaced, c.want.replaced, strings.EqualFold) {
					t.Errorf("%+v, %v", found, err)
				}
			})
		}
	})
}

// sfdisk changes the partition table.
func (l lent) sfdisk(option string, args ...string) {
	l.t.Helper()
	foreign(l.t, "sfdisk", append([]string{"--quiet", "--no-reread", "--no-tell-kernel", option, l.path}, args...)...)
}

// The other evidence of a first start; and what is none.
func TestRereadEvidence(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		fresh := pressFile(t, layout)
		windows := fresh.m.plan.Partition(RoleWindows)
		hive := func(l lent, do func(at int64)) {
			f, err := os.Open(l.path)
			if err != nil {
				l.t.Fatal(err)
			}
			defer f.Close()
			v, err := ntfs.Open(io.NewSectionReader(f, windows.Offset, windows.Length))
			if err != nil {
				l.t.Fatal(err)
			}
			file, err := v.Find(systemHive)
			if err != nil {
				l.t.Fatal(err)
			}
			extents, err := file.Extents()
			if err != nil {
				l.t.Fatal(err)
			}
			do(windows.Offset + extents[0].Offset)
		}
		grow := func(l lent) {
			const more = 600 * mib
			l.windows(more, func(image string) { foreign(l.t, "ntfsresize", "--force", "--force", "--no-progress-bar", image) })
		}
		for name, c := range map[string]struct {
			do       func(l lent)
			evidence []string // none: a fault
			code     string
		}{
			"a log was written": {
				do: func(l lent) {
					l.windows(0, func(image string) {
						base := []byte(foreign(l.t, "ntfscat", image, "Windows/System32/config/SYSTEM"))[:4096]
						base[28] = 6 // a log's type
						signHive(base)
						file := filepath.Join(l.t.TempDir(), "log")
						if err := os.WriteFile(file, base, 0o600); err != nil {
							l.t.Fatal(err)
						}
						foreign(l.t, "ntfscp", "-q", image, file, "Windows/System32/config/SYSTEM.LOG1")
					})
				},
				evidence: []string{protocol.EvidenceRegistry},
			},
			"the volume grew": {
				do: func(l lent) {
					grow(l)
					number := map[string]string{protocol.LayoutMBRDual: "2", protocol.LayoutGPTUEFI: "3"}[layout]
					cmd := exec.CommandContext(l.t.Context(), "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "-N", number, l.path)
					cmd.Stdin = strings.NewReader(", +\n")
					if out, err := cmd.CombinedOutput(); err != nil {
						l.t.Fatalf("sfdisk: %v\n%s", err, out)
					}
				},
				evidence: []string{protocol.EvidenceGrown},
			},
			"BitLocker": {
				do:       func(l lent) { l.write([]byte("-FVE-FS-"), windows.Offset+3) },
				evidence: []string{protocol.EvidenceEncrypted},
			},
			"the volume grew alone": {do: grow, code: protocol.FaultVerify},
			"a hive's sector is lost": {
				do: func(l lent) {
					hive(l, func(at int64) { l.write(make([]byte, 512), at) })
				}, code: protocol.FaultVerify,
			},
			"a bit of a hive is wrong": {
				do: func(l lent) {
					hive(l, func(at int64) { l.write([]byte{0x40}, at+5) })
				}, code: protocol.FaultVerify,
			},
			"a computer mounted the boot volume": {
				do: func(l lent) { l.mtools("mmd", "::/System Volume Information") }, code: protocol.FaultWritten,
			},
			"a computer mounted the Windows volume": {
				do: func(l lent) {
					l.windows(0, func(image string) {
						const journal = "2" // the record of $LogFile
						raw := []byte(foreign(l.t, "ntfscat", "-f", "-i", journal, image))
						// A restart page, as Windows begins it.
						copy(raw, "RSTR")
						binary.LittleEndian.PutUint32(raw[16:], 4096)
						binary.LittleEndian.PutUint16(raw[24:], 48)
						file := filepath.Join(l.t.TempDir(), "journal")
						if err := os.WriteFile(file, raw, 0o600); err != nil {
							l.t.Fatal(err)
						}
						foreign(l.t, "ntfscp", "-f", "-q", "-i", image, file, journal)
					})
				}, code: protocol.FaultWritten,
			},
		} {
			t.Run(name, func(t *testing.T) {
				l := fresh.again(t)
				c.do(l)
				found, err := l.reread()
				if c.code != "" {
					wantFault(t, err, c.code, nil)
				} else if err != nil || found.Outcome != protocol.OutcomeUsed || !slices.Equal(found.Evidence, c.evidence) {
					t.Errorf("%+v, %v", found, err)
				}
			})
		}
	})
}
