package cache

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Request asks for one image.
type Request struct {
	SHA256 string // lower-case hex
	Bytes  int64
	// Verify has an image that is here already read again, and replaced where
	// the disk does not give what was once written: for content that nothing
	// else would find out.
	Verify bool
	// Ticket returns the bearer token to use: another one than stale, which
	// the server has refused; "" asks for the one at hand. It may wait for
	// the server as long as ctx lives.
	Ticket func(ctx context.Context, stale string) (string, error)
	// Progress is told how many bytes are here. It returns at once.
	Progress func(done, total int64)
}

// flight is one download, whoever waits for it.
type flight struct {
	digest string
	bytes  int64
	cancel context.CancelFunc
	done   chan struct{}
	err    error // after done

	mu      sync.Mutex
	waiters []*waiter
	at      int64
}

type waiter struct {
	ctx context.Context
	req *Request
}

// Fetch returns the image, from the server if it is not here. While the
// server is away it keeps trying; it returns when ctx ends (its cause), or
// with a fault: fetch_failed when the server refuses, fetch_digest when the
// bytes are wrong again and again, cache_full when there is no room.
func (c *Cache) Fetch(ctx context.Context, req Request) (*Entry, error) {
	if !isDigest(req.SHA256) {
		return nil, protocol.NewFault(protocol.FaultFetch, "digest", req.SHA256)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	key := filepath.Join(blobDir, req.SHA256)
	for {
		c.mu.Lock()
		if e := c.pin(key); e != nil {
			c.mu.Unlock()
			if err := c.proven(ctx, &req, e); err != nil {
				e.Release()
				if errors.Is(err, protocol.NewFault(protocol.FaultDigest)) {
					continue // it is not here any more
				}
				return nil, err
			}
			req.Progress(req.Bytes, req.Bytes)
			return e, nil
		}
		w := &waiter{ctx: ctx, req: &req}
		f := c.join(w)
		c.mu.Unlock()
		select {
		case <-f.done:
			c.leave(f, w)
			// Canceled is a download that others gave up just as we
			// joined: begin again.
			if f.err != nil && !errors.Is(f.err, context.Canceled) {
				return nil, f.err
			}
			if f.err == nil {
				req.Verify = false // every block of it was, as it came
			}
		case <-ctx.Done():
			c.leave(f, w)
			return nil, context.Cause(ctx)
		}
	}
}

// proven verifies what was here before, if that is asked for.
func (c *Cache) proven(ctx context.Context, req *Request, e *Entry) error {
	if !req.Verify {
		return nil
	}
	err := c.Verify(ctx, e)
	if errors.Is(err, protocol.NewFault(protocol.FaultDigest)) {
		c.cfg.Log.Error("an image in the cache was damaged and is fetched again", "err", err)
	}
	return err
}

// join adds w to the download of its image, which begins if w is the first.
// The caller holds c.mu.
func (c *Cache) join(w *waiter) *flight {
	if f := c.flights[w.req.SHA256]; f != nil {
		f.mu.Lock()
		f.waiters = append(f.waiters, w)
		at := f.at
		f.mu.Unlock()
		w.req.Progress(at, f.bytes)
		return f
	}
	// The download belongs to all who wait for it and not to the first.
	ctx, cancel := context.WithCancel(context.Background())
	f := &flight{digest: w.req.SHA256, bytes: w.req.Bytes, cancel: cancel, done: make(chan struct{}), waiters: []*waiter{w}}
	c.flights[f.digest] = f
	c.run.Go(func() {
		defer cancel()
		err := c.download(ctx, f)
		c.mu.Lock()
		defer c.mu.Unlock()
		f.err = err
		delete(c.flights, f.digest)
		close(f.done)
	})
	return f
}

// leave takes w out; nobody left ends the download.
func (c *Cache) leave(f *flight, w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiters = slices.DeleteFunc(f.waiters, func(x *waiter) bool { return x == w })
	if len(f.waiters) == 0 {
		f.cancel()
	}
}

// progress tells everybody who waits.
func (f *flight) progress(done int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = done
	for _, w := range f.waiters {
		w.req.Progress(done, f.bytes)
	}
}

// ticket asks one of those who still wait for a token.
func (f *flight) ticket(ctx context.Context, stale string) (string, error) {
	for ctx.Err() == nil {
		w := f.anyone()
		if w == nil {
			return "", context.Canceled
		}
		token, err := w.req.Ticket(w.ctx, stale)
		switch {
		case err == nil:
			return token, nil
		case w.ctx.Err() == nil:
			return "", fmt.Errorf("ticket for image %s: %w", f.digest, err)
		}
	}
	return "", ctx.Err()
}

func (f *flight) anyone() *waiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.waiters {
		if w.ctx.Err() == nil {
			return w
		}
	}
	return nil
}

func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}
