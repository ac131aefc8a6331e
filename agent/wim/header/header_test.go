package header_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/stickpress/stickpress/agent/wim/header"
)

// wimlib runs wimlib-imagex (Debian: wimtools) in dir.
func wimlib(t testing.TB, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "wimlib-imagex", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("wimlib-imagex %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}

// capture makes a folder with a WIM of two images, test.wim, the first with the properties of a Windows.
func capture(t testing.TB, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree", "Windows", "System32")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 6))
	for i, size := range []int{100, 5000, 70000, 300000} {
		data := make([]byte, size)
		for j := range data {
			data[j] = byte(random.UintN(uint(8 << i)))
		}
		if err := os.WriteFile(filepath.Join(tree, fmt.Sprintf("file%d.bin", i)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wimlib(t, dir, append([]string{"capture", "tree", "test.wim", "Windows 11 Enterprise", "the first"}, args...)...)
	wimlib(t, dir, "append", "tree/Windows", "test.wim", "Bare")
	properties := []string{"info", "test.wim", "1"}
	for _, p := range []string{
		"DISPLAYNAME=Win 11 企业版", "DISPLAYDESCRIPTION=shown <&>", "FLAGS=Enterprise",
		"WINDOWS/ARCH=9", "WINDOWS/PRODUCTNAME=Microsoft® Windows® Operating System", "WINDOWS/EDITIONID=Enterprise",
		"WINDOWS/INSTALLATIONTYPE=Client", "WINDOWS/PRODUCTTYPE=WinNT", "WINDOWS/SYSTEMROOT=WINDOWS",
		"WINDOWS/LANGUAGES/LANGUAGE[1]=en-US", "WINDOWS/LANGUAGES/LANGUAGE[2]=zh-CN", "WINDOWS/LANGUAGES/DEFAULT=en-US",
		"WINDOWS/VERSION/MAJOR=10", "WINDOWS/VERSION/MINOR=0", "WINDOWS/VERSION/BUILD=26100", "WINDOWS/VERSION/SPBUILD=1742",
	} {
		properties = append(properties, "--image-property", p)
	}
	wimlib(t, dir, properties...)
	return dir
}

func read(t testing.TB, path string) (*header.Info, []byte) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := header.Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return info, file
}

// field finds a line of "wimlib-imagex info".
func field(t testing.TB, info []byte, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(.*)$`).FindSubmatch(info)
	if m == nil {
		t.Fatalf("no %q in:\n%s", name, info)
	}
	return string(m[1])
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want header.Info
	}{
		"none":     {[]string{"--compress=none"}, header.Info{Version: header.VersionWIM, Compression: header.None}},
		"XPRESS":   {[]string{"--compress=XPRESS"}, header.Info{Version: header.VersionWIM, Compression: header.XPRESS}},
		"LZX":      {[]string{"--compress=LZX", "--boot"}, header.Info{Version: header.VersionWIM, Compression: header.LZX, BootIndex: 1}},
		"LZMS":     {[]string{"--compress=LZMS", "--check"}, header.Info{Version: header.VersionESD, Compression: header.LZMS, Integrity: true}},
		"solid":    {[]string{"--solid"}, header.Info{Version: header.VersionESD, Compression: header.LZMS}},
		"pipable":  {[]string{"--pipable"}, header.Info{Version: header.VersionWIM, Compression: header.LZX, Pipable: true}},
		"pipable0": {[]string{"--pipable", "--compress=none"}, header.Info{Version: header.VersionWIM, Compression: header.None, Pipable: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := capture(t, test.args...)
			got, file := read(t, filepath.Join(dir, "test.wim"))
			printed := wimlib(t, dir, "info", "test.wim")

			raw := file[24:40]
			if want := field(t, printed, "GUID"); want != fmt.Sprintf("0x%x", raw) || got.GUID != fmt.Sprintf("%08x-%04x-%04x-%x-%x",
				binary.LittleEndian.Uint32(raw), binary.LittleEndian.Uint16(raw[4:]), binary.LittleEndian.Uint16(raw[6:]), raw[8:10], raw[10:]) {
				t.Errorf("GUID %s, wimlib has %s", got.GUID, want)
			}
			if c := field(t, printed, "Compression"); c != string(got.Compression) && (c != "None" || got.Compression != header.None) {
				t.Errorf("compression %s, wimlib has %s", got.Compression, c)
			}
			if v := field(t, printed, "Version"); v != fmt.Sprint(got.Version) {
				t.Errorf("version %d, wimlib has %s", got.Version, v)
			}
			if c := field(t, printed, "Chunk Size"); c != fmt.Sprintf("%d bytes", got.ChunkSize) {
				t.Errorf("chunks of %d, wimlib has %s", got.ChunkSize, c)
			}
			if doc := decodeUTF16(wimlib(t, dir, "info", "test.wim", "--xml")); doc != string(got.XML) {
				t.Errorf("XML %s\nwimlib has %s", got.XML, doc)
			}
			want := test.want
			want.Part, want.Parts = 1, 1
			want.GUID, want.Flags, want.ChunkSize, want.XML, want.TotalBytes = got.GUID, got.Flags, got.ChunkSize, got.XML, got.TotalBytes
			want.Images = images()
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkTruncated(t, file)
		})
	}
}

func images() []header.Image {
	return []header.Image{
		{
			Index: 1, Name: "Windows 11 Enterprise", Description: "the first",
			DisplayName: "Win 11 企业版", DisplayDescription: "shown <&>", Flags: "Enterprise",
			Architecture: "x64", ProductName: "Microsoft® Windows® Operating System", EditionID: "Enterprise",
			InstallationType: "Client", ProductType: "WinNT", Build: "10.0.26100.1742",
			Languages: []string{"en-US", "zh-CN"}, DefaultLanguage: "en-US",
			TotalBytes: 375100, Files: 4, Directories: 3,
		},
		{Index: 2, Name: "Bare", TotalBytes: 375100, Files: 4, Directories: 2},
	}
}

func decodeUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}

// checkTruncated cuts a file at many places: none may pass.
func checkTruncated(t *testing.T, file []byte) {
	t.Helper()
	for _, size := range []int{0, 7, 8, 207, 208, 209, len(file) / 3, len(file) / 2, len(file) - 209, len(file) - 1} {
		want := header.ErrTruncated
		if size < 8 {
			want = header.ErrNotWIM
		}
		if _, err := header.Read(bytes.NewReader(file[:size]), int64(size)); !errors.Is(err, want) {
			t.Errorf("%d of %d bytes: got %v, expected %v", size, len(file), err, want)
		}
		// The caller may be wrong about the size, too.
		if _, err := header.Read(bytes.NewReader(file[:size]), int64(len(file))); !errors.Is(err, header.ErrTruncated) {
			t.Errorf("%d bytes said to be %d: got %v, expected ErrTruncated", size, len(file), err)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	dir := capture(t, "--compress=none")
	wimlib(t, dir, "split", "test.wim", "part.swm", "0.2")
	for part, name := range []string{"part.swm", "part2.swm"} {
		info, file := read(t, filepath.Join(dir, name))
		if info.Part != part+1 || info.Parts < 2 || len(info.Images) != 2 {
			t.Errorf("%s: part %d of %d with %d images", name, info.Part, info.Parts, len(info.Images))
		}
		checkTruncated(t, file)
	}
}

// TestContentBeyondEnd has all that the header mentions, but not a content that only the lookup table mentions.
func TestContentBeyondEnd(t *testing.T) {
	t.Parallel()
	_, file := read(t, filepath.Join(capture(t, "--compress=none"), "test.wim"))
	table := binary.LittleEndian.Uint64(file[48+8:])
	binary.LittleEndian.PutUint64(file[table+8:], uint64(len(file)-50))
	if _, err := header.Read(bytes.NewReader(file), int64(len(file))); !errors.Is(err, header.ErrTruncated) {
		t.Errorf("got %v, expected ErrTruncated", err)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	_, good := read(t, filepath.Join(capture(t, "--compress=LZX"), "test.wim"))
	doc := binary.LittleEndian.Uint64(good[72+8:])
	for name, test := range map[string]struct {
		change func(file []byte)
		want   error
	}{
		"no magic":            {func(f []byte) { f[0] = 'm' }, header.ErrNotWIM},
		"pipable start only":  {func(f []byte) { copy(f, "WLPWM") }, header.ErrTruncated},
		"header size":         {func(f []byte) { f[8]++ }, header.ErrCorrupt},
		"version":             {func(f []byte) { f[12]++ }, header.ErrUnsupported},
		"unknown compression": {func(f []byte) { f[18] = 0x10 }, header.ErrUnsupported},
		"two compressions":    {func(f []byte) { f[18] |= 0x2 }, header.ErrUnsupported},
		"unfinished":          {func(f []byte) { f[16] |= 0x40 }, header.ErrCorrupt},
		"part 0":              {func(f []byte) { f[40] = 0 }, header.ErrCorrupt},
		"part 2 of 1":         {func(f []byte) { f[40] = 2 }, header.ErrCorrupt},
		"three images":        {func(f []byte) { f[44] = 3 }, header.ErrCorrupt},
		"many images":         {func(f []byte) { f[47] = 1 }, header.ErrUnsupported},
		"boots image 9":       {func(f []byte) { f[120] = 9 }, header.ErrCorrupt},
		"odd lookup table":    {func(f []byte) { f[48]-- }, header.ErrCorrupt},
		"lookup table far":    {func(f []byte) { f[48+15] = 0x70 }, header.ErrTruncated},
		"lookup table wraps":  {func(f []byte) { f[48+15] = 0xff }, header.ErrCorrupt},
		"no XML":              {func(f []byte) { clear(f[72:79]) }, header.ErrCorrupt},
		"XML compressed":      {func(f []byte) { f[79] |= 4 }, header.ErrUnsupported},
		"XML too long":        {func(f []byte) { f[78] = 1 }, header.ErrTruncated},
		"no byte order mark":  {func(f []byte) { f[doc] = 0 }, header.ErrCorrupt},
		"XML malformed":       {func(f []byte) { f[doc+2] = '>' }, header.ErrCorrupt},
		"XML of another kind": {func(f []byte) { f[doc+4] = 'V' }, header.ErrCorrupt},
		"XML of nothing":      {func(f []byte) { clear(f[doc+2:]) }, header.ErrCorrupt},
		"images unnumbered":   {func(f []byte) { replace(f[doc:], `INDEX="1"`, `INDEX="x"`) }, header.ErrCorrupt},
		"two images 2":        {func(f []byte) { replace(f[doc:], `INDEX="1"`, `INDEX="2"`) }, header.ErrCorrupt},
	} {
		file := bytes.Clone(good)
		test.change(file)
		if _, err := header.Read(bytes.NewReader(file), int64(len(file))); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, expected %v", name, err, test.want)
		}
	}
	broken := errors.New("the disk is broken")
	if _, err := header.Read(failing{broken}, int64(len(good))); !errors.Is(err, broken) {
		t.Errorf("got %v, expected the reader's error", err)
	}
	if _, err := header.Read(bytes.NewReader(good), -1); !errors.Is(err, header.ErrNotWIM) {
		t.Errorf("negative size: got %v, expected ErrNotWIM", err)
	}
}

// replace changes a text of the XML document into another of equal length.
func replace(file []byte, from, to string) {
	wide := func(s string) []byte {
		var b []byte
		for _, c := range s {
			b = binary.LittleEndian.AppendUint16(b, uint16(c))
		}
		return b
	}
	copy(file[bytes.Index(file, wide(from)):], wide(to))
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

var _ io.ReaderAt = failing{}

func FuzzRead(f *testing.F) {
	seed, err := os.ReadFile("testdata/small.wim") // wimlib-imagex capture --compress=none of a folder with one file
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("MSWIM\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		info, err := header.Read(bytes.NewReader(file), int64(len(file)))
		if err == nil {
			for i, img := range info.Images {
				if img.Index != i+1 {
					t.Fatalf("image %d has index %d", i+1, img.Index)
				}
			}
			return
		}
		for _, known := range []error{header.ErrNotWIM, header.ErrTruncated, header.ErrCorrupt, header.ErrUnsupported} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Fatalf("an error of no kind: %v", err)
	})
}
