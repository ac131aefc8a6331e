package snapshot

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is what the decoder of a snapshot may take, in bytes: zstd's own
// default has 8 MiB.
const maxWindow = 32 << 20

// maxPiece bounds an entry, in bytes: a piece ends with the row that fills it,
// and Postgres has none above that.
const maxPiece = 1<<30 + pieceBytes

// archive is a snapshot that is read from its beginning.
type archive struct {
	*tar.Reader
	under io.Reader // of tar
	close func()
	next  *tar.Header // read and not used
}

// open decrypts a snapshot and reads its header.
func open(r io.Reader, identities []age.Identity) (*archive, Header, error) {
	plain, err := age.Decrypt(r, identities...)
	if err != nil {
		return nil, Header{}, opening(err)
	}
	unpacked, err := zstd.NewReader(plain, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, Header{}, fmt.Errorf("open the backup: %w", err)
	}
	a := &archive{Reader: tar.NewReader(unpacked), under: unpacked, close: unpacked.Close}
	var h Header
	if err := a.json(headerName, &h); err != nil {
		a.close()
		return nil, Header{}, err
	}
	if h.Format != Format {
		a.close()
		return nil, Header{}, fmt.Errorf("%w (it has format %d)", ErrNewer, h.Format)
	}
	return a, h, nil
}

// opening says why age does not open a file.
func opening(err error) error {
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return ErrWrongKey
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", ErrCut, err)
	}
	return fmt.Errorf("%w: %w", ErrNotSnapshot, err)
}

// reading says why a snapshot that was opened cannot be read on. age says only
// in words whether a file was changed; that its end is missing comes as such.
func reading(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", ErrCut, err)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// head returns the next entry without going past it.
func (a *archive) head() (*tar.Header, error) {
	if a.next == nil {
		h, err := a.Next()
		if err != nil {
			return nil, reading(err)
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxPiece {
			return nil, fmt.Errorf("%w: it has an entry %q of %d bytes", ErrDamaged, h.Name, h.Size)
		}
		a.next = h
	}
	return a.next, nil
}

// json reads the entry that has to come now.
func (a *archive) json(name string, v any) error {
	h, err := a.head()
	if err != nil {
		return err
	}
	if h.Name != name || h.Size > maxJSON {
		return fmt.Errorf("%w: it has %q where %s should be", ErrDamaged, h.Name, name)
	}
	a.next = nil
	raw, err := io.ReadAll(a)
	if err != nil {
		return reading(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
	}
	return nil
}

// tables calls do for each table with its text, which do reads to the end, and
// returns what is said of all of them in the end, in agreement with what was read.
func (a *archive) tables(do func(name string, r io.Reader) error) (Manifest, error) {
	read := map[string]Table{}
	for {
		h, err := a.head()
		if err != nil {
			return Manifest{}, err
		}
		if h.Name == manifestName {
			break
		}
		name, _, ok := strings.Cut(strings.TrimPrefix(h.Name, tablesDir), "/")
		if _, again := read[name]; !ok || again || !strings.HasPrefix(h.Name, tablesDir) {
			return Manifest{}, fmt.Errorf("%w: it has an entry %q", ErrDamaged, h.Name)
		}
		t := &tableText{archive: a, prefix: tablesDir + name + "/", sum: sha256.New()}
		if err := do(name, t); err != nil {
			return Manifest{}, err
		}
		read[name] = Table{Rows: t.rows, Bytes: t.bytes, SHA256: hex.EncodeToString(t.sum.Sum(nil))}
	}
	var m Manifest
	if err := a.json(manifestName, &m); err != nil {
		return Manifest{}, err
	}
	if _, err := a.Next(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("there is something behind its manifest")
		}
		return Manifest{}, reading(err)
	}
	// Only its last bytes say that a file is whole.
	if _, err := io.Copy(io.Discard, a.under); err != nil {
		return Manifest{}, reading(err)
	}
	for i := range m.Tables {
		t := &m.Tables[i]
		// A table without rows has no entry.
		if r := read[t.Name]; r.Rows != t.Rows || r.Bytes != t.Bytes || t.Bytes > 0 && r.SHA256 != t.SHA256 {
			return Manifest{}, fmt.Errorf("%w: table %s is not what its manifest says", ErrDamaged, t.Name)
		}
		delete(read, t.Name)
	}
	for name := range read {
		return Manifest{}, fmt.Errorf("%w: its manifest knows no table %s", ErrDamaged, name)
	}
	return m, nil
}

// tableText is one table's text, from its pieces.
type tableText struct {
	archive *archive
	prefix  string
	sum     hash.Hash
	bytes   int64
	rows    int64 // COPY writes a line for each, and no other ends of lines
	within  bool  // a piece
}

func (t *tableText) Read(b []byte) (int, error) {
	for {
		if !t.within {
			h, err := t.archive.head()
			if err != nil {
				return 0, err
			}
			if !strings.HasPrefix(h.Name, t.prefix) {
				return 0, io.EOF
			}
			t.archive.next, t.within = nil, true
		}
		n, err := t.archive.Read(b)
		t.sum.Write(b[:n])
		t.bytes += int64(n)
		t.rows += int64(bytes.Count(b[:n], []byte("\n")))
		if errors.Is(err, io.EOF) {
			t.within, err = false, nil
		}
		if n > 0 || err != nil {
			return n, reading(err)
		}
	}
}

// Check reads a snapshot from end to end and returns what is in it. Nothing is
// changed anywhere. Errors: ErrNotSnapshot, ErrWrongKey, ErrCut, ErrDamaged,
// ErrNewer.
func Check(r io.Reader, identities ...age.Identity) (Manifest, error) {
	a, h, err := open(r, identities)
	if err != nil {
		return Manifest{}, err
	}
	defer a.close()
	m, err := a.tables(func(_ string, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err != nil {
		return Manifest{}, err
	}
	if m.Header != h {
		return Manifest{}, fmt.Errorf("%w: its header and its manifest say different things", ErrDamaged)
	}
	slices.Sort(m.KeyIDs)
	return m, nil
}
