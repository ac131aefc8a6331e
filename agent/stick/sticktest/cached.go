package sticktest

import (
	"sync"
	"syscall"
)

// Cached is a stick with a cache of its own: what is written reaches the stick
// with Sync. Until then it is read from the cache, and a cut of the power
// loses it. What survives a cut is what the Device inside holds.
type Cached struct {
	*Device

	mu      sync.Mutex
	pending map[int64][]byte // pages that are not on the stick yet
	dead    bool
}

// NewCached returns a stick full of old bytes.
func NewCached(size int64, sector int) *Cached {
	return &Cached{Device: New(size, sector), pending: make(map[int64][]byte)}
}

// CutAt cuts the power when the n-th operation of all kinds, from 1, begins:
// it and all later ones fail.
func (c *Cached) CutAt(n int) {
	c.Before = func(Op, int, int64, int64) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.Operations() >= n {
			c.dead = true
		}
		if c.dead {
			return syscall.EIO
		}
		return nil
	}
}

// WriteAt implements io.WriterAt.
func (c *Cached) WriteAt(p []byte, offset int64) (int, error) {
	if err := c.check(p, offset); err != nil {
		return 0, err
	}
	if err := c.begin(Write, offset, int64(len(p))); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for done := 0; done < len(p); {
		n, at := (offset+int64(done))/page, int((offset+int64(done))%page)
		if c.pending[n] == nil {
			c.pending[n] = make([]byte, page)
			c.Peek(c.pending[n], n*page)
		}
		done += copy(c.pending[n][at:], p[done:])
	}
	return len(p), nil
}

// ReadAt implements io.ReaderAt.
func (c *Cached) ReadAt(p []byte, offset int64) (int, error) {
	n, err := c.Device.ReadAt(p, offset)
	if err != nil {
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for done := 0; done < len(p); {
		cached, at := c.pending[(offset+int64(done))/page], int((offset+int64(done))%page)
		step := min(page-at, len(p)-done)
		if cached != nil {
			copy(p[done:done+step], cached[at:])
		}
		done += step
	}
	return n, nil
}

// Sync implements stick.Device.
func (c *Cached) Sync() error { return c.flush(Sync) }

// DropCaches implements stick.Device.
func (c *Cached) DropCaches() error { return c.flush(Drop) }

func (c *Cached) flush(op Op) error {
	if err := c.begin(op, 0, 0); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, data := range c.pending {
		c.poke(data[:min(page, c.size-n*page)], n*page)
	}
	clear(c.pending)
	return nil
}
