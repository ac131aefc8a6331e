package upload_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestUpload(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := open(t, f, f.Admin)
	raw := apitest.WIM(t)
	at := d.begin(`C:\images\install.wim`, len(raw))
	if !strings.HasPrefix(at, "/up/") {
		t.Errorf("Location is %q, want a path: a proxy knows the rest", at)
	}
	d.patch(204, "", at, 0, raw)
	u, err := f.GetUpload(t.Context(), f.Admin, path.Base(at))
	if err != nil || u.State != "ready" || u.FileName != "install.wim" || u.Bytes != int64(len(raw)) || len(u.Editions) != 3 {
		t.Errorf("upload is %+v, %v", u, err)
	}
	if n := staged(t, f); n != 0 {
		t.Errorf("%d files still staged", n)
	}
	// A client that missed the last answer asks, or sends again.
	if n := d.offset(at); n != len(raw) {
		t.Errorf("offset %d, want %d", n, len(raw))
	}
	d.patch(204, "", at, len(raw), nil)
	d.patch(409, "upload_offset_mismatch", at, 0, raw)
	if n := kept(t, f); n != 1 {
		t.Errorf("%d blobs, want 1", n)
	}
}

// What came before the line broke counts, in a server that was started anew
// as well.
func TestUploadGoesOn(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := open(t, f, f.Admin)
	raw := apitest.WIM(t)
	at := d.begin("a.wim", len(raw))
	cut := len(raw) / 3

	req, err := http.NewRequestWithContext(t.Context(), "PATCH", d.srv.URL+at,
		io.MultiReader(bytes.NewReader(raw[:cut]), iotest.ErrReader(errors.New("unplugged"))))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(raw))
	req.Header.Set("Tus-Resumable", "1.0.0")
	req.Header.Set("Upload-Offset", "0")
	req.Header.Set("Content-Type", "application/offset+octet-stream")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Fatalf("the broken request was answered with %s", resp.Status)
	}
	// The broken request may reach the server late, and then interrupt the next
	// one or move the offset: a client asks again, as this one does.
	have, half := 0, len(raw)/2
	for status := 0; status != 204; {
		if have = d.offset(at); have > cut {
			t.Fatalf("the server has %d bytes of %d sent", have, cut)
		}
		var code string
		status, _, code = d.send("PATCH", at, bytes.NewReader(raw[have:half]), "Upload-Offset", strconv.Itoa(have),
			"Content-Type", "application/offset+octet-stream")
		if status != 204 && code != "upload_offset_mismatch" && code != "upload_interrupted" {
			t.Fatalf("status %d %s", status, code)
		}
		if status != 204 {
			cut = half // of the interrupted request some may have arrived
		}
	}
	d.srv.Close()

	d = open(t, f, f.Admin)
	if have = d.offset(at); have != half {
		t.Fatalf("the new server has %d bytes, want %d", have, half)
	}
	d.patch(204, "", at, half, raw[half:])
	u, err := f.GetUpload(t.Context(), f.Admin, path.Base(at))
	if err != nil || u.State != "ready" {
		t.Errorf("upload is %+v, %v", u, err)
	}
}

// A server that died between the last byte and the inspection inspects when
// the client asks.
func TestUploadIsFinishedLater(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	whole, err := f.Staging.Receive(t.Context(), map[string]string{"filename": "a.wim"}, bytes.NewReader(apitest.WIM(t)))
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, f, f.Admin)
	if n := d.offset("/up/" + whole.ID); int64(n) != whole.Record.Bytes {
		t.Errorf("offset %d, want %d", n, whole.Record.Bytes)
	}
	if u, err := f.GetUpload(t.Context(), f.Admin, whole.ID); err != nil || u.State != "ready" {
		t.Errorf("upload is %+v, %v", u, err)
	}
}

// The answer to the last byte of what is no image is the reason, and nothing
// of it stays.
func TestUploadOfNoImage(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := open(t, f, f.Admin)
	raw := apitest.WIM(t)
	for name, tt := range map[string]struct {
		raw  []byte
		code string
	}{
		"a text":    {bytes.Repeat([]byte("not an image. "), 1000), "image_not_readable"},
		"cut short": {raw[:len(raw)-500], "image_truncated"},
	} {
		at := d.begin("a.wim", len(tt.raw))
		d.patch(204, "", at, 0, tt.raw[:100])
		d.patch(422, tt.code, at, 100, tt.raw[100:])
		if n := staged(t, f); n != 0 {
			t.Errorf("%s: %d files still staged", name, n)
		}
		if n := kept(t, f); n != 0 {
			t.Errorf("%s: %d blobs kept", name, n)
		}
		d.want(404, "", "HEAD", at, nil)
	}
}

