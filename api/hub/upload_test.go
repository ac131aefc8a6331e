package hub_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// bringer is a host in the middle of a capture.
type bringer struct {
	t      *testing.T
	url    string
	agent  *agent
	job    api.Job
	build  protocol.Build
	ticket string
}

func capturing(t *testing.T, f *apitest.Fixture, url, name, version string) *bringer {
	t.Helper()
	host := f.Enroll(t, name)
	file := apitest.Image("/srv/" + name + ".vhdx")
	a := connect(t, url, host)
	a.resume()
	a.send(&protocol.Inventory{Devices: []protocol.Device{}, Files: []protocol.Device{file}})
	waitHost(t, f, name, func(h *api.Host) bool { return len(h.Files) == 1 })
	in := apitest.Order("", name, file)
	in.Kind = protocol.JobCapture
	in.Options.Capture = &protocol.CaptureOptions{Image: "captured", Version: version, Channel: "testing"}
	job, err := f.QueueJob(t.Context(), f.Admin, in)
	if err != nil {
		t.Fatal(err)
	}
	assign := want[*protocol.Assign](a)
	if assign.Ticket == "" || assign.Options.Capture.Version != version {
		t.Fatalf("assignment is %+v", assign)
	}
	b := assign.Builds[0]
	a.send(&protocol.Events{Events: []protocol.Event{event(b, 1, protocol.EventAccepted)}})
	want[*protocol.Ack](a)
	return &bringer{t, url, a, job, b, assign.Ticket}
}

// ask makes a request and returns the refusal's code, if it is one.
func (b *bringer) ask(method, path string, body io.Reader, out any, pairs ...string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+protocol.PathUpload+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.ticket)
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Set(pairs[i], pairs[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		var no protocol.Reject
		if err := json.Unmarshal(raw, &no); err != nil || no.Fault == nil {
			b.t.Fatalf("%s: %s", resp.Status, raw)
		}
		return resp.StatusCode, no.Fault.Code
	}
	if err := json.Unmarshal(raw, out); err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, ""
}

func (b *bringer) begin(size int) protocol.Upload {
	b.t.Helper()
	var up protocol.Upload
	if status, code := b.ask(http.MethodPost, "", strings.NewReader(`{"bytes":`+strconv.Itoa(size)+`}`), &up); status != http.StatusCreated || up.Offset != 0 {
		b.t.Fatalf("%d %s: %+v", status, code, up)
	}
	return up
}

func (b *bringer) at(id string) int64 {
	b.t.Helper()
	var up protocol.Upload
	if status, code := b.ask(http.MethodGet, "/"+id, nil, &up); status != http.StatusOK {
		b.t.Fatalf("%d %s", status, code)
	}
	return up.Offset
}

func (b *bringer) piece(id string, offset int64, body io.Reader) (int, string) {
	b.t.Helper()
	return b.ask(http.MethodPatch, "/"+id, body, new(protocol.Upload), protocol.HeaderOffset, strconv.FormatInt(offset, 10))
}

// finish sends all that is missing, as often as it takes: the server may
// notice late that a connection is gone, or take in late what came on it.
func (b *bringer) finish(id string, raw []byte) {
	b.t.Helper()
	for late := time.After(patience); ; {
		select {
		case <-late:
			b.t.Fatal("the upload stays busy")
		default:
		}
		at := b.at(id)
		status, code := b.piece(id, at, bytes.NewReader(raw[at:]))
		if status == http.StatusOK {
			return
		}
		if code != "upload_busy" && code != protocol.CodeUploadOffset {
			b.t.Fatalf("%d %s", status, code)
		}
	}
}

func (b *bringer) publish(id string, raw []byte) (protocol.Published, int, string) {
	b.t.Helper()
	sum := sha256.Sum256(raw)
	var out protocol.Published
	status, code := b.ask(http.MethodPost, "/"+id+"/publish", strings.NewReader(`{"sha256":"`+hex.EncodeToString(sum[:])+`"}`), &out)
	return out, status, code
}

// cut is a body whose connection breaks after its bytes.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// A capture's image arrives although the connection is cut in the middle of a
// piece and the server is replaced, and becomes the version that was asked for.
func TestCaptureArrives(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	b := capturing(t, f, url, "bench", "1.0.0")
	raw := apitest.WIM(t)
	up := b.begin(len(raw))
	third := len(raw) / 3
	if status, code := b.piece(up.ID, 0, bytes.NewReader(raw[:third])); status != http.StatusOK {
		t.Fatalf("%d %s", status, code)
	}
	if status, _ := b.piece(up.ID, int64(third), cut{bytes.NewReader(raw[third : third+5000])}); status != 0 {
		t.Fatalf("the connection was not cut: %d", status)
	}
	_, b.url = serve(t, f.Console) // another server on the same disk
	if at := b.at(up.ID); at < int64(third) || at > int64(third+5000) {
		t.Fatalf("%d bytes are there", at)
	}
	if status, code := b.piece(up.ID, int64(third)+6000, bytes.NewReader(raw)); status != http.StatusConflict || code != protocol.CodeUploadOffset {
		t.Errorf("a gap: %d %s", status, code)
	}
	if _, status, code := b.publish(up.ID, raw); status != http.StatusConflict || code != "upload_incomplete" {
		t.Errorf("half of it: %d %s", status, code)
	}
	// What is too much is not taken.
	b.finish(up.ID, append(raw[:len(raw):len(raw)], "more"...))
	if at := b.at(up.ID); at != int64(len(raw)) {
		t.Fatalf("%d bytes are there", at)
	}
	made, status, code := b.publish(up.ID, raw)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, code)
	}
	if again, _, code := b.publish(up.ID, raw); again != made {
		t.Errorf("published twice: %+v after %+v, %s", again, made, code)
	}
	v, err := f.GetVersion(t.Context(), f.Viewer, made.VersionID)
	if err != nil {
		t.Fatal(err)
	}
	if v.ImageName != "captured" || v.Version != "1.0.0" || v.SourceJobID != b.job.ID || v.PublishedBy != "admin" || v.Format != "wim" ||
		len(v.Channels) != 1 || v.Channels[0] != "testing" || v.Bytes != int64(len(raw)) || len(v.Editions) == 0 {
		t.Errorf("version is %+v", v)
	}
	b.agent.send(&protocol.Events{Events: []protocol.Event{{
		AttemptRef: protocol.AttemptRef{BuildID: b.build.BuildID, Attempt: 1}, HostSeq: 2, Type: protocol.EventVerified,
		Result: &protocol.Result{Capture: &protocol.CaptureResult{VersionID: made.VersionID, SHA256: v.SHA256}},
	}}})
	want[*protocol.Ack](b.agent)
	job, err := f.GetJob(t.Context(), f.Viewer, b.job.ID)
	if err != nil || job.State != "succeeded" || job.Builds[0].Result.Capture.VersionID != made.VersionID {
		t.Errorf("job is %+v, %v", job, err)
	}
	if status, code := b.ask(http.MethodGet, "/"+up.ID, nil, nil); status != http.StatusConflict || code != "capture_over" {
		t.Errorf("after the end: %d %s", status, code)
	}
	if n, err := f.Staging.Expire(context.Background(), 0); err != nil || n != 0 {
		t.Errorf("%d uploads are left: %v", n, err)
	}
}

