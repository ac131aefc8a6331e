package ntfs

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The verdicts are compared with those of ntfs-3g, whose programs refuse to
// change a volume that is dirty, whose journal is not clean, or on which a
// Windows sleeps.
func TestState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                  string
		make                  func(t *testing.T, image string)
		dirty, log, hibernate bool   // log: not clean
		refusal               string // ntfs-3g's
	}{
		{name: "as made", make: func(*testing.T, string) {}},
		{name: "to be checked", make: func(t *testing.T, image string) { runTool(t, "ntfsfix", image) }, dirty: true, refusal: "scheduled for check"},
		{
			name: "journal in use", log: true, refusal: "journal file is unclean",
			make: func(t *testing.T, image string) {
				putLog(t, image, restartPage(90, noClient, 0), restartPage(100, 0, 0))
			},
		},
		{
			name: "journal in use, first page newer", log: true, refusal: "journal file is unclean",
			make: func(t *testing.T, image string) {
				putLog(t, image, restartPage(100, 0, 0), restartPage(90, noClient, 0))
			},
		},
		{name: "journal dismounted", make: func(t *testing.T, image string) {
			putLog(t, image, restartPage(90, 0, 0), restartPage(100, 0, restartIsClean))
		}},
		{name: "journal without users", make: func(t *testing.T, image string) {
			putLog(t, image, restartPage(100, noClient, 0), restartPage(90, 0, 0))
		}},
		{name: "asleep", make: func(t *testing.T, image string) { putFile(t, image, "hiberfil.sys", "hibr") }, hibernate: true, refusal: "hibernated"},
		{name: "asleep, other case", make: func(t *testing.T, image string) { putFile(t, image, "hiberfil.sys", "HIBR") }, hibernate: true, refusal: "hibernated"},
		{name: "resumed", make: func(t *testing.T, image string) { putFile(t, image, "hiberfil.sys", "wake") }},
		{name: "never slept", make: func(t *testing.T, image string) { putFile(t, image, "hiberfil.sys", "\x00\x00\x00\x00") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			image := emptyVolume(t)
			c.make(t, image)
			v, _ := openVolume(t, image)
			if dirty, err := v.Dirty(); err != nil || dirty != c.dirty {
				t.Errorf("dirty %v, %v", dirty, err)
			}
			if clean, err := v.LogClean(); err != nil || clean == c.log {
				t.Errorf("journal clean %v, %v", clean, err)
			}
			if sleeps, err := v.Hibernated(); err != nil || sleeps != c.hibernate {
				t.Errorf("hibernated %v, %v", sleeps, err)
			}
			source := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(source, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "ntfscp", image, source, "new.txt").CombinedOutput()
			if (err != nil) != (c.refusal != "") || !strings.Contains(string(out), c.refusal) {
				t.Errorf("ntfs-3g thinks otherwise (%v):\n%s", err, out)
			}
		})
	}
}

// Clusters that were given to a file and never written hold what was there
// before; the file reads as zeros.
func TestNeverWritten(t *testing.T) {
	t.Parallel()
	image := emptyVolume(t)
	v, f := openVolume(t, image)
	free, err := v.FreeExtents()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range free {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xA5}, int(e.Length)), e.Offset); err != nil {
			t.Fatal(err)
		}
	}
	putFile(t, image, "given.bin", "text")
	runTool(t, "ntfsfallocate", "-f", "-l", "65536", image, "given.bin")
	v, _ = openVolume(t, image) // the MFT has grown
	file, err := v.Find("given.bin")
	if err != nil {
		t.Fatal(err)
	}
	got, err := file.Read()
	if err != nil {
		t.Fatal(err)
	}
	if want := runTool(t, "ntfscat", "-f", image, "given.bin"); string(got) != want || len(want) != 64<<10 || strings.Contains(want, "\xA5") {
		t.Errorf("%d bytes, ntfscat reads %d: %t", len(got), len(want), string(got) == want)
	}
}

func emptyVolume(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "volume.img")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 64<<20); err != nil {
		t.Fatal(err)
	}
	runTool(t, "mkntfs", "-F", "-Q", "-q", "-p", "0", "-H", "255", "-S", "63", image)
	return image
}

// putFile lets ntfscp write a file of 8 KiB that begins with mark.
func putFile(t *testing.T, image, name, mark string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(source, append([]byte(mark), make([]byte, 8188)...), 0o600); err != nil {
		t.Fatal(err)
	}
	runTool(t, "ntfscp", "-f", "-q", image, source, name)
}

// putLog lets ntfscp fill the journal: two restart pages, and no records.
func putLog(t *testing.T, image string, pages ...[]byte) {
	t.Helper()
	log := bytes.Repeat([]byte{0xff}, 1<<20)
	for i, p := range pages {
		copy(log[i*len(p):], p)
	}
	source := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(source, log, 0o600); err != nil {
		t.Fatal(err)
	}
	runTool(t, "ntfscp", "-f", "-q", "-i", image, source, "2")
}

// restartPage makes a page with one client, as ntfs-3g's logfile.h describes
// it; ntfs-3g checks all of it before it says what it thinks.
func restartPage(lsn uint64, inUse, flags uint16) []byte {
	p := make([]byte, 4096)
	le := binary.LittleEndian
	copy(p, "RSTR")
	le.PutUint16(p[4:], 30) // update sequence: place and words
	le.PutUint16(p[6:], 9)
	le.PutUint32(p[16:], 4096)
	le.PutUint32(p[20:], 4096)
	le.PutUint16(p[24:], 48)
	le.PutUint16(p[26:], 1) // version 1.1
	le.PutUint16(p[28:], 1)
	area := p[48:]
	le.PutUint64(area, lsn)
	le.PutUint16(area[8:], 1)         // clients
	le.PutUint16(area[10:], noClient) // free list
	if inUse == noClient {
		le.PutUint16(area[10:], 0)
	}
	le.PutUint16(area[12:], inUse)
	le.PutUint16(area[14:], flags)
	le.PutUint32(area[16:], 67-21) // sequence number bits of 1 MiB
	le.PutUint16(area[20:], 224)
	le.PutUint16(area[22:], 64)
	le.PutUint64(area[24:], 1<<20)
	le.PutUint16(area[36:], 48)
	le.PutUint16(area[38:], 64)
	client := area[64:]
	le.PutUint16(client[16:], noClient)
	le.PutUint16(client[18:], noClient)
	le.PutUint16(p[30:], 1)
	for i := 512; i <= len(p); i += 512 {
		le.PutUint16(p[i-2:], 1)
	}
	return p
}
