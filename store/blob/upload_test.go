package blob_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store/blob"
	"github.com/stickpress/stickpress/store/blob/blobtest"
)

func openStaging(t *testing.T, dir string) *blob.Staging {
	t.Helper()
	s, err := blob.OpenStaging(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tusServer is a server with tusd on a staging folder, as the console has it.
func tusServer(t *testing.T, dir string) (*httptest.Server, *blob.Staging) {
	t.Helper()
	s := openStaging(t, dir)
	composer := handler.NewStoreComposer()
	composer.UseCore(s)
	composer.UseTerminater(s)
	memorylocker.New().UseIn(composer)
	h, err := handler.NewHandler(handler.Config{BasePath: "/files/", StoreComposer: composer})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.StripPrefix("/files/", h))
	t.Cleanup(srv.Close)
	return srv, s
}

// tus sends one request and returns the answer and its body.
func tus(t *testing.T, method, url string, header map[string]string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func patch(t *testing.T, url string, offset int, data []byte) *http.Response {
	t.Helper()
	resp, text := tus(t, "PATCH", url, map[string]string{
		"Content-Type": "application/offset+octet-stream", "Upload-Offset": strconv.Itoa(offset),
	}, bytes.NewReader(data))
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("PATCH at %d: %s %s", offset, resp.Status, text)
	}
	return resp
}

func begin(t *testing.T, srv *httptest.Server, size int) string {
	t.Helper()
	resp, text := tus(t, "POST", srv.URL+"/files/", map[string]string{
		"Upload-Length": strconv.Itoa(size), "Upload-Metadata": "filename aW5zdGFsbC53aW0=",
	}, nil)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("POST: %s %s", resp.Status, text)
	}
	return path.Base(resp.Header.Get("Location"))
}

// An upload goes on in a new process, over bytes that a crash left behind the
// offset, and is then adopted.
func TestUploadGoesOnAfterCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := blobtest.Bytes(2*protocol.BlockSize+12345, 7)
	cut := protocol.BlockSize + 999
	srv, _ := tusServer(t, dir)
	id := begin(t, srv, len(data))
	patch(t, srv.URL+"/files/"+id, 0, data[:cut])
	srv.Close()

	bin, err := os.OpenFile(filepath.Join(dir, id+".bin"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bin.WriteString("written and not counted"); err != nil {
		t.Fatal(err)
	}
	bin.Close()

	srv, staging := tusServer(t, dir)
	url := srv.URL + "/files/" + id
	if resp, _ := tus(t, "HEAD", url, nil, nil); resp.Header.Get("Upload-Offset") != strconv.Itoa(cut) {
		t.Fatalf("offset %q, want %d", resp.Header.Get("Upload-Offset"), cut)
	}
	_, err = staging.Finished(id)
	if p := blobtest.FaultParams(t, err, "upload_incomplete"); p["have_bytes"] != strconv.Itoa(cut) {
		t.Errorf("parameters %v", p)
	}
	patch(t, url, cut, data[cut:])
	done, err := staging.Finished(id)
	if err != nil {
		t.Fatal(err)
	}
	want := blobtest.Record(data)
	if done.Record.SHA256 != want.SHA256 || len(done.Record.Blocks) != 3 || done.MetaData["filename"] != "install.wim" {
		t.Errorf("%+v, want %+v", done, want)
	}
	folder := openFolder(t, t.TempDir())
	if err := folder.Adopt(t.Context(), done.Path, done.Record); err != nil {
		t.Fatal(err)
	}
	if err := folder.Verify(t.Context(), want.SHA256); err != nil {
		t.Error(err)
	}
	_, err = staging.Finished(id)
	blobtest.WantFault(t, err, "upload_not_found")
	for range 2 {
		if err := staging.Remove(id); err != nil {
			t.Error(err)
		}
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files left", n)
	}
}

func TestUploadTerminate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv, _ := tusServer(t, dir)
	url := srv.URL + "/files/" + begin(t, srv, 1000)
	patch(t, url, 0, make([]byte, 10))
	if resp, text := tus(t, "DELETE", url, nil, nil); resp.StatusCode != http.StatusNoContent {
		t.Errorf("DELETE: %s %s", resp.Status, text)
	}
	if resp, _ := tus(t, "HEAD", url, nil, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("HEAD: %s", resp.Status)
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files left", n)
	}
}

