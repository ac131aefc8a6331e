package client_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/rest/resttest"
)

// breaker cuts requests off in the middle: cut(r) says after how many bytes of
// body and how many writes of an answer; negative means never.
func breaker(cut func(r *http.Request) (body int64, writes int)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, writes := cut(r)
			if body >= 0 {
				r.Body = &cutBody{r.Body, body}
				next.ServeHTTP(&deafWriter{header: http.Header{}}, r)
				panic(http.ErrAbortHandler)
			}
			if writes >= 0 {
				w = &cutWriter{w, writes}
			}
			next.ServeHTTP(w, r)
		})
	}
}

type cutBody struct {
	io.ReadCloser
	left int64
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// deafWriter is an answer that gets lost.
type deafWriter struct{ header http.Header }

func (w *deafWriter) Header() http.Header         { return w.header }
func (w *deafWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *deafWriter) WriteHeader(int)             {}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if w.left == 0 {
		panic(http.ErrAbortHandler)
	}
	w.left--
	return w.ResponseWriter.Write(p)
}

func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// An upload survives lost requests, lost answers and a server that says it is
// busy; the last answer too.
func TestUploadGoesOn(t *testing.T) {
	t.Parallel()
	raw := apitest.WIM(t)
	var patches, lost atomic.Int32
	s := resttest.Start(t, breaker(func(r *http.Request) (int64, int) {
		if r.Method != http.MethodPatch {
			return -1, -1
		}
		switch n := patches.Add(1); {
		case n == 1:
			lost.Add(1)
			return 10_000, -1 // in the middle of the body
		case n%2 == 0:
			lost.Add(1)
			return int64(len(raw)), -1 // the answer alone, also the last one
		}
		return -1, -1
	}))
	path := filepath.Join(t.TempDir(), "install.wim")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var last, total int64
	c := as(t, s, api.RoleAdmin)
	u := must[api.Upload](t)(c.UploadFile(t.Context(), path, func(done, all int64) { last, total = done, all }, nil))
	if u.State != "ready" || u.FileName != "install.wim" || u.Bytes != int64(len(raw)) || len(u.Editions) != 3 {
		t.Errorf("upload is %+v", u)
	}
	if lost.Load() < 2 {
		t.Errorf("%d requests were broken: the test tests nothing", lost.Load())
	}
	if last != u.Bytes || total != u.Bytes {
		t.Errorf("progress ended with %d of %d, want %d", last, total, u.Bytes)
	}
	v := must[api.Version](t)(c.PublishVersion(t.Context(), api.PublishVersionInput{UploadID: u.ID, Image: "win11-ent", Version: "1.0.0"}))
	if v.SHA256 != u.SHA256 || v.FileName != "install.wim" {
		t.Errorf("version is %+v", v)
	}
}

// A program that was killed goes on with its upload when it runs again.
func TestUploadGoesOnInAnotherRun(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	c := as(t, s, api.RoleAdmin)
	raw := apitest.WIM(t)
	ctx, kill := context.WithCancel(t.Context())
	f := file(raw)
	var id string
	f.Begun = func(tusID string) { id = tusID }
	f.Progress = func(done, _ int64) {
		if done > chunk { // the first one is confirmed
			kill()
		}
	}
	if _, err := c.Upload(ctx, f); err == nil {
		t.Fatal("the killed upload succeeded")
	}
	again := file(raw)
	again.TusID = id
	first := int64(-1)
	again.Progress = func(done, _ int64) {
		if first < 0 {
			first = done
		}
	}
	if u := must[api.Upload](t)(c.Upload(t.Context(), again)); u.State != "ready" || u.TusID != id {
		t.Errorf("upload is %+v", u)
	}
	if first < chunk {
		t.Errorf("the second run began at %d, want at least %d", first, chunk)
	}
}