// What has arrived is not forgotten when it could not be published.
func TestPublishAgain(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	b := capturing(t, f, url, "bench", "1.0.0")
	raw := apitest.WIM(t)
	up := b.begin(len(raw))
	b.finish(up.ID, raw)
	f.Publish(t, "captured", "1.0.0") // somebody else was faster
	for range 2 {
		if _, status, code := b.publish(up.ID, raw); status != http.StatusConflict || code != "version_exists" {
			t.Errorf("%d %s", status, code)
		}
	}
	if _, status, code := b.publish(up.ID, []byte("else")); status != http.StatusNotFound || code != protocol.CodeUploadGone {
		t.Errorf("another content: %d %s", status, code)
	}
}

// A host asks anew for each piece, and so may be refused there.
func TestPieceIsBounded(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	b := capturing(t, f, url, "bench", "1.0.0")
	raw := make([]byte, protocol.MaxPiece+5)
	up := b.begin(len(raw))
	if status, code := b.piece(up.ID, 0, bytes.NewReader(raw)); status != http.StatusOK {
		t.Fatalf("%d %s", status, code)
	}
	if at := b.at(up.ID); at != protocol.MaxPiece {
		t.Errorf("%d bytes were taken at once", at)
	}
	if _, err := f.CancelJob(t.Context(), f.Admin, b.job.ID); err != nil {
		t.Fatal(err)
	}
	if status, code := b.piece(up.ID, protocol.MaxPiece, bytes.NewReader(raw[:5])); status != http.StatusConflict || code != "capture_over" {
		t.Errorf("%d %s", status, code)
	}
}

// Nobody brings anything but his own.
func TestCaptureRefused(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	v := f.Publish(t, "win11-ent", "1.0.0")
	mine, other := capturing(t, f, url, "mine", "1.0.0"), capturing(t, f, url, "other", "1.0.1")
	raw := apitest.WIM(t)
	up := mine.begin(len(raw))
	if status, code := other.ask(http.MethodGet, "/"+up.ID, nil, nil); status != http.StatusNotFound || code != protocol.CodeUploadGone {
		t.Errorf("another's upload: %d %s", status, code)
	}
	if status, code := mine.piece(up.ID, 0, bytes.NewReader(raw)); status != http.StatusOK {
		t.Fatalf("%d %s", status, code)
	}
	if _, status, code := mine.publish(up.ID, []byte("else")); status != http.StatusUnprocessableEntity || code != "upload_digest" {
		t.Errorf("another content: %d %s", status, code)
	}
	if status, code := mine.ask(http.MethodGet, "/"+up.ID, nil, nil); status != http.StatusNotFound || code != protocol.CodeUploadGone {
		t.Errorf("it is still there: %d %s", status, code)
	}
	for name, size := range map[string]string{"empty": "0", "negative": "-1", "enormous": "9000000000000000000"} {
		if status, code := mine.ask(http.MethodPost, "", strings.NewReader(`{"bytes":`+size+`}`), nil); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	text := []byte("this is no image at all, whatever its name says")
	junk := mine.begin(len(text))
	mine.piece(junk.ID, 0, bytes.NewReader(text))
	if _, status, code := mine.publish(junk.ID, text); status != http.StatusUnprocessableEntity {
		t.Errorf("no image: %d %s", status, code)
	}
	good := mine.ticket
	for name, ticket := range map[string]string{"none": "", "forged": good + "x", "half": strings.SplitN(good, ".", 2)[0]} {
		mine.ticket = ticket
		if status, code := mine.ask(http.MethodPost, "", strings.NewReader(`{"bytes":5}`), nil); status != http.StatusUnauthorized || code != "ticket_invalid" {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	mine.ticket = good
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+protocol.PathBlob+v.SHA256, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+good)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("an image for a ticket that brings one: %s", resp.Status)
	}
	if _, err := f.CancelJob(t.Context(), f.Admin, mine.job.ID); err != nil {
		t.Fatal(err)
	}
	if status, code := mine.ask(http.MethodPost, "", strings.NewReader(`{"bytes":5}`), nil); status != http.StatusConflict || code != "capture_over" {
		t.Errorf("after the cancellation: %d %s", status, code)
	}
}
