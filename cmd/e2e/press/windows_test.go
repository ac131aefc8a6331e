package press

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/volume"
)

// checkWindows looks at the NTFS volume: its state, the settings, the answer
// file and who may read it.
func (s pressed) checkWindows(t *testing.T, windows string) {
	t.Helper()
	tool(t, "ntfsfix", "-n", windows)
	tool(t, "ntfs-3g.probe", "--readwrite", windows) // compares $MFT with $MFTMirr
	if out := tool(t, "ntfsinfo", "-m", windows); !strings.Contains(out, "Volume Name: "+stick.WindowsLabel(s.personal.StickID)+"\n") || !strings.Contains(out, fmt.Sprintf("Sector Size: %d", s.sector)) {
		t.Errorf("ntfsinfo:\n%s", out)
	}
	if uuid := strings.TrimSpace(tool(t, "blkid", "-p", "-o", "value", "-s", "UUID", windows)); uuid != fmt.Sprintf("%016X", s.personal.NTFSSerial) {
		t.Errorf("NTFS serial %s, want %016X", uuid, s.personal.NTFSSerial)
	}
	// The volume begins where its boot sector says.
	boot := make([]byte, 512)
	f, err := os.Open(windows)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(boot, 0); err != nil {
		t.Fatal(err)
	}
	hidden := int64(boot[28]) | int64(boot[29])<<8 | int64(boot[30])<<16 | int64(boot[31])<<24
	if part := s.master.Plan().Partition(stick.RoleWindows); hidden*s.sector != part.Offset {
		t.Errorf("%d hidden sectors, the partition begins at %d", hidden, part.Offset/s.sector)
	}

	answer := tool(t, "ntfscat", windows, "Windows/Panther/unattend.xml")
	if len(answer) != stick.AnswerFileLimit || strings.TrimRight(answer, " ") != string(s.answer) {
		t.Errorf("answer file of %d bytes: %.200q", len(answer), answer)
	}
	audit := tool(t, "ntfssecaudit", "-v", windows, "Windows/Panther/unattend.xml")
	info := tool(t, "ntfsinfo", "-F", "Windows/Panther/unattend.xml", windows)
	if !strings.Contains(audit, "No errors were found") || !strings.Contains(audit, "owner S-1-5-32-544") ||
		strings.Count(info, "type:allow") != 2 || !strings.Contains(info, "SID: S-1-5-18") || !strings.Contains(info, "SID: S-1-5-32-544") {
		t.Errorf("who may read the answer file:\n%s\n%s", audit, info)
	}
	for _, dir := range []string{"Windows/Panther", "Windows/System32/Sysprep"} {
		for _, name := range strings.Split(tool(t, "ntfsls", "-f", "-p", dir, windows), "\n") {
			if strings.Contains(strings.ToLower(name), "unattend") && name != "unattend.xml" {
				t.Errorf("%s holds %s", dir, name)
			}
		}
	}

	hive := filepath.Join(t.TempDir(), "SYSTEM")
	if err := os.WriteFile(hive, []byte(tool(t, "ntfscat", windows, "Windows/System32/config/SYSTEM")), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		`ControlSet001\Services\partmgr\Parameters SanPolicy`:                      "4",
		`ControlSet001\Control PortableOperatingSystem`:                            "1",
		`ControlSet001\Control\Session Manager\Power HiberbootEnabled`:             "0",
		`ControlSet001\Control\BitLocker PreventDeviceEncryption`:                  "1",
		`ControlSet001\Control\ComputerName\ComputerName ComputerName`:             "SAMPLE-PC",
		`ControlSet001\Control\Session Manager\Environment PROCESSOR_ARCHITECTURE`: "AMD64",
	} {
		at := strings.LastIndexByte(key, ' ')
		if got := strings.TrimSpace(tool(t, "hivexget", hive, key[:at], key[at+1:])); got != want {
			t.Errorf("%s = %q, want %s", key, got, want)
		}
	}
	for _, key := range []string{"Setup", "MountedDevices"} {
		if out := tool(t, "hivexregedit", "--export", hive, `\`+key); strings.Contains(out, "UnattendFile") || strings.Contains(out, "DosDevices") {
			t.Errorf("%s:\n%s", key, out)
		}
	}
}

// checkBitmap asks ntfscat for the bitmap: every cluster that it calls used
// was written.
func (s pressed) checkBitmap(t *testing.T, windows string) {
	t.Helper()
	bitmap := tool(t, "ntfscat", "-f", "-i", "6", windows)
	part := s.master.Plan().Partition(stick.RoleWindows)
	written := volume.Join(s.master.Chunks(), 0)
	at := 0
	for c := range (part.Length/s.sector - 1) * s.sector / 4096 {
		if bitmap[c/8] == 0 || bitmap[c/8]>>(c%8)&1 == 0 {
			continue
		}
		offset := part.Offset + c*4096
		for at < len(written) && written[at].End() <= offset {
			at++
		}
		if at == len(written) || offset < written[at].Offset {
			t.Fatalf("cluster %d is in use and was not written", c)
		}
	}
	if last := written[len(written)-1]; last.End() != part.End() {
		t.Error("the backup boot sector was not written")
	}
}

// checkFiles compares every file and directory with the image: names,
// content, attributes, times, security descriptors. What we change is named.
func (s pressed) checkFiles(t *testing.T, windows string) {
	t.Helper()
	captured := filepath.Join(t.TempDir(), "captured.wim")
	tool(t, "wimlib-imagex", "capture", windows, captured, "--compress=none")
	want, have := describe(t, imagePath), describe(t, captured)
	ours := func(path string) bool {
		lower := strings.ToLower(path)
		return strings.HasPrefix(lower, "/windows/panther/unattend") || lower == "/windows/system32/sysprep/unattend.xml"
	}
	for path, w := range want {
		h, ok := have[path]
		switch {
		case ours(path):
		case !ok:
			t.Errorf("%s is missing", path)
		case path == "/Windows/System32/config/SYSTEM":
			if h.content == w.content || h.security != w.security || h.attributes != w.attributes {
				t.Errorf("%s: %+v, was %+v", path, h, w)
			}
		case h != w:
			t.Errorf("%s: %+v, want %+v", path, h, w)
		}
	}
	for path := range have {
		if _, ok := want[path]; !ok && path != "/Windows/Panther/unattend.xml" && path != "/System Volume Information" {
			t.Errorf("%s is not in the image", path)
		}
	}
	if len(want) < 600 {
		t.Errorf("only %d files were compared", len(want))
	}
}

// file is what wimlib knows about one.
type file struct{ attributes, security, created, written, content, links string }

func describe(t *testing.T, wim string) map[string]file {
	t.Helper()
	files := make(map[string]file)
	var path string
	for line := range strings.Lines(tool(t, "wimlib-imagex", "dir", wim, "1", "--detailed")) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		key = strings.TrimSpace(key)
		if key == "Full Path" {
			path = strings.Trim(value, `"`)
			files[path] = file{}
			continue
		}
		f := files[path]
		switch key {
		case "Attributes":
			// FILE_ATTRIBUTE_NORMAL says that there is no other attribute.
			f.attributes = strings.Replace(value, "0x00000080", "0x00000000", 1)
		case "Security Descriptor":
			f.security = value
		case "Creation Time":
			f.created = value
		case "Last Write Time":
			f.written = value
		case "Link Count":
			f.links = value
		case "Hash":
			f.content += value + " "
		}
		files[path] = f
	}
	delete(files, "/")
	return files
}