func TestUploadRefused(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	c := as(t, s, api.RoleAdmin)
	_, err := c.Upload(t.Context(), file(bytes.Repeat([]byte("not an image. "), 20_000)))
	wantCode(t, err, 422, "image_not_readable")
	_, err = c.Upload(t.Context(), file(nil))
	wantCode(t, err, 422, "upload_empty")
	_, err = as(t, s, api.RoleViewer).Upload(t.Context(), file([]byte("x")))
	wantCode(t, err, 403, "forbidden")
	gone := file([]byte("x"))
	gone.TusID = strings.Repeat("a", 26)
	_, err = c.Upload(t.Context(), gone)
	wantCode(t, err, 404, "upload_not_found")
	if _, err := c.UploadFile(t.Context(), t.TempDir(), nil, nil); err == nil {
		t.Error("a folder was uploaded")
	}
	var id string
	f := file(apitest.WIM(t))
	f.Begun = func(tusID string) { id = tusID }
	ctx, stop := context.WithCancel(t.Context())
	f.Progress = func(int64, int64) { stop() }
	_, _ = c.Upload(ctx, f) // given up in the middle
	if err := c.EndUpload(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err = c.GetUpload(t.Context(), id)
	wantCode(t, err, 404, "upload_not_found")
}

// A stream that breaks after every update loses and doubles no event.
func TestWatchJob(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	s := resttest.Start(t, breaker(func(r *http.Request) (int64, int) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			return -1, -1
		}
		opened.Add(1)
		return -1, 2 // the greeting and one update
	}))
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	_, session := s.Connect(t, "bench", stick)
	job := must[api.Job](t)(s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", stick)))
	work := must[api.HostWork](t)(s.HostClaim(t.Context(), session))
	ref := protocol.AttemptRef{BuildID: work.Assigns[0].Builds[0].BuildID, Attempt: work.Assigns[0].Builds[0].Attempt}
	script := []protocol.Event{
		{Type: protocol.EventAccepted},
		{Type: protocol.EventStepBegun, Step: protocol.StepPreflight},
		{Type: protocol.EventStepDone, Step: protocol.StepPreflight},
		{Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultDeviceGone, "port", "a.img")},
	}
	var seqs []int64
	var end api.Job
	for u, err := range as(t, s, api.RoleViewer).WatchJob(t.Context(), job.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range u.Events {
			seqs = append(seqs, e.Seq)
		}
		if end = u.Job; len(script) > 0 {
			e := script[0]
			script = script[1:]
			e.AttemptRef, e.HostSeq = ref, int64(4-len(script))
			must[api.HostWork](t)(s.HostEvents(t.Context(), session, []protocol.Event{e}))
		}
	}
	if end.State != "failed" || int64(len(seqs)) != end.LastSeq {
		t.Errorf("job is %s after events %v of %d", end.State, seqs, end.LastSeq)
	}
	for i, seq := range seqs {
		if seq != int64(i)+1 {
			t.Fatalf("events %v, want no gap and none twice", seqs)
		}
	}
	if opened.Load() < 2 {
		t.Errorf("the stream was opened %d times: the test tests nothing", opened.Load())
	}
}

func TestWatchJobEnds(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	c := as(t, s, api.RoleViewer)
	for _, err := range c.WatchJob(t.Context(), "job_nope", 0) {
		wantCode(t, err, 404, "job_not_found")
	}
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	s.Connect(t, "bench", stick)
	job := must[api.Job](t)(s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", stick)))
	n := 0
	for _, err := range c.WatchJob(t.Context(), job.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		break // the reader has seen enough
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var last error
	for _, err := range c.WatchJob(ctx, job.ID, 0) {
		n++
		stop()
		last = err
	}
	if n != 3 || last == nil {
		t.Errorf("%d updates, the last with %v, want an update, an update and the end of the context", n, last)
	}
}

func file(raw []byte) client.File {
	return client.File{Name: "a.wim", Size: int64(len(raw)), Content: bytes.NewReader(raw)}
}
