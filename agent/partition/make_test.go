package partition_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/partition"
)

// A table that New makes is one to sgdisk, and to Read.
func TestNew(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	data := [16]byte{0xA2, 0xA0, 0xD0, 0xEB, 0xE5, 0xB9, 0x33, 0x44, 0x87, 0xC0, 0x68, 0xB6, 0xB7, 0x26, 0x99, 0xC7}
	for _, sector := range []int{512, 4096} {
		m := partition.New(sector, [16]byte{0x78, 0x56, 0x34, 0x12, 15: 1}, partition.Part{
			Type: data, ID: [16]byte{1}, Offset: 1 << 20, Length: 60 << 20, Attributes: 1 << 63,
		}).Move(size)
		disk := make([]byte, size)
		copy(disk, m.Sector0)
		copy(disk[sector:], m.Header)
		copy(disk[2*sector:], m.Backup[:len(m.Backup)-sector])
		copy(disk[m.BackupAt:], m.Backup)
		if m.BackupAt+int64(len(m.Backup)) != size {
			t.Errorf("%d: the second copy ends at %d", sector, m.BackupAt+int64(len(m.Backup)))
		}
		table, err := partition.Read(bytes.NewReader(disk), size)
		if err != nil || table.Kind != partition.GPT || table.SectorSize != sector || table.DiskID != "12345678-0000-0000-0000-000000000001" || table.UsedEnd() != 61<<20 {
			t.Errorf("%d: %+v, %v", sector, table, err)
		}
		if sector != 512 { // sgdisk asks the disk for its sectors, and a file has none
			continue
		}
		path := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(path, disk, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"--verify", path}, {"--info=1", path}} {
			out, err := exec.CommandContext(t.Context(), "sgdisk", args...).CombinedOutput()
			if want := map[string]string{"--verify": "No problems found", "--info=1": "First sector: 2048 (at 1024.0 KiB)"}[args[0]]; err != nil || !strings.Contains(string(out), want) {
				t.Errorf("sgdisk %s: %v\n%s", args[0], err, out)
			}
		}
	}
}
