package blob_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/stickpress/stickpress/store/blob"
)

func TestReceiveTakesAStream(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("Stickpress"), 1<<20)
	s := openStaging(t, t.TempDir())
	whole, err := s.Receive(t.Context(), map[string]string{"filename": "a.wim"}, iotest.HalfReader(bytes.NewReader(content)))
	if err != nil {
		t.Fatal(err)
	}
	hash := blob.NewHasher()
	_, _ = hash.Write(content)
	if want := hash.Record(); whole.Record.SHA256 != want.SHA256 || whole.Record.Bytes != want.Bytes {
		t.Errorf("record %+v, want %+v", whole.Record, want)
	}
	if whole.MetaData["filename"] != "a.wim" {
		t.Errorf("metadata %v", whole.MetaData)
	}
	if got, err := os.ReadFile(whole.Path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the staged file differs: %v", err)
	}
}

func TestReceiveLeavesNothingOfABrokenStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStaging(t, dir)
	gone := errors.New("the browser is gone")
	src := io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), iotest.ErrReader(gone))
	if _, err := s.Receive(t.Context(), nil, src); !errors.Is(err, gone) {
		t.Fatalf("error %v, want %v", err, gone)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
