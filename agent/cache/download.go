package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/fulldisk"
	"github.com/stickpress/stickpress/agent/protocol"
)

const (
	// blockTries is how often one block may arrive damaged.
	blockTries = 4
	retryBase  = 500 * time.Millisecond
	retryCap   = 60 * time.Second
)

// download is one flight on its way.
type download struct {
	*Cache
	f     *flight
	rec   *protocol.BlobRecord
	part  *os.File
	path  string    // of part
	at    int64     // bytes that are checked and in part
	whole hash.Hash // over them
	token string
	wait  backoff.Backoff
	bad   int // how often the block at at was damaged
}

func (c *Cache) download(ctx context.Context, f *flight) (err error) {
	d := &download{
		Cache: c, f: f, whole: sha256.New(),
		path: filepath.Join(c.cfg.Dir, blobDir, f.digest+partial),
		wait: backoff.Backoff{Base: retryBase, Cap: retryCap, Rand: c.cfg.Rand},
	}
	if d.token, err = f.ticket(ctx, ""); err != nil {
		return err
	}
	if err := d.again(ctx, d.record); err != nil {
		return err
	}
	entry, err := d.pinPart()
	if err != nil {
		return err
	}
	defer d.unpinPart(entry)
	if d.part, err = os.OpenFile(d.path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return fmt.Errorf("open partial image: %w", err)
	}
	defer d.part.Close()
	if err := d.readBack(ctx); err != nil {
		return err
	}
	if err := d.reserve(entry); err != nil {
		return err
	}
	if d.at < f.bytes {
		if err := d.again(ctx, d.stream); err != nil {
			return err
		}
	}
	return d.finish()
}

// again calls step until it succeeds or fails for good. What is worth another
// try is a server that is away or busy; how long it is away does not matter.
func (d *download) again(ctx context.Context, step func(context.Context) error) error {
	for {
		err := step(ctx)
		var soon *retryError
		var final *protocol.Fault
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &final), !errors.As(err, &soon):
			return err
		}
		pause := d.wait.Next()
		d.cfg.Log.Warn("image not fetched yet", "digest", d.f.digest, "at_byte", d.at, "again_in", pause, "err", err)
		if err := backoff.Sleep(ctx, d.cfg.Clock, pause); err != nil {
			return err
		}
	}
}

// pinPart makes the partial file an entry in use: it counts, and is not
// evicted.
func (d *download) pinPart() (*entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[d.partKey()]
	if e == nil {
		var err error
		if e, err = d.newEntry(d.partKey(), d.cfg.Clock.Now()); err != nil {
			return nil, err
		}
		d.entries[d.partKey()] = e
	}
	e.pins++
	return e, nil
}

func (d *download) unpinPart(e *entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.pins--
	e.used = d.cfg.Clock.Now()
	if _, err := os.Stat(e.path); errors.Is(err, fs.ErrNotExist) {
		delete(d.entries, d.partKey())
		return
	}
	d.measure(e)
	d.trim()
}

func (d *download) partKey() string { return filepath.Join(blobDir, d.f.digest+partial) }

// reserve makes room for the rest and counts it, so that two downloads do not
// both take the same free bytes.
func (d *download) reserve(e *entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.measure(e)
	if err := d.room(d.f.bytes - d.at); err != nil {
		return err
	}
	e.bytes = d.f.bytes
	return nil
}

// readBack hashes what an earlier run left, and cuts it off before the first
// block that is not good.
func (d *download) readBack(ctx context.Context) error {
	block := make([]byte, protocol.BlockSize)
	for d.at < d.rec.Bytes && ctx.Err() == nil {
		b := block[:d.blockLen()]
		if _, err := d.part.ReadAt(b, d.at); err != nil || !d.isGood(b) {
			break
		}
		d.keep(b)
	}
	if err := d.part.Truncate(d.at); err != nil {
		return fmt.Errorf("cut partial image: %w", err)
	}
	return ctx.Err()
}

