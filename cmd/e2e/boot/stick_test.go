package boot_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/stick/bootcode"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

const (
	mib = 1 << 20
	gib = 1 << 30
	sec = 512
)

// handmade describes a stick that a test puts together with foreign tools, so
// that boot code and harness are judged without the code that presses sticks.
type handmade struct {
	gpt        bool
	fatOffset  int64 // bytes
	fatSize    int64 // bytes; FAT32 needs 65,525 clusters
	perCluster int   // sectors
	deep       int64 // bytes that lie on the volume before \bootmgr
	fragmented bool  // every other cluster of \bootmgr's neighbourhood is taken
	crowded    bool  // the root directory spans many clusters before \bootmgr
	noBootmgr  bool
	badBootmgr bool // one byte of \bootmgr is wrong
	bigBootmgr bool // \bootmgr does not fit below 640 KiB
	noStore    bool
	noAnswer   bool
	shadowed   bool
	signer     sample.Signer // of the UEFI boot manager; default 2011
}

// The stand-ins take a second to make: once for all tests.
var standIns = sync.OnceValues(func() (map[string][]byte, error) {
	ctx := context.Background()
	managers := make(map[string][]byte)
	for _, signer := range []sample.Signer{sample.Signer2011, sample.Signer2023} {
		manager, err := sample.UEFIBootManager(ctx, signer)
		if err != nil {
			return nil, err
		}
		managers[string(signer)] = manager
	}
	// As long as Windows 11's, so that it crosses seven 64 KiB segments.
	bios, err := sample.BIOSBootManager(ctx, 450_001)
	managers["bios"] = bios
	return managers, err
})

// make builds the stick and returns its file.
func (h handmade) make(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	stick := filepath.Join(dir, "stick.img")
	ntfs := h.ntfs(t, dir)

	const tail = 2 * mib // the backup GPT, and room behind the last partition
	ntfsOffset := h.fatOffset + h.fatSize
	f, err := os.Create(stick)
	check(t, err)
	defer func() { check(t, f.Close()) }()
	check(t, f.Truncate(ntfsOffset+ntfsSize+tail))

	table := fmt.Sprintf("label: dos\nlabel-id: 0x5741b1c5\nstart=%d, size=%d, type=c, bootable\nstart=%d, size=%d, type=7\n",
		h.fatOffset/sec, h.fatSize/sec, ntfsOffset/sec, ntfsSize/sec)
	if h.gpt {
		table = fmt.Sprintf("label: gpt\nstart=%d, size=%d, type=U\nstart=%d, size=%d, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n",
			h.fatOffset/sec, h.fatSize/sec, ntfsOffset/sec, ntfsSize/sec)
	}
	tool(t, strings.NewReader(table), "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", stick)
	if !h.gpt {
		_, err := f.WriteAt(bootcode.MBR(), 0)
		check(t, err)
	}

	tool(t, nil, "mkfs.fat", "-F", "32", "-n", "UFD-SYSTEM", "-s", fmt.Sprint(h.perCluster), "-h", fmt.Sprint(h.fatOffset/sec),
		"--offset", fmt.Sprint(h.fatOffset/sec), stick, fmt.Sprint(h.fatSize/1024))
	boot := make([]byte, bootcode.PatchSize)
	_, err = f.ReadAt(boot, h.fatOffset)
	check(t, err)
	check(t, bootcode.PatchFAT32(boot))
	_, err = f.WriteAt(boot, h.fatOffset)
	check(t, err)
	h.fillFAT(t, dir, fmt.Sprintf("%s@@%d", stick, h.fatOffset))

	volume, err := os.Open(ntfs)
	check(t, err)
	defer func() { _ = volume.Close() }()
	_, err = io.Copy(io.NewOffsetWriter(f, ntfsOffset), volume)
	check(t, err)
	return stick
}

