package bmap_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/bmap"
)

// create has bmaptool (Debian: bmap-tools) map an image with data in three places.
func create(t testing.TB) (text string, image []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	random := rand.NewChaCha8([32]byte{3})
	const size = 1_000_500
	for _, part := range []struct{ at, length int64 }{{0, 512}, {20_480, 12_288}, {size - 1, 1}} {
		data := make([]byte, part.length)
		_, _ = random.Read(data)
		data[0] |= 1
		if _, err := f.WriteAt(data, part.at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "bmaptool", "create", path).Output()
	if err != nil {
		t.Fatalf("bmaptool: %v", err)
	}
	image, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), image
}

func TestParse(t *testing.T) {
	t.Parallel()
	text, image := create(t)
	m, err := bmap.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if m.ImageBytes != int64(len(image)) || len(m.Ranges) != 3 || m.MappedBytes() >= m.ImageBytes/2 {
		t.Fatalf("%+v", m)
	}
	rest := image
	at := int64(0)
	for _, r := range m.Ranges {
		if sha256.Sum256(image[r.Offset:r.End()]) != r.SHA256 {
			t.Errorf("bytes %d to %d have another checksum", r.Offset, r.End())
		}
		if strings.Trim(string(rest[at:r.Offset]), "\x00") != "" {
			t.Errorf("content between %d and %d", at, r.Offset)
		}
		at = r.End()
	}
	if at != m.ImageBytes {
		t.Errorf("the last range ends at %d", at)
	}
}

// summed gives a changed map its right checksum.
func summed(text string) string {
	zeros := strings.Repeat("0", 64)
	element := regexp.MustCompile(`(<BmapFileChecksum>\s*)\w+`)
	text = element.ReplaceAllString(text, "${1}"+zeros)
	sum := sha256.Sum256([]byte(text))
	return element.ReplaceAllString(text, "${1}"+hex.EncodeToString(sum[:]))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	text, _ := create(t)
	for _, c := range []struct {
		name, old, new string
		want           error
	}{
		{"no map", "bmap", "zmap", bmap.ErrUnknown},
		{"no XML", "<BlockMap>", "<BlockMap", bmap.ErrUnknown},
		{"version 1.3", `version="2.0"`, `version="1.3"`, bmap.ErrUnsupported},
		{"SHA-1", "sha256", "sha1", bmap.ErrUnsupported},
		{"another image size", "1000500", "2000500", bmap.ErrCorrupt},
		{"fewer mapped blocks", "> 5 ", "> 4 ", bmap.ErrCorrupt},
		{"a range twice", "5-7", "0-2", bmap.ErrCorrupt},
		{"a range behind the end", "5-7", "5-900", bmap.ErrCorrupt},
		{"a range backwards", "5-7", "7-5", bmap.ErrCorrupt},
		{"no range", "5-7", "some", bmap.ErrCorrupt},
		{"no checksum", `chksum="`, `chksum="0`, bmap.ErrCorrupt},
		{"blocks of one byte", "4096", "1", bmap.ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changed := strings.ReplaceAll(text, c.old, c.new)
			if changed == text {
				t.Fatalf("nothing to replace:\n%s", text)
			}
			if _, err := bmap.Parse([]byte(summed(changed))); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	if _, err := bmap.Parse([]byte(strings.Replace(text, "5-7", "5-6", 1))); !errors.Is(err, bmap.ErrCorrupt) {
		t.Errorf("a change without its checksum: %v", err)
	}
	if _, err := bmap.Parse([]byte(summed(text))); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	text, _ := create(f)
	f.Add(text)
	f.Add(text[strings.Index(text, "<bmap"):])
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range []string{text, summed(text)} {
			m, err := bmap.Parse([]byte(s))
			if err != nil {
				continue
			}
			end := int64(0)
			for _, r := range m.Ranges {
				if r.Offset < end || r.Length < 1 || r.End() > m.ImageBytes {
					t.Errorf("range %+v behind %d of %d", r, end, m.ImageBytes)
				}
				end = r.End()
			}
		}
	})
}