// blockLen is the length of the block at d.at.
func (d *download) blockLen() int64 { return min(protocol.BlockSize, d.rec.Bytes-d.at) }

func (d *download) isGood(b []byte) bool {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]) == d.rec.Blocks[d.at/protocol.BlockSize]
}

func (d *download) keep(b []byte) {
	d.whole.Write(b)
	d.at += int64(len(b))
	d.bad = 0
	d.f.progress(d.at)
}

// stream reads blocks from one response until the image is whole.
func (d *download) stream(ctx context.Context) error {
	body, err := d.get(ctx, protocol.PathBlob, d.at)
	if err != nil {
		return err
	}
	defer body.Close()
	block := make([]byte, protocol.BlockSize)
	for d.at < d.rec.Bytes {
		b := block[:d.blockLen()]
		if _, err := io.ReadFull(body, b); err != nil {
			return &retryError{fmt.Errorf("read image at byte %d: %w", d.at, err)}
		}
		if !d.isGood(b) {
			return d.damaged(b)
		}
		if err := d.store(b); err != nil {
			return err
		}
		d.keep(b)
		d.wait.Reset()
	}
	return nil
}

// damaged counts a block that is not what the record says.
func (d *download) damaged(b []byte) error {
	d.bad++
	have := sha256.Sum256(b)
	want := d.rec.Blocks[d.at/protocol.BlockSize]
	if d.bad >= blockTries {
		return protocol.NewFault(protocol.FaultDigest, "want", want, "have", hex.EncodeToString(have[:]))
	}
	return &retryError{fmt.Errorf("block at byte %d is %x, not %s", d.at, have, want)}
}

// store writes a checked block, evicting what is not in use when the disk is
// full.
func (d *download) store(b []byte) error {
	for {
		_, err := d.write(d.part, b, d.at)
		if err = fulldisk.Wrap(err); err == nil {
			return nil
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("write partial image: %w", err)
		}
		d.mu.Lock()
		evicted := d.evictOne()
		d.mu.Unlock()
		if !evicted {
			return d.Full(err, d.rec.Bytes-d.at)
		}
	}
}

// finish checks the whole and gives it its name.
func (d *download) finish() error {
	if have := hex.EncodeToString(d.whole.Sum(nil)); have != d.f.digest {
		// Every block is as the record says, so the record is wrong.
		_ = os.Remove(d.path)
		return protocol.NewFault(protocol.FaultDigest, "want", d.f.digest, "have", have)
	}
	if err := d.part.Sync(); err != nil {
		return fmt.Errorf("sync image: %w", err)
	}
	_ = d.part.Close() // Windows does not rename an open file
	name := filepath.Join(d.cfg.Dir, blobDir, d.f.digest)
	if err := os.Rename(d.path, name); err != nil {
		return fmt.Errorf("name the image: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := filepath.Join(blobDir, d.f.digest)
	e, err := d.newEntry(key, d.cfg.Clock.Now())
	if err != nil {
		return err
	}
	delete(d.entries, key+partial)
	d.entries[key] = e
	return nil
}

// Verify reads an image again. It returns fetch_digest, and forgets the
// image, if the disk gives other bytes than were written.
func (c *Cache) Verify(ctx context.Context, e *Entry) error {
	f, err := os.Open(e.Path)
	if err != nil {
		return fmt.Errorf("open image: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	block := make([]byte, protocol.BlockSize)
	for ctx.Err() == nil {
		n, err := f.Read(block)
		h.Write(block[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read image: %w", err)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	want := filepath.Base(e.Path)
	have := hex.EncodeToString(h.Sum(nil))
	if have == want {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Whoever was quicker to find it may have another one there by now.
	if key := filepath.Join(blobDir, want); c.entries[key] == e.entry {
		delete(c.entries, key)
		if err := os.Remove(e.Path); err != nil {
			c.cfg.Log.Warn("could not remove a damaged image", "path", e.Path, "err", err)
		}
	}
	return protocol.NewFault(protocol.FaultDigest, "want", want, "have", have)
}