// fillFAT copies boot managers and store with mtools.
func (h handmade) fillFAT(t *testing.T, dir, volume string) {
	t.Helper()
	managers, err := standIns()
	check(t, err)
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, data, 0o600))
		return path
	}
	store := write("BCD", []byte("a boot store; the stand-ins look only whether it is there"))

	tool(t, nil, "mmd", "-i", volume, "::EFI", "::EFI/Boot", "::EFI/Microsoft", "::EFI/Microsoft/Boot", "::Boot")
	if h.crowded {
		var names []string
		for i := range 300 {
			names = append(names, write(fmt.Sprintf("bootmgr with a long name %d.txt", i), nil))
		}
		tool(t, nil, "mcopy", append([]string{"-i", volume}, append(names, "::")...)...)
	}
	if h.deep > 0 {
		filler := write("filler", nil)
		check(t, os.Truncate(filler, h.deep))
		tool(t, nil, "mcopy", "-i", volume, filler, "::filler")
	}
	if h.fragmented {
		// One-cluster files, every second one removed: free clusters between taken ones.
		var names, holes []string
		for i := range 600 {
			name := fmt.Sprintf("F%04d", i)
			names = append(names, write(name, make([]byte, h.perCluster*sec)))
			if i%2 == 0 {
				holes = append(holes, "::Boot/"+name)
			}
		}
		tool(t, nil, "mcopy", append([]string{"-i", volume}, append(names, "::Boot")...)...)
		tool(t, nil, "mdel", append([]string{"-i", volume}, holes...)...)
		h.forgetNextFree(t, volume)
	}
	if !h.noBootmgr {
		bootmgr := bytes.Clone(managers["bios"])
		if h.badBootmgr {
			bootmgr[len(bootmgr)-1]++
		}
		if h.bigBootmgr {
			bootmgr = append(bootmgr, make([]byte, 512<<10-len(bootmgr))...)
		}
		tool(t, nil, "mcopy", "-i", volume, write("bootmgr", bootmgr), "::bootmgr")
	}
	signer := cmp.Or(h.signer, sample.Signer2011)
	tool(t, nil, "mcopy", "-i", volume, write("bootx64.efi", managers[string(signer)]), "::EFI/Boot")
	if !h.noStore {
		tool(t, nil, "mcopy", "-i", volume, store, "::EFI/Microsoft/Boot")
		tool(t, nil, "mcopy", "-i", volume, store, "::Boot")
	}
	if h.deep > 0 {
		var first int64
		_, err := fmt.Sscanf(tool(t, nil, "mshowfat", "-i", volume, "::bootmgr"), "::/bootmgr <%d", &first)
		check(t, err)
		if first*int64(h.perCluster)*sec < h.deep {
			t.Fatalf("\\bootmgr begins in cluster %d, not behind the filler: the test proves nothing", first)
		}
	}
	if h.fragmented && strings.Count(tool(t, nil, "mshowfat", "-i", volume, "::bootmgr"), "<") < 4 {
		t.Fatal("\\bootmgr is not fragmented: the test proves nothing")
	}
}

// forgetNextFree makes mtools look for free clusters from the start.
func (h handmade) forgetNextFree(t *testing.T, volume string) {
	t.Helper()
	f, err := os.OpenFile(strings.Split(volume, "@@")[0], os.O_RDWR, 0)
	check(t, err)
	_, err = f.WriteAt([]byte{2, 0, 0, 0}, h.fatOffset+sec+492) // FSI_Nxt_Free
	check(t, err)
	check(t, f.Close())
}

const ntfsSize = 24 * mib

// ntfs makes an NTFS volume with a few files of a Windows.
func (h handmade) ntfs(t *testing.T, dir string) string {
	t.Helper()
	files := []string{"Windows/System32/winload.efi", "Windows/System32/winload.exe"}
	if !h.noAnswer {
		files = append(files, "Windows/Panther/unattend.xml")
	}
	if h.shadowed {
		files = append(files, "Windows/Panther/Unattend/unattend.xml")
	}
	tree := filepath.Join(dir, "tree")
	for _, name := range files {
		path := filepath.Join(tree, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(name), 0o600))
	}
	wim, volume := filepath.Join(dir, "tree.wim"), filepath.Join(dir, "ntfs.img")
	check(t, os.WriteFile(volume, nil, 0o600))
	check(t, os.Truncate(volume, ntfsSize))
	tool(t, nil, "mkntfs", "--quiet", "--fast", "--force", "--partition-start", "0", "--heads", "255",
		"--sectors-per-track", "63", "--label", "UFD-Windows", volume)
	tool(t, nil, "wimlib-imagex", "capture", tree, wim, "--compress=none")
	tool(t, nil, "wimlib-imagex", "apply", wim, "1", volume)
	return volume
}

// tool runs a foreign program and returns what it printed.
func tool(t *testing.T, stdin io.Reader, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = stdin
	cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