// What arrived before the line broke counts.
func TestUploadKeepsWhatArrived(t *testing.T) {
	t.Parallel()
	s := openStaging(t, t.TempDir())
	data := blobtest.Bytes(3<<20, 1)
	u, err := s.NewUpload(t.Context(), handler.FileInfo{Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the line broke")
	n, err := u.WriteChunk(t.Context(), 0, io.MultiReader(bytes.NewReader(data[:2<<20]), iotest.ErrReader(broken)))
	if n != 2<<20 || !errors.Is(err, broken) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	info, err := u.GetInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.GetUpload(t.Context(), info.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.WriteChunk(t.Context(), 5, strings.NewReader("x")); err == nil {
		t.Error("a wrong offset was taken")
	}
	if n, err := again.WriteChunk(t.Context(), 2<<20, bytes.NewReader(data[2<<20:])); n != 1<<20 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	done, err := s.Finished(info.ID)
	if err != nil || done.Record.SHA256 != blobtest.Record(data).SHA256 {
		t.Errorf("%+v, %v", done, err)
	}
	r, err := again.GetReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read back %d bytes, %v", len(got), err)
	}
}

func TestUploadDiskFull(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 1<<20)
	srv, s := tusServer(t, dir)
	resp, text := tus(t, "POST", srv.URL+"/files/", map[string]string{"Upload-Length": "5000000"}, nil)
	if resp.StatusCode != http.StatusInsufficientStorage || !strings.HasPrefix(text, "blob_disk_full: need_bytes=5000000 ") {
		t.Errorf("%s %q", resp.Status, text)
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files left", n)
	}
	// Room that goes away in the middle.
	u, err := s.NewUpload(t.Context(), handler.FileInfo{Size: 900 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), make([]byte, 600<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = u.WriteChunk(t.Context(), 0, bytes.NewReader(make([]byte, 900<<10)))
	blobtest.WantFault(t, err, "blob_disk_full")
	if err := os.Remove(filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	info, err := u.GetInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err = s.GetUpload(t.Context(), info.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.WriteChunk(t.Context(), info.Offset, bytes.NewReader(make([]byte, 900<<10-info.Offset))); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if _, err := s.Finished(info.ID); err != nil {
		t.Error(err)
	}
}

func TestUploadExpires(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	s, err := blob.OpenStaging(dir, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 3 {
		u, err := s.NewUpload(t.Context(), handler.FileInfo{Size: 10})
		if err != nil {
			t.Fatal(err)
		}
		info, _ := u.GetInfo(t.Context())
		ids = append(ids, info.ID)
	}
	old := now.Add(-25 * time.Hour)
	for _, name := range []string{ids[0] + ".json", "record-crashed", "lone.bin"} {
		p := filepath.Join(dir, name)
		if !strings.Contains(name, ids[0]) {
			if err := os.WriteFile(p, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
	// The bytes of a living upload may be old while its state is young.
	if err := os.Chtimes(filepath.Join(dir, ids[1]+".bin"), old, old); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Expire(t.Context(), 24*time.Hour); n != 1 || err != nil {
		t.Errorf("%d expired, %v", n, err)
	}
	if n := files(t, dir); n != 4 {
		t.Errorf("%d files left, want those of two uploads", n)
	}
	_, err = s.GetUpload(t.Context(), ids[0])
	if !errors.Is(err, handler.ErrNotFound) {
		t.Errorf("GetUpload: %v", err)
	}
}

func TestUploadIDs(t *testing.T) {
	t.Parallel()
	s := openStaging(t, t.TempDir())
	for _, id := range []string{"", "..", "../x", strings.Repeat("a", 26), fmt.Sprintf("%026d", 0)} {
		if _, err := s.GetUpload(t.Context(), id); !errors.Is(err, handler.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
