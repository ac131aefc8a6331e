package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

func TestFetchOnceThenFromDisk(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(big)
	dir := t.TempDir()
	h := newHarness(t, srv, dir)
	var last int64
	req := request(digest, blob)
	req.Progress = func(done, total int64) {
		if done < last || total != big {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}
	e, err := h.Fetch(t.Context(), req)
	if err != nil || last != big {
		t.Fatalf("fetched %d: %v", last, err)
	}
	e.Release()
	h.fetch(t, digest, blob).Release()
	newHarness(t, srv, dir).fetch(t, digest, blob).Release() // a restart
	if got := srv.ranges(); len(got) != 1 {
		t.Fatalf("requests %q", got)
	}
	if used, _ := h.Used(); used < big {
		t.Fatalf("used %d", used)
	}
}

func TestBrokenConnectionResumes(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(big)
	h := newHarness(t, srv, t.TempDir())
	cut := false
	srv.hook = func(w http.ResponseWriter, r *http.Request, blob []byte) bool {
		if !strings.HasPrefix(r.URL.Path, protocol.PathBlob) || cut {
			return false
		}
		cut = true
		w.Header().Set("Content-Length", fmt.Sprint(len(blob)))
		_, _ = w.Write(blob[:protocol.BlockSize+100])
		panic(http.ErrAbortHandler)
	}
	h.fetch(t, digest, blob).Release()
	want := []string{"", fmt.Sprintf("bytes=%d-", protocol.BlockSize)}
	if got := srv.ranges(); !slices.Equal(got, want) {
		t.Fatalf("ranges %q, want %q", got, want)
	}
}

func TestPartialFileSurvivesARestart(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(big)
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	pulled := errors.New("pulled")
	h := newHarness(t, srv, dir)
	req := request(digest, blob)
	req.Progress = func(done, _ int64) {
		if done >= protocol.BlockSize {
			cancel(pulled)
		}
	}
	srv.hook = func(w http.ResponseWriter, r *http.Request, blob []byte) bool {
		if !strings.HasPrefix(r.URL.Path, protocol.PathBlob) {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(blob)))
		_, _ = w.Write(blob[:protocol.BlockSize+100])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}
	if _, err := h.Fetch(ctx, req); !errors.Is(err, pulled) {
		t.Fatalf("got %v", err)
	}
	h.Close()
	srv.mu.Lock()
	srv.hook, srv.asked = nil, nil
	srv.mu.Unlock()
	part := filepath.Join(dir, blobDir, digest+partial)
	for _, damage := range []struct {
		name string
		do   func(b []byte) []byte
		want string
	}{
		{"zeros behind it", func(b []byte) []byte { return append(b, make([]byte, protocol.BlockSize)...) }, "bytes=4194304-"},
		{"none", func(b []byte) []byte { return b }, "bytes=4194304-"},
		{"a bit", func(b []byte) []byte { b[7] ^= 1; return b }, ""},
	} {
		t.Run(damage.name, func(t *testing.T) {
			srv.mu.Lock()
			srv.asked = nil
			srv.mu.Unlock()
			if err := os.WriteFile(part, damage.do(slices.Clone(blob[:protocol.BlockSize])), 0o600); err != nil {
				t.Fatal(err)
			}
			h := newHarness(t, srv, dir)
			h.fetch(t, digest, blob).Release()
			if got := srv.ranges(); len(got) != 1 || got[0] != damage.want {
				t.Fatalf("ranges %q, want %q", got, damage.want)
			}
			if err := os.Remove(filepath.Join(dir, blobDir, digest)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDamagedBlocksAreAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		times int
		ok    bool
	}{{1, true}, {blockTries - 1, true}, {blockTries, false}} {
		t.Run(fmt.Sprint(c.times), func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			digest, blob := srv.add(big)
			h := newHarness(t, srv, t.TempDir())
			left := c.times
			srv.hook = func(w http.ResponseWriter, r *http.Request, blob []byte) bool {
				if !strings.HasPrefix(r.URL.Path, protocol.PathBlob) || left == 0 {
					return false
				}
				left--
				bad := slices.Clone(blob)
				bad[protocol.BlockSize+5] ^= 0x40 // second block
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(bad))
				return true
			}
			if c.ok {
				h.fetch(t, digest, blob).Release()
				return
			}
			_, err := h.Fetch(t.Context(), request(digest, blob))
			wantFault(t, err, protocol.FaultDigest, "want", record(digest, blob).Blocks[1])
			// What was good stays for the next time.
			srv.mu.Lock()
			srv.asked = nil
			srv.mu.Unlock()
			h.fetch(t, digest, blob).Release()
			if got := srv.ranges(); got[0] != "bytes=4194304-" {
				t.Fatalf("ranges %q", got)
			}
		})
	}
}

func TestRecordOfOtherBytes(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(1000)
	_, other := srv.add(1001)
	h := newHarness(t, srv, t.TempDir())
	lie := record(digest, other[:1000])
	srv.hook = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if strings.HasPrefix(r.URL.Path, protocol.PathBlob) {
			_, _ = w.Write(other[:1000])
		} else {
			_ = json.NewEncoder(w).Encode(lie)
		}
		return true
	}
	_, err := h.Fetch(t.Context(), request(digest, blob))
	wantFault(t, err, protocol.FaultDigest, "want", digest)
	lie.Bytes++
	_, err = h.Fetch(t.Context(), request(digest, blob))
	wantFault(t, err, protocol.FaultFetch, "digest", digest)
	if used, _ := h.Used(); used != 0 {
		t.Fatalf("%d bytes were left behind", used)
	}
}

