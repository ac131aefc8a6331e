package stick

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/wim"
)

var update = flag.Bool("update", false, "write the golden files")

// TestWords: every command line and every script that the programs of Windows
// are given.
func TestWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		layout string
		class  int64
		sector int
		made   bool
	}{
		"mbr-dual-28":      {protocol.LayoutMBRDual, Classes[0], 512, true},
		"mbr-dual-896":     {protocol.LayoutMBRDual, Classes[5], 512, false},
		"gpt-uefi-112":     {protocol.LayoutGPTUEFI, Classes[2], 512, false},
		"gpt-uefi-28":      {protocol.LayoutGPTUEFI, Classes[0], 512, true},
		"mbr-dual-56":      {protocol.LayoutMBRDual, Classes[1], 512, false},
		"gpt-uefi-224":     {protocol.LayoutGPTUEFI, Classes[3], 512, false},
		"gpt-uefi-448":     {protocol.LayoutGPTUEFI, Classes[4], 512, false},
		"gpt-uefi-28-4096": {protocol.LayoutGPTUEFI, Classes[0], 4096, false},
	} {
		plan, err := NewPlan(c.layout, c.class, c.sector)
		if err != nil {
			t.Fatal(err)
		}
		const dir = `C:\ProgramData\Stickpress Agent\cache\masters\0123.tmp`
		v := &virtualDisk{
			plan: plan, image: wim.Source{Path: `C:\ProgramData\Stickpress Agent\cache\blobs\ab12`, Edition: 6},
			file: dir + `\` + vdiskFile, mount: dir + `\tmp\windows`, tmp: dir + `\tmp`, letter: "S:",
		}
		if err := v.check(); err != nil {
			t.Fatal(err)
		}
		got, file := v.text(c.made), filepath.Join("testdata", "words", name+".txt")
		if *update {
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || string(want) != got {
			t.Errorf("%s (go test -run Words -update): %v\n%s", file, err, got)
		}
		for line := range strings.Lines(v.create() + v.detach()) {
			if !strings.HasSuffix(line, "\r\n") {
				t.Errorf("%s: line %q ends like nothing on Windows", name, line)
			}
		}
	}
}

// TestWordsRefuses: what diskpart could not be told is said before anything is
// done.
func TestWordsRefuses(t *testing.T) {
	t.Parallel()
	plan, err := NewPlan(protocol.LayoutGPTUEFI, Classes[0], 512)
	if err != nil {
		t.Fatal(err)
	}
	v := &virtualDisk{plan: plan, file: `C:\m.vhdx`, mount: `C:\m`, tmp: `C:\t`}
	if err := v.check(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{`C:\Büro\m.vhdx`, "C:\\a\"b\\m.vhdx", "C:\\a\nclean\\m.vhdx"} {
		v.file = path
		if err := v.check(); err == nil {
			t.Errorf("%q was taken", path)
		}
	}
}
