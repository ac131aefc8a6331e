package imagefile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/fault"
)

// wimlib runs the foreign tool that makes the files of these tests.
func wimlib(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "wimlib-imagex", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("wimlib-imagex %s (apt install wimtools): %v\n%s", strings.Join(args, " "), err, out)
	}
}

// capture makes a WIM of two editions, described as Windows' own are.
func capture(t *testing.T, options ...string) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(filepath.Join(tree, "Windows"), 0o755); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(tree, "Windows", "big.bin")
	if err := os.WriteFile(big, bytes.Repeat([]byte("0123456789abcdef"), 4096), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(big, filepath.Join(tree, "Windows", "link.bin")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "install.wim")
	properties := []string{
		"WINDOWS/ARCH=9", "WINDOWS/EDITIONID=Enterprise", "WINDOWS/INSTALLATIONTYPE=Client",
		"WINDOWS/LANGUAGES/LANGUAGE[1]=de-DE", "WINDOWS/LANGUAGES/LANGUAGE[2]=en-US", "WINDOWS/LANGUAGES/DEFAULT=en-US",
		"WINDOWS/VERSION/MAJOR=10", "WINDOWS/VERSION/MINOR=0", "WINDOWS/VERSION/BUILD=26100", "WINDOWS/VERSION/SPBUILD=1742",
	}
	args := append([]string{"capture", tree, path, "Windows 11 Enterprise", "The big one"}, options...)
	for _, p := range properties {
		args = append(args, "--image-property="+p)
	}
	wimlib(t, args...)
	args = []string{"append", tree, path, "Daten ☃"}
	if slices.Contains(options, "--solid") {
		args = append(args, "--solid")
	}
	wimlib(t, args...)
	return path
}

func wantFault(t *testing.T, err error, code fault.Code) {
	t.Helper()
	faultParams(t, err, code)
}

func faultParams(t *testing.T, err error, code fault.Code) fault.Params {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code || f.Kind != fault.KindInvalid {
		t.Fatalf("error %v, want %s", err, code)
	}
	return f.Params
}

func TestInspect(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options             []string
		format, compression string
		integrity           bool
	}{
		"LZX":       {[]string{"--compress=LZX"}, FormatWIM, "LZX", false},
		"XPRESS":    {[]string{"--compress=XPRESS", "--check"}, FormatWIM, "XPRESS", true},
		"none":      {[]string{"--compress=none"}, FormatWIM, "none", false},
		"solid ESD": {[]string{"--solid"}, FormatESD, "LZMS", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := capture(t, tc.options...)
			info, err := Inspect(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Format != tc.format || info.Compression != tc.compression || info.Integrity != tc.integrity || info.Bytes != st.Size() {
				t.Errorf("%+v", info)
			}
			want := []Edition{{
				Index: 1, Name: "Windows 11 Enterprise", Description: "The big one", EditionID: "Enterprise",
				Architecture: "x86_64", Version: "10.0.26100.1742", Build: 26100, Languages: []string{"en-US", "de-DE"},
				Bytes: 65536, InstallationType: "Client",
			}, {
				Index: 2, Name: "Daten ☃", Languages: []string{}, Bytes: 65536,
			}}
			if !reflect.DeepEqual(info.Editions, want) {
				t.Errorf("editions\n%+v, want\n%+v", info.Editions, want)
			}
		})
	}
}

// A file cut at any of many places is refused, whatever is missing.
func TestTruncated(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(capture(t, "--compress=none"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 8; n < len(raw); n += max(1, len(raw)/200) {
		_, err := inspect(bytes.NewReader(raw[:n]), int64(n), nil)
		if p := faultParams(t, err, "image_truncated"); p["have_bytes"] != strconv.Itoa(n) || p["detail"] == "" {
			t.Errorf("cut at %d: %v", n, p)
		}
	}
}

func TestNotAnImage(t *testing.T) {
	t.Parallel()
	for want, raw := range map[string][]byte{
		"ZIP":     []byte("PK\x03\x04 and more"),
		"QCOW2":   append([]byte("QFI\xfb"), make([]byte, 1000)...),
		"unknown": []byte("just some text"),
	} {
		_, err := inspect(bytes.NewReader(raw), int64(len(raw)), nil)
		if p := faultParams(t, err, "image_not_readable"); p["found"] != want {
			t.Errorf("found %q, want %q", p["found"], want)
		}
	}
	_, err := inspect(bytes.NewReader(nil), 0, nil)
	wantFault(t, err, "image_not_readable")
}

func TestSplitPart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "tree")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		body := bytes.Repeat([]byte{byte(i)}, 1<<20)
		if err := os.WriteFile(filepath.Join(data, strconv.Itoa(i)), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	whole := filepath.Join(dir, "whole.wim")
	wimlib(t, "capture", data, whole, "split", "--compress=none")
	wimlib(t, "split", whole, filepath.Join(dir, "part.swm"), "2")
	for name, part := range map[string]string{"part.swm": "1", "part2.swm": "2"} {
		_, err := Inspect(t.Context(), filepath.Join(dir, name), nil)
		if p := faultParams(t, err, "image_part"); p["part"] != part || p["parts"] == "1" {
			t.Errorf("%s: %v", name, p)
		}
	}
}

func TestNoEditions(t *testing.T) {
	t.Parallel()
	path := capture(t, "--compress=none")
	wimlib(t, "delete", path, "1")
	wimlib(t, "delete", path, "1")
	_, err := Inspect(t.Context(), path, nil)
	wantFault(t, err, "image_no_editions")
}

func TestCorruptAndUnsupported(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(capture(t, "--compress=none"))
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, b byte) []byte {
		c := bytes.Clone(raw)
		c[at] = b
		return c
	}
	for want, c := range map[fault.Code][]byte{
		"image_corrupt":     change(16, raw[16]|0x40), // being written
		"image_unsupported": change(12, 0xff),         // version
	} {
		_, err := inspect(bytes.NewReader(c), int64(len(c)), nil)
		if p := faultParams(t, err, want); p["detail"] == "" {
			t.Errorf("%s without detail", want)
		}
	}
}

func TestEndedContextAndMissingFile(t *testing.T) {
	t.Parallel()
	path := capture(t, "--compress=none")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ended, path, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	if _, err := Inspect(t.Context(), path+".none", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