func TestServerAwayForAnHour(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(5000)
	h := newHarness(t, srv, t.TempDir())
	begin := h.clock.Now()
	srv.hook = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if h.clock.Now().Sub(begin) > time.Hour {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	h.fetch(t, digest, blob).Release()
	if longest := slices.Max(h.clock.waits); longest > retryCap || longest < retryCap/2 {
		t.Fatalf("longest wait %v", longest)
	}
}

func TestRefusalsAreNotRetried(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	h := newHarness(t, srv, t.TempDir())
	_, err := h.Fetch(t.Context(), request(strings.Repeat("0", 64), nil))
	wantFault(t, err, protocol.FaultFetch)
	_, err = h.Fetch(t.Context(), request("../../etc/passwd", nil))
	wantFault(t, err, protocol.FaultFetch)
	if len(h.clock.waits) != 0 {
		t.Fatalf("waited %v", h.clock.waits)
	}
}

func TestTicketIsRenewed(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(big)
	h := newHarness(t, srv, t.TempDir())
	srv.ticket = "second"
	var stale []string
	req := request(digest, blob)
	req.Ticket = func(_ context.Context, old string) (string, error) {
		stale = append(stale, old)
		return map[string]string{"": "first", "first": "second"}[old], nil
	}
	e, err := h.Fetch(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	e.Release()
	if !slices.Equal(stale, []string{"", "first"}) {
		t.Fatalf("stale tickets %q", stale)
	}
	// A server that refuses every one ends it.
	digest, blob = srv.add(100)
	req = request(digest, blob)
	req.Ticket = func(context.Context, string) (string, error) { return "wrong", nil }
	_, err = h.Fetch(t.Context(), req)
	wantFault(t, err, protocol.FaultFetch)
}

func TestJobsShareOneDownload(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(big)
	h := newHarness(t, srv, t.TempDir())
	open := make(chan struct{})
	begun := make(chan struct{}, 10)
	srv.hook = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		if strings.HasPrefix(r.URL.Path, protocol.PathBlob) {
			begun <- struct{}{}
			<-open
		}
		return false
	}
	// The first gives up in the middle; the others do not feel it.
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := h.Fetch(ctx, request(digest, blob))
		gone <- err
	}()
	<-begun
	var all sync.WaitGroup
	joined := make(chan struct{}, 4)
	for range 4 {
		all.Go(func() {
			req := request(digest, blob)
			var once sync.Once
			req.Progress = func(int64, int64) { once.Do(func() { joined <- struct{}{} }) }
			e, err := h.Fetch(t.Context(), req)
			if err != nil {
				t.Error(err)
				return
			}
			e.Release()
		})
	}
	for range 4 {
		<-joined
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	close(open)
	all.Wait()
	if got := srv.ranges(); len(got) != 1 {
		t.Fatalf("requests %q", got)
	}
}
