package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/stickpress/stickpress/api"
)

// File is something to upload.
type File struct {
	Name    string // without folders
	Size    int64  // bytes
	Content io.ReaderAt
	// TusID names an upload of the same file to go on with; empty begins a new
	// one.
	TusID string
	// Begun, if not nil, is told the TusID as soon as there is one.
	Begun func(tusID string)
	// Progress, if not nil, is told how many bytes are on their way: after a
	// broken connection it goes back to what the server has.
	Progress func(done, total int64)
	// Inspected, if not nil, is told how far and how fast a file is inspected in
	// the background.
	Inspected func(api.Upload)
}

// UploadFile uploads the file at a path, going on after broken connections,
// and returns it inspected and ready for PublishVersion. What the server
// refuses as no image is a *Problem. progress and inspected, as a File has them,
// may be nil.
func (c *Client) UploadFile(ctx context.Context, path string, progress func(done, total int64), inspected func(api.Upload)) (api.Upload, error) {
	file, err := os.Open(path)
	if err != nil {
		return api.Upload{}, fmt.Errorf("open the image: %w", err)
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return api.Upload{}, fmt.Errorf("look at the image: %w", err)
	}
	if !st.Mode().IsRegular() {
		return api.Upload{}, fmt.Errorf("%s is not a file", path)
	}
	return c.Upload(ctx, File{Name: filepath.Base(path), Size: st.Size(), Content: file, Progress: progress, Inspected: inspected})
}

// Upload is UploadFile for any content, and for uploads that an earlier run of
// a program began.
func (c *Client) Upload(ctx context.Context, f File) (api.Upload, error) {
	var offset int64
	var err error
	id := f.TusID
	known := id == "" // whether offset is what the server has
	if id == "" {
		if id, err = c.beginUpload(ctx, f); err != nil {
			return api.Upload{}, fmt.Errorf("begin the upload of %s: %w", f.Name, err)
		}
		if f.Begun != nil {
			f.Begun(id)
		}
	}
	bar := &bar{show: f.Progress, total: f.Size}
	for try := 1; !known || offset < f.Size; try++ {
		before := offset
		if known {
			offset, err = c.sendChunk(ctx, id, offset, f, bar)
		} else {
			offset, err = c.uploadOffset(ctx, id)
		}
		known = err == nil
		if err != nil {
			offset = before
			if !resumable(err) || try >= c.o.Tries {
				return api.Upload{}, fmt.Errorf("upload %s: %w", f.Name, err)
			}
			if err := c.o.Backoff(ctx, try); err != nil {
				return api.Upload{}, fmt.Errorf("upload %s: %w", f.Name, err)
			}
			continue
		}
		bar.at(offset)
		if offset > before {
			try = 0
		}
	}
	return c.waitForUpload(ctx, id, f.Inspected, func(u *api.Upload) bool { return u.State == api.UploadInspecting })
}

// waitForUpload waits for as long as something is said to go on with an upload.
func (c *Client) waitForUpload(ctx context.Context, id string, show func(api.Upload), going func(*api.Upload) bool) (api.Upload, error) {
	for try := 1; ; {
		u, err := c.GetUpload(ctx, id)
		switch {
		case err == nil && !going(&u):
			return u, nil
		case err == nil:
			try = 1
			if show != nil {
				show(u)
			}
		case !passing(err) || try >= c.o.Tries:
			return u, err
		default:
			try++
		}
		if err := c.o.Backoff(ctx, try); err != nil {
			return u, fmt.Errorf("wait for the inspection of an upload: %w", err)
		}
	}
}

// GetUpload returns an upload by its ID or its tus ID.
func (c *Client) GetUpload(ctx context.Context, ref string) (api.Upload, error) {
	return read[api.Upload](ctx, c, at("uploads", ref), nil)
}

// EndUpload gives an upload up.
func (c *Client) EndUpload(ctx context.Context, tusID string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: at("uploads", tusID), header: map[string]string{"Tus-Resumable": tusVersion}}, nil)
}

// tusVersion is the protocol: https://tus.io/protocols/resumable-upload.
const tusVersion = "1.0.0"

// resumable reports whether an upload may go on after an error.
func resumable(err error) bool {
	return passing(err) || IsCode(err, "upload_offset_mismatch") || IsCode(err, "upload_busy")
}

// beginUpload makes an upload and returns its tus ID.
func (c *Client) beginUpload(ctx context.Context, f File) (string, error) {
	for try := 1; ; try++ {
		resp, err := c.tus(ctx, http.MethodPost, at("uploads")+"/", http.NoBody, 0, map[string]string{
			"Upload-Length":   strconv.FormatInt(f.Size, 10),
			"Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte(f.Name)),
		})
		if err == nil {
			return path.Base(resp.Get("Location")), nil
		}
		if !passing(err) || try >= c.o.Tries {
			return "", err
		}
		if err := c.o.Backoff(ctx, try); err != nil {
			return "", err
		}
	}
}

// uploadOffset asks how many bytes the server has. A HEAD has no body, so that
// the reason of a refusal is asked for with a GET.
func (c *Client) uploadOffset(ctx context.Context, id string) (int64, error) {
	h, err := c.tus(ctx, http.MethodHead, at("uploads", id), http.NoBody, 0, nil)
	if err != nil {
		var p *Problem
		if errors.As(err, &p) && !passing(err) {
			if _, reason := c.GetUpload(ctx, id); reason != nil {
				return 0, reason
			}
		}
		return 0, err
	}
	return offsetOf(h)
}

// sendChunk sends the bytes from offset on and returns the new offset.
func (c *Client) sendChunk(ctx context.Context, id string, offset int64, f File, b *bar) (int64, error) {
	size := min(c.o.ChunkBytes, f.Size-offset)
	body := b.body(io.NewSectionReader(f.Content, offset, size), offset)
	h, err := c.tus(ctx, http.MethodPatch, at("uploads", id), body, size, map[string]string{
		"Upload-Offset": strconv.FormatInt(offset, 10),
		"Content-Type":  "application/offset+octet-stream",
	})
	if err != nil {
		return 0, err
	}
	return offsetOf(h)
}

func offsetOf(h http.Header) (int64, error) {
	n, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the server's Upload-Offset %q is not a number", h.Get("Upload-Offset"))
	}
	return n, nil
}

// tus sends one request of the upload protocol. It has no time limit: a slow
// line is no error, a dead one is noticed by TCP.
func (c *Client) tus(ctx context.Context, method, path string, body io.Reader, size int64, header map[string]string) (http.Header, error) {
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set("Tus-Resumable", tusVersion)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, problemOf(resp)
	}
	return resp.Header, nil
}

// bar tells Progress how far an upload is. A request that failed may still be
// reading its body in the background: only the newest one counts.
type bar struct {
	show  func(done, total int64)
	total int64

	mu     sync.Mutex
	newest *barReader
}

type barReader struct {
	io.Reader
	b    *bar
	done int64
}

func (b *bar) body(r io.Reader, offset int64) io.Reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.newest = &barReader{Reader: r, b: b, done: offset}
	return b.newest
}

// Read implements io.Reader.
func (r *barReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.done += int64(n)
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if n > 0 && r.b.newest == r && r.b.show != nil {
		r.b.show(r.done, r.b.total)
	}
	return n, err
}

// at says what the server has confirmed.
func (b *bar) at(offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.newest = nil
	if b.show != nil {
		b.show(offset, b.total)
	}
}
