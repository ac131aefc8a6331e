package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
)

// run calls a foreign tool; a missing one fails the test.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "WIMLIB_IMAGEX_IGNORE_CASE=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree makes a small Windows: the hives that a capture reads, names beyond
// ASCII, hard links, many small files and one that is not.
func tree(t testing.TB, state string) string {
	t.Helper()
	root := t.TempDir()
	files := map[string][]byte{
		softwareHive: hiveOf(t, software(state)), systemHive: hiveOf(t, system()),
		"Windows/System32/kernel32.dll": bytes.Repeat([]byte("kernel"), 1000), "Windows/System32/drivers/etc/hosts": []byte("127.0.0.1\r\n"),
		"Windows/Web/Wallpaper/😀.jpg": []byte("picture"), "Users/Public/Größe 山水.txt": {},
		"Windows/Panther/Unattend.xml": []byte("secret"), "Windows/big.bin": bytes.Repeat([]byte("0123456789abcdef"), 100_000),
	}
	for i := range 50 {
		files[fmt.Sprintf("Windows/WinSxS/component-%02d.dat", i)] = bytes.Repeat([]byte{byte(i)}, 100*i)
	}
	for path, data := range files {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755))
		check(t, os.WriteFile(filepath.Join(root, path), data, 0o644))
	}
	check(t, os.Link(filepath.Join(root, "Windows/System32/kernel32.dll"), filepath.Join(root, "Windows/WinSxS/kernel32.dll")))
	return root
}

func hiveOf(t testing.TB, root hive.Key) []byte {
	t.Helper()
	raw, err := hive.Write(root, hive.Options{Name: "test", Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	check(t, err)
	return raw
}

func key(name string, values []hive.Value, keys ...hive.Key) hive.Key {
	return hive.Key{Name: name, Values: values, Keys: keys}
}

func software(state string) hive.Key {
	return key("ROOT", nil, key("Microsoft", nil,
		key("Windows", nil, key("CurrentVersion", nil, key("Setup", nil, key("State", []hive.Value{hive.SZ("ImageState", state)})))),
		key("Windows NT", nil, key("CurrentVersion", []hive.Value{
			hive.SZ("ProductName", "Windows 10 Enterprise"), hive.SZ("EditionID", "Enterprise"), hive.SZ("InstallationType", "Client"),
			hive.SZ("CurrentVersion", "6.3"), hive.SZ("CurrentBuild", "26100"), hive.SZ("CurrentBuildNumber", "26100"),
			hive.DWORD("CurrentMajorVersionNumber", 10), hive.DWORD("CurrentMinorVersionNumber", 0), hive.DWORD("UBR", 1742),
		}))))
}

func system() hive.Key {
	return key("ROOT", nil, key("Select", []hive.Value{hive.DWORD("Default", 1)}),
		key("ControlSet001", nil, key("Control", nil, key("Session Manager", nil,
			key("Environment", []hive.Value{hive.SZ("PROCESSOR_ARCHITECTURE", "AMD64")})))))
}

// newVolume makes an NTFS volume with such a tree on it, a stream, and files
// that a capture leaves out.
func newVolume(t testing.TB, state string, start int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "volume.ntfs")
	check(t, os.WriteFile(path, nil, 0o600))
	check(t, os.Truncate(path, 96<<20))
	format(t, path, start)
	plain := filepath.Join(t.TempDir(), "tree.wim")
	run(t, "wimlib-imagex", "capture", tree(t, state), plain, "--compress=none")
	run(t, "wimlib-imagex", "apply", plain, "1", path)
	stream := filepath.Join(t.TempDir(), "stream")
	check(t, os.WriteFile(stream, []byte("[ZoneTransfer]"), 0o600))
	run(t, "ntfscp", "-f", "-q", "-N", "Zone.Identifier", path, stream, "Windows/System32/drivers/etc/hosts")
	run(t, "ntfssecaudit", path, "0640", "Windows/System32/drivers/etc/hosts")
	put(t, path, "pagefile.sys", bytes.Repeat([]byte("page"), 1<<20))
	put(t, path, "swapfile.sys", bytes.Repeat([]byte("swap"), 64<<10))
	return path
}

func format(t testing.TB, path string, start int64) {
	t.Helper()
	run(t, "mkntfs", "-F", "-Q", "-q", "-p", strconv.FormatInt(start, 10), "-H", "255", "-S", "63", path)
}

func put(t testing.TB, volume, name string, data []byte) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(source, data, 0o600))
	run(t, "ntfscp", "-f", "-q", volume, source, name)
}

func source(t testing.TB, path string) Source {
	t.Helper()
	f, err := os.Open(path)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	check(t, err)
	return Source{f, info.Size(), 512}
}

func options(t testing.TB) Options {
	t.Helper()
	globs, err := exclusion.Parse(exclusion.Default)
	check(t, err)
	return Options{Exclude: globs}
}

// capture goes the whole way, and returns the image file.
func capture(t testing.TB, src Source, opts Options) (string, *Volume) {
	t.Helper()
	dir := t.TempDir()
	v, err := Look(src, opts)
	check(t, err)
	var copied, packed [2]int64
	check(t, v.Copy(t.Context(), filepath.Join(dir, "volume"), func(done, total int64) { copied = [2]int64{done, total} }))
	out := filepath.Join(dir, "out.wim")
	check(t, v.Pack(t.Context(), filepath.Join(dir, "volume"), out, "a test", func(done, total int64) { packed = [2]int64{done, total} }))
	if copied != [2]int64{v.Bytes(), v.Bytes()} || packed[0] == 0 || packed[0] != packed[1] {
		t.Errorf("progress ended at %v of %d, %v", copied, v.Bytes(), packed)
	}
	return out, v
}

