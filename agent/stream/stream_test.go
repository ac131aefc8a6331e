package stream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/stream"
)

// compress runs a compressor (Debian: gzip, xz-utils, zstd) on data in a file, or on its standard input.
func compress(t testing.TB, data []byte, pipe bool, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], append(args[1:], "-c")...)
	if pipe {
		cmd.Stdin = bytes.NewReader(data)
	} else {
		path := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd.Args = append(cmd.Args, path)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}

// content is text and noise with long zeros between.
func content(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(data[:n/4])
	copy(data[n/2:], bytes.Repeat([]byte("the stick engine "), n/70))
	return data
}

func decode(b []byte) ([]byte, error) {
	f, err := stream.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	r, err := f.NewReader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// What the usual compressors make becomes what it was.
func TestDecodes(t *testing.T) {
	t.Parallel()
	data := content(3_000_001)
	half := len(data) / 2
	twice := func(args ...string) []byte {
		return slices.Concat(compress(t, data[:half], false, args...), compress(t, data[half:], false, args...))
	}
	for _, c := range []struct {
		name   string
		file   []byte
		format stream.Format
		known  bool
	}{
		{"gzip", compress(t, data, false, "gzip", "-6"), stream.Gzip, false},
		{"gzip, two members", twice("gzip", "-1"), stream.Gzip, false},
		{"gzip, zeros behind", append(compress(t, data, false, "gzip", "-1"), make([]byte, 3000)...), stream.Gzip, false},
		{"xz", compress(t, data, false, "xz", "-0"), stream.XZ, true},
		{"xz -9", compress(t, data, false, "xz", "-9"), stream.XZ, true},
		{"xz from a pipe", compress(t, data, true, "xz", "-1"), stream.XZ, true},
		{"xz in blocks", compress(t, data, false, "xz", "-0", "-T2", "--block-size=700KiB"), stream.XZ, true},
		{"xz, CRC-32", compress(t, data, false, "xz", "-0", "--check=crc32"), stream.XZ, true},
		{"xz, SHA-256", compress(t, data, false, "xz", "-0", "--check=sha256"), stream.XZ, true},
		{"xz without checksum", compress(t, data, false, "xz", "-0", "--check=none"), stream.XZ, true},
		{"xz, two streams and padding", append(twice("xz", "-0"), make([]byte, 8)...), stream.XZ, true},
		{"zstd", compress(t, data, false, "zstd", "-q"), stream.Zstd, true},
		{"zstd -19 --long=27", compress(t, data, false, "zstd", "-q", "-12", "--long=27"), stream.Zstd, true},
		{"zstd from a pipe", compress(t, data, true, "zstd", "-q"), stream.Zstd, false},
		{"zstd, two frames", twice("zstd", "-q", "-1"), stream.Zstd, true},
		{"zstd, a frame to skip", append([]byte("\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"), compress(t, data, false, "zstd", "-q")...), "", false},
		{"zstd, a frame to skip behind", append(compress(t, data, false, "zstd", "-q"), "\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"...), stream.Zstd, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := stream.Open(bytes.NewReader(c.file), int64(len(c.file)))
			if c.format == "" {
				if !errors.Is(err, stream.ErrUnknown) {
					t.Errorf("opened: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			size, known := f.DecodedSize()
			if f.Format() != c.format || known != c.known || known && size != int64(len(data)) {
				t.Errorf("%s of %d bytes, known %v", f.Format(), size, known)
			}
			if got, err := decode(c.file); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// A file that was cut off, wherever, never ends as if it were whole.
func TestCut(t *testing.T) {
	t.Parallel()
	data := content(400_000)
	for _, args := range [][]string{
		{"gzip"}, {"xz", "-0"}, {"xz", "-0", "-T2", "--block-size=64KiB"}, {"xz", "-0", "--check=none"}, {"zstd", "-q"}, {"zstd", "-q", "--no-check"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			file := compress(t, data, false, args...)
			for n := 6; n < len(file); n += 1 + min(n, len(file)-n)/9 {
				if _, err := decode(file[:n]); !errors.Is(err, stream.ErrTruncated) {
					t.Errorf("%d of %d bytes: %v", n, len(file), err)
				}
			}
		})
	}
}

// A byte that changed is found by the file's own checksums.
func TestChanged(t *testing.T) {
	t.Parallel()
	data := content(400_000)
	for _, args := range [][]string{{"gzip", "-n"}, {"xz", "-0"}, {"xz", "-0", "--check=sha256"}, {"zstd", "-q"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			file := compress(t, data, false, args...)
			for n := 20; n < len(file); n += len(file) / 40 {
				b := bytes.Clone(file)
				b[n] ^= 0x10
				if got, err := decode(b); err == nil {
					t.Errorf("byte %d of %d: %d bytes without an error", n, len(file), len(got))
				}
			}
		})
	}
}

// gzip(1) passes over zeros, and over nothing else.
func TestGarbageBehindZeros(t *testing.T) {
	t.Parallel()
	b := append(compress(t, content(10_000), true, "gzip"), "\x00\x00garbage"...)
	if _, err := decode(b); !errors.Is(err, stream.ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// What a file says of its window is what its compressor was told.
func TestWindowOf(t *testing.T) {
	t.Parallel()
	data := content(20 << 20)
	for _, c := range []struct {
		want int64
		args []string
	}{
		{32 << 10, []string{"gzip", "-1"}},
		{256 << 10, []string{"xz", "-0"}},
		{8 << 20, []string{"xz", "--lzma2=preset=0,dict=8MiB"}},
		{20 << 20, []string{"xz", "--lzma2=preset=0,dict=64MiB"}}, // no more than there is
		{8 << 20, []string{"zstd", "-q", "-1", "--zstd=wlog=23"}},
		{16 << 20, []string{"zstd", "-q", "-1", "--zstd=wlog=24"}},
	} {
		b := compress(t, data, false, c.args...)
		f, err := stream.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil || f.Window() != c.want {
			t.Errorf("%v: %d, %v, want %d", c.args, f.Window(), err, c.want)
		}
	}
}

func TestGarbageBehind(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip", "xz", "zstd"} {
		b := append(compress(t, content(10_000), true, name, "-q"), "garbage"...)
		if _, err := decode(b); err == nil {
			t.Errorf("%s: garbage behind the end was not seen", name)
		}
	}
}

// A header cannot ask for more memory than the limit.
func TestWindow(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, stream.MaxWindow+1)
	xz := compress(t, zeros, true, "xz", "-0")
	dict := bytes.Index(xz, []byte{0x21, 0x01}) + 2 // the block's filter
	xz[dict] = 30                                   // 128 MiB
	sum := func() {
		end := 12 + (int(xz[12])+1)*4 - 4
		binary.LittleEndian.PutUint32(xz[end:], crc32.ChecksumIEEE(xz[12:end]))
	}
	sum()
	if _, err := stream.Open(bytes.NewReader(xz), int64(len(xz))); err != nil {
		t.Errorf("128 MiB: %v", err)
	}
	xz[dict] = 31
	sum()
	if _, err := stream.Open(bytes.NewReader(xz), int64(len(xz))); !errors.Is(err, stream.ErrWindow) {
		t.Errorf("192 MiB: %v", err)
	}
	zst := compress(t, zeros, true, "zstd", "-q", "-1", "--long=28")
	if _, err := stream.Open(bytes.NewReader(zst), int64(len(zst))); !errors.Is(err, stream.ErrWindow) {
		t.Errorf("zstd --long=28: %v", err)
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{"--x86", "--arm", "--delta=dist=4"} {
		b := compress(t, content(10_000), true, "xz", filter, "--lzma2=preset=0")
		if _, err := decode(b); !errors.Is(err, stream.ErrFilter) {
			t.Errorf("%s: %v", filter, err)
		}
	}
	if _, err := decode([]byte("BZh91AY&SY")); !errors.Is(err, stream.ErrUnknown) {
		t.Errorf("bzip2: %v", err)
	}
}

// failing is a disk that breaks at an offset.
type failing struct {
	io.ReaderAt
	at int64
}

var errDisk = errors.New("disk")

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at <= f.at && at+int64(len(p)) > f.at {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, at)
}

// A host's disk that cannot be read is not the image's fault.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip", "xz", "zstd"} {
		b := compress(t, content(400_000), true, name)
		broken, err := stream.Open(failing{bytes.NewReader(b), int64(len(b) / 2)}, int64(len(b)))
		if err == nil {
			var r io.ReadCloser
			if r, err = broken.NewReader(); err == nil {
				_, err = io.Copy(io.Discard, r)
			}
		}
		if !errors.Is(err, errDisk) || errors.Is(err, stream.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a file says, decoding it ends, with little memory.
func FuzzDecode(f *testing.F) {
	data := content(3000)
	for _, args := range [][]string{{"gzip"}, {"xz", "-0"}, {"xz", "-0", "--check=none", "-T2", "--block-size=1KiB"}, {"zstd", "-q"}} {
		f.Add(compress(f, data, false, args...))
		f.Add(compress(f, data, true, args...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := stream.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		r, err := file.NewReader()
		if err != nil {
			return
		}
		defer r.Close()
		n, err := io.CopyN(io.Discard, r, 4<<20)
		if size, known := file.DecodedSize(); errors.Is(err, io.EOF) && known && size != n {
			t.Errorf("%d bytes, it says %d", n, size)
		}
	})
}

// BenchmarkDecode is for choosing decoders: bytes that come out per second.
func BenchmarkDecode(b *testing.B) {
	data := content(16 << 20)
	for _, args := range [][]string{{"gzip"}, {"xz"}, {"zstd", "-q"}} {
		file := compress(b, data, false, args...)
		b.Run(args[0], func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := decode(file); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a file lists costs memory before any of it is looked at: ten bytes of a
// hostile one are a block.
func TestTooManyBlocks(t *testing.T) {
	t.Parallel()
	le := binary.LittleEndian
	const records = 400_000
	index := append([]byte{0}, binary.AppendUvarint(nil, records)...)
	for range records {
		index = append(index, 8, 0) // bytes in the file, bytes that they become
	}
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	index = le.AppendUint32(index, crc32.ChecksumIEEE(index))
	flags := []byte{0, 0}
	one := le.AppendUint32(append([]byte("\xfd7zXZ\x00"), flags...), crc32.ChecksumIEEE(flags))
	one = append(append(one, make([]byte, 8*records)...), index...)
	foot := append(le.AppendUint32(nil, uint32(len(index)/4-1)), flags...)
	one = append(append(le.AppendUint32(one, crc32.ChecksumIEEE(foot)), foot...), "YZ"...)
	for n, want := range map[int]error{2: stream.ErrCorrupt, 3: stream.ErrUnsupported} {
		file := bytes.Repeat(one, n)
		if _, err := stream.Open(bytes.NewReader(file), int64(len(file))); !errors.Is(err, want) {
			t.Errorf("%d blocks: %v, want %v", n*records, err, want)
		}
	}
}
