package imagefile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/fault"
)

// Four bytes that were changed in the middle of the content are found, however
// it is packed.
func TestDamagedContent(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"LZX": {"--compress=LZX"}, "XPRESS": {"--compress=XPRESS"}, "none": {"--compress=none"}, "solid ESD": {"--solid"},
		// Its table of checksums is not looked at.
		"with a table": {"--compress=none", "--check"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := capture(t, options...)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// Contents follow the header of 208 bytes.
			at := min(208+(len(raw)-208)/2, 40000)
			if strings.HasPrefix(name, "solid") || name == "LZX" || name == "XPRESS" {
				at = 208 + 40 // small: most of the file is what describes it
			}
			for i := range 4 {
				raw[at+i] ^= 0xff
			}
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = Inspect(t.Context(), path, nil)
			detail := faultParams(t, err, "image_damaged")["detail"]
			if detail == "" || strings.Contains(detail, filepath.Dir(path)) || strings.Contains(detail, "\n") {
				t.Errorf("detail %q", detail)
			}
			if _, err := Look(t.Context(), path); err != nil {
				t.Errorf("its structure is not damaged: %v", err)
			}
		})
	}
}

// A file that says that much is in it is slow, whatever its own size is.
func TestSlowWIM(t *testing.T) {
	t.Parallel()
	path := capture(t)
	if slow, err := Slow(path); slow || err != nil {
		t.Errorf("small: %v, %v", slow, err)
	}
	for _, bytes := range []string{"300000000", "18446744073709551615"} {
		wimlib(t, "info", path, "2", "--image-property", "TOTALBYTES="+bytes)
		if slow, err := Slow(path); !slow || err != nil {
			t.Errorf("with %s bytes: %v, %v", bytes, slow, err)
		}
	}
	var done []int64
	info, err := Inspect(t.Context(), path, func(n int64) { done = append(done, n) })
	if err != nil {
		t.Fatal(err)
	}
	if len(done) == 0 || done[len(done)-1] != info.Bytes {
		t.Errorf("told %v of %d", done, info.Bytes)
	}
}

// Without wimlib no WIM is taken for good, and none is called bad.
func TestNoVerifyTool(t *testing.T) {
	path := capture(t)
	t.Setenv("PATH", t.TempDir())
	_, inspected := Inspect(t.Context(), path, nil)
	_, looked := Slow(path)
	for _, err := range []error{inspected, looked} {
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != "image_tool_missing" || f.Kind != fault.KindUnavailable || f.Params["package"] != VerifyPackage {
			t.Errorf("%v", err)
		}
	}
}

func TestVerified(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]float64{
		"Verifying file data: 0 bytes of 0 bytes (100%) done":      1,
		"Verifying file data: 345 MiB of 1380 MiB (24%) done":      0.25,
		"Verifying file data: 3 GiB of 4 GiB (80%) done":           0.8,
		"Verifying metadata for image 1 of 1":                      -1,
		"Verifying file data: 1 MiB of 2 MiB (101%) done":          -1,
		"Verifying file data: 99999999999999999999 MiB of 2 (1%) ": -1,
	} {
		part, ok := verified(line)
		if !ok {
			part = -1
		}
		if part != want {
			t.Errorf("%q: %v, want %v", line, part, want)
		}
	}
}

func FuzzVerifyOutput(f *testing.F) {
	f.Add([]byte("Verifying metadata for image 1 of 1\n\rVerifying file data: 3 MiB of 7 MiB (42%) done\rVerifying"), 7)
	f.Fuzz(func(t *testing.T, said []byte, at int) {
		const size = 1 << 40
		v := &verifyOutput{size: size, progress: func(done int64) {
			if done < 0 || done > size {
				t.Errorf("%d of %d", done, int64(size))
			}
		}}
		at = max(0, min(at, len(said)))
		for _, part := range [][]byte{said[:at], said[at:]} {
			if n, err := v.Write(part); n != len(part) || err != nil {
				t.Error(n, err)
			}
		}
		if text := complaint(string(said)); bytes.ContainsRune([]byte(text), '\n') {
			t.Errorf("%q", text)
		}
	})
}