func TestUploadsSideBySide(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := open(t, f, f.Admin)
	raw := apitest.WIM(t)
	other := append([]byte(nil), raw...)
	paths := []string{d.begin("a.wim", len(raw)), d.begin("b.wim", len(other))}
	var wg sync.WaitGroup
	for i, content := range [][]byte{raw, other} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for at := 0; at < len(content); {
				end := min(at+len(content)/7, len(content))
				status, _, text := d.send("PATCH", paths[i], bytes.NewReader(content[at:end]),
					"Upload-Offset", strconv.Itoa(at), "Content-Type", "application/offset+octet-stream")
				if status != 204 {
					t.Errorf("upload %d at %d: status %d %s", i, at, status, text)
					return
				}
				at = end
			}
		}()
	}
	wg.Wait()
	for i, name := range []string{"a.wim", "b.wim"} {
		u, err := f.GetUpload(t.Context(), f.Admin, path.Base(paths[i]))
		if err != nil || u.State != "ready" || u.FileName != name {
			t.Errorf("upload is %+v, %v", u, err)
		}
	}
	if n := kept(t, f); n != 1 {
		t.Errorf("%d blobs of one content", n)
	}
}

func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	f := apitest.New(t, func(d *api.Deps) { d.MaxUpload = 1 << 20 })
	d := open(t, f, f.Admin)
	octets := []string{"Content-Type", "application/offset+octet-stream"}
	d.want(413, "upload_too_large", "POST", "/up/", nil, "Upload-Length", strconv.Itoa(1<<20+1))
	d.want(422, "upload_empty", "POST", "/up/", nil, "Upload-Length", "0")
	d.want(422, "upload_request_invalid", "POST", "/up/", nil)
	d.want(412, "upload_protocol", "POST", "/up/", nil, "Upload-Length", "5", "Tus-Resumable", "0.2")
	d.want(404, "upload_not_found", "PATCH", "/up/nope", strings.NewReader("x"), append(octets, "Upload-Offset", "0")...)
	at := d.begin("a.wim", 10)
	d.patch(409, "upload_offset_mismatch", at, 3, []byte("x"))
	d.patch(413, "upload_size_exceeded", at, 0, []byte("more than ten bytes"))
	d.want(422, "upload_request_invalid", "PATCH", at, strings.NewReader("x"), "Upload-Offset", "0", "Content-Type", "text/plain")
	if n := d.offset(at); n != 0 {
		t.Errorf("offset %d after refusals, want 0", n)
	}
	viewer := open(t, f, f.Viewer)
	viewer.want(403, "forbidden", "POST", "/up/", nil, "Upload-Length", "5")
	viewer.want(403, "forbidden", "DELETE", at, nil)
	// The method that counts is the one that was checked.
	viewer.want(403, "forbidden", "POST", at, nil, "X-HTTP-Method-Override", "DELETE")
	d.want(204, "", "DELETE", at, nil)
	d.want(404, "upload_not_found", "DELETE", at, nil)
	if n := staged(t, f); n != 0 {
		t.Errorf("%d files still staged", n)
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := open(t, f, f.Admin)
	u, err := d.h.Receive(t.Context(), f.Admin, `C:\a.wim`, bytes.NewReader(apitest.WIM(t)))
	if err != nil || u.State != "ready" || u.FileName != "a.wim" || len(u.Editions) != 3 {
		t.Errorf("upload is %+v, %v", u, err)
	}
	for name, tt := range map[string]struct {
		actor api.Actor
		body  io.Reader
		code  fault.Code
	}{
		"a text":                    {f.Admin, strings.NewReader(strings.Repeat("not an image. ", 1000)), "image_not_readable"},
		"nothing":                   {f.Admin, strings.NewReader(""), "upload_empty"},
		"a viewer is not even read": {f.Viewer, iotest.ErrReader(errors.New("read")), "forbidden"},
	} {
		_, err := d.h.Receive(t.Context(), tt.actor, "a.wim", tt.body)
		if !errors.Is(err, fault.New(fault.KindInvalid, tt.code)) {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	small := open(t, apitest.New(t, func(d *api.Deps) { d.MaxUpload = 1 << 10 }), f.Admin)
	endless := io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<11)), iotest.ErrReader(errors.New("read on")))
	if _, err = small.h.Receive(t.Context(), f.Admin, "a.wim", endless); !errors.Is(err, fault.New(fault.KindTooLarge, "upload_too_large")) {
		t.Errorf("a file without an end: %v", err)
	}
	gone := errors.New("the browser is gone")
	_, err = d.h.Receive(t.Context(), f.Admin, "a.wim", io.MultiReader(strings.NewReader("MSWIM"), iotest.ErrReader(gone)))
	if !errors.Is(err, gone) {
		t.Errorf("error %v, want %v", err, gone)
	}
	if n := staged(t, f); n != 0 {
		t.Errorf("%d files still staged", n)
	}
}

// A request that stalls gives way to the next one of its upload. Its
// connection is closed: net/http cancels whatever would follow on it.
func TestStalledRequestGivesWay(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := open(t, f, f.Admin)
	raw := apitest.WIM(t)
	at := d.begin("a.wim", len(raw))
	body, stall := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "PATCH", d.srv.URL+at, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(raw))
	req.Header.Set("Tus-Resumable", "1.0.0")
	req.Header.Set("Upload-Offset", "0")
	req.Header.Set("Content-Type", "application/offset+octet-stream")
	answered := make(chan *http.Response, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()
	if _, err := stall.Write(raw[:20_000]); err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		select {
		case resp := <-answered:
			done = true
			if resp == nil {
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
				t.Errorf("the stalled request is answered with %s, close %v", resp.Status, resp.Close)
			}
		default:
			d.offset(at)
		}
	}
	stall.Close()
	have := d.offset(at)
	d.patch(204, "", at, have, raw[have:])
}
