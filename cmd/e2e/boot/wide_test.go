package boot_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/cmd/e2e/boot"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

// A real device with sectors of 4096 bytes is pressed in both layouts: foreign
// tools that see it as such find its volumes in order, and UEFI starts it.
func TestSectorsOf4096Bytes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loop devices need root")
	}
	image, err := sample.Make(t.Context(), t.TempDir(), sample.Options{SmallFiles: 20, BigFiles: -1})
	check(t, err)
	for _, layout := range []string{protocol.LayoutMBRDual, protocol.LayoutGPTUEFI} {
		t.Run(layout, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "stick.img")
			check(t, os.WriteFile(file, nil, 0o600))
			check(t, os.Truncate(file, 30_752_636_928))
			node := loopOf(t, file)
			press(t, image, layout, node)

			var dump struct {
				Table struct {
					SectorSize int64 `json:"sectorsize"`
					Partitions []struct{ Start, Size int64 }
				} `json:"partitiontable"`
			}
			check(t, json.Unmarshal([]byte(tool(t, nil, "sfdisk", "--json", node)), &dump))
			parts := dump.Table.Partitions
			if dump.Table.SectorSize != 4096 || len(parts) < 2 {
				t.Fatalf("sfdisk finds %+v", dump)
			}
			part := func(i int) string {
				p := parts[i]
				return loopOf(t, file, "--offset", fmt.Sprint(p.Start*4096), "--sizelimit", fmt.Sprint(p.Size*4096))
			}
			tool(t, nil, "fsck.fat", "-n", part(0))
			if out := tool(t, nil, "ntfsinfo", "-m", part(len(parts)-1)); !strings.Contains(out, "Sector Size: 4096") {
				t.Errorf("ntfsinfo says\n%s", out)
			}
			report, err := boot.Try(t.Context(), boot.Options{Image: file, SectorSize: 4096})
			if err != nil || !report.OK() {
				t.Errorf("%q, %v", report.Line, err)
			}
		})
	}
}

// loopOf makes a loop device with sectors of 4096 bytes over a file.
func loopOf(t *testing.T, file string, args ...string) string {
	t.Helper()
	args = append([]string{"--find", "--show", "--sector-size", "4096"}, args...)
	node := strings.TrimSpace(tool(t, nil, "losetup", append(args, file)...))
	t.Cleanup(func() { _ = exec.CommandContext(context.Background(), "losetup", "--detach", node).Run() })
	return node
}

// press does what the agent does, on a device that an admin let pass.
func press(t *testing.T, image, layout, node string) {
	t.Helper()
	m, err := stick.Prepare(t.Context(), t.TempDir(), stick.Spec{
		ImagePath: image, ImageSHA256: "sample", Edition: 1, Layout: layout, CapacityClass: stick.Classes[0], SectorSize: 4096,
		BootSignature: protocol.BootSignature2011,
	}, nil)
	check(t, err)
	defer m.Close()
	lister := &disk.Lister{AllowLoop: true, FoundID: func(s disk.Source) (string, error) { return stick.FoundID(s) }}
	find := func() protocol.Device {
		devices, err := lister.List(t.Context())
		check(t, err)
		for _, d := range devices {
			if d.Path == node {
				return d
			}
		}
		t.Fatalf("%s is not listed", node)
		return protocol.Device{}
	}
	d := find()
	h, err := lister.Open(t.Context(), d.Identity)
	check(t, err)
	own, err := stick.NewPersonal(layout, rand.Reader, "stick_01jd6y9k3te0mv8b0g2z5q4w7x", []byte("<unattend/>"))
	check(t, err)
	out := stick.Press(t.Context(), m, []stick.Target{{Device: h, Personal: own, Context: t.Context(), Report: unheard{}}})[0]
	check(t, out.Err)
	check(t, h.Close())
	if d = find(); d.SectorSize != 4096 || d.FoundID != "stick_01jd6y9k3te0mv8b0g2z5q4w7x" {
		t.Errorf("listed as %+v", d)
	}
}

// unheard is a stick.Reporter that tells nobody.
type unheard struct{}

func (unheard) StepBegun(protocol.Step)              {}
func (unheard) StepDone(protocol.Step)               {}
func (unheard) Touched() error                       { return nil }
func (unheard) Progress(protocol.Step, int64, int64) {}
func (unheard) Log(protocol.LogLine)                 {}
func (unheard) Checked(protocol.Check)               {}