// A volume is captured and applied again; wimlib compares what it sees of
// both, metadata, streams, descriptors and hashes of content.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	volume := newVolume(t, stateGeneralized, 2048)
	before, err := os.ReadFile(volume)
	check(t, err)
	out, v := capture(t, source(t, volume), options(t))
	after, err := os.ReadFile(volume)
	check(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the source was changed")
	}
	want := Windows{ImageState: stateGeneralized, ProductName: "Windows 11 Enterprise", EditionID: "Enterprise", Architecture: "AMD64", Build: 26100, Revision: 1742}
	if v.Windows != want || v.Partition != 0 {
		t.Errorf("%+v in partition %d", v.Windows, v.Partition)
	}
	wantSameTree(t, volume, out)
	info := run(t, "wimlib-imagex", "info", out, "1")
	for _, line := range []string{
		"Name:                   Windows 11 Enterprise\n", "Description:            a test\n", "Architecture:           x86_64\n",
		"Edition ID:             Enterprise\n", "Build:                  26100\n", "Service Pack Build:     1742\n", "Flags:                  Enterprise\n",
	} {
		if !strings.Contains(info, line) {
			t.Errorf("no %q in\n%s", line, info)
		}
	}
	run(t, "wimlib-imagex", "verify", out)
	// The page file is neither in the image nor in the copy that it was made of.
	whole, err := Look(source(t, volume), Options{})
	check(t, err)
	if saved := whole.Bytes() - v.Bytes(); saved < 4<<20 {
		t.Errorf("the page file was copied: %d bytes saved", saved)
	}
}

// wantSameTree compares the image with one that wimlib makes of the volume by
// itself, and applies it to compare once more.
func wantSameTree(t *testing.T, volume, out string) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "exclude.ini")
	globs, err := exclusion.Parse(exclusion.Default)
	check(t, err)
	check(t, os.WriteFile(config, []byte(exclusion.Config(globs)), 0o600))
	direct := filepath.Join(dir, "direct.wim")
	run(t, "wimlib-imagex", "capture", volume, direct, "--config="+config, "--compress=none")
	again := filepath.Join(dir, "again.ntfs")
	check(t, os.WriteFile(again, nil, 0o600))
	check(t, os.Truncate(again, 96<<20))
	format(t, again, 2048)
	run(t, "wimlib-imagex", "apply", out, "1", again)
	second := filepath.Join(dir, "second.wim")
	run(t, "wimlib-imagex", "capture", again, second, "--compress=none")
	reference := details(t, direct)
	for _, path := range []string{"/Windows/System32/config/SYSTEM", "/Windows/WinSxS/kernel32.dll", "Link Count          = 2", "/Windows/Web/Wallpaper/😀.jpg", `Named data stream "Zone.Identifier"`} {
		if !strings.Contains(reference, path) {
			t.Fatalf("the comparison does not see %s", path)
		}
	}
	for _, path := range []string{"pagefile.sys", "swapfile.sys", "/Windows/Panther/unattend.xml\"", "/Windows/Panther/Unattend.xml\""} {
		if strings.Contains(reference, path) {
			t.Errorf("%s is in the image", path)
		}
	}
	for name, file := range map[string]string{"captured": out, "applied again": second} {
		if got := details(t, file); got != reference {
			t.Errorf("%s: the tree differs: %s", name, firstDifference(reference, got))
		}
	}
}

// stored are the lines that tell where and how a WIM file keeps something.
var stored = regexp.MustCompile(`(?m)^(Link Group ID|Compressed size|Offset in WIM|Flags) .*\n`)

// details is all that wimlib tells of every file.
func details(t *testing.T, file string) string {
	t.Helper()
	return stored.ReplaceAllString(run(t, "wimlib-imagex", "dir", file, "1", "--detailed"), "")
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return x[i] + " / " + strings.Join(y[min(i, len(y)):min(i+1, len(y))], "")
		}
	}
	return "longer"
}

// wantFault checks a refusal and returns its parameters.
func wantFault(t testing.TB, err error, code string) map[string]string {
	t.Helper()
	var f *protocol.Fault
	if !errors.As(err, &f) || f.Code != code || f.Touched {
		t.Fatalf("%v, want %s, untouched", err, code)
	}
	return f.Params
}

// A cancelled copy ends with the reason; a full disk says so.
func TestCopyEnds(t *testing.T) {
	t.Parallel()
	v, err := Look(source(t, newVolume(t, stateGeneralized, 2048)), options(t))
	check(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := protocol.NewFault(protocol.FaultCancelled)
	err = v.Copy(ctx, filepath.Join(t.TempDir(), "copy"), func(int64, int64) { cancel(cause) })
	if !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}
	v.src.src.ReaderAt = failing{}
	params := wantFault(t, v.Copy(t.Context(), filepath.Join(t.TempDir(), "copy"), func(int64, int64) {}), protocol.FaultCaptureRead)
	if params["offset"] != "0" || params["cause"] != "broken" {
		t.Errorf("%v", params)
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("broken") }
