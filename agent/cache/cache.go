// Package cache keeps images and masters on the host, as many as fit.
//
// An image (a blob) is named by its SHA-256 and fetched from the server over
// HTTP (Fetch). It arrives in blocks of protocol.BlockSize; each block is
// checked before it reaches the disk, so a partial file holds good blocks only
// and a restart goes on behind them. Jobs that want the same image at the same
// time share one download.
//
// A master is a directory that somebody else fills (Master); the cache gives
// it a place and counts its size. Work is such a place for as long as it is
// worked in.
//
// Whatever is in use is pinned by its Entry until Release. When room is
// needed, the least recently used of the rest goes first.
package cache

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
)

// Config is what a Cache needs; every field is required unless it says
// otherwise.
type Config struct {
	Dir string
	// Limit is how many bytes on the disk the cache may fill. 0 means as
	// many as there are.
	Limit int64
	// Client reaches the server. It must not limit a whole request's time.
	Client *http.Client
	// URL is the server's address without a trailing slash.
	URL   string
	Clock backoff.Clock
	Rand  func() float64 // for backoff.Backoff
	Log   *slog.Logger
	// Stall is how long a response may stand still before it is asked for
	// again. 0 means a minute.
	Stall time.Duration
	// Sweep removes from a master's directory what a killed program left
	// there; Open calls it for each. nil does nothing.
	Sweep func(dir string) error
	// Leave lets go of what a killed program still uses in a directory of
	// Work; Open calls it for each before it is removed. nil does nothing.
	Leave func(dir string) error
	// Free returns the free bytes of the disk that holds a path. nil asks
	// the system.
	Free func(path string) (int64, error)
}

// Cache is open on one directory, which belongs to it alone.
type Cache struct {
	cfg Config
	run sync.WaitGroup // downloads

	mu      sync.Mutex
	entries map[string]*entry
	flights map[string]*flight
	// write is os.File.WriteAt but in tests, which fill the disk with it.
	write func(*os.File, []byte, int64) (int, error)
}

// entry is one image or one master.
type entry struct {
	path  string
	bytes int64
	used  time.Time
	pins  int
	work  bool // see Work
}

const (
	blobDir   = "blobs"
	masterDir = "masters"
	workDir   = "work"
	partial   = ".part"
)

// Open finds what is in the directory, which is made if absent.
func Open(cfg Config) (*Cache, error) {
	cfg.Stall = cmp.Or(cfg.Stall, time.Minute)
	if cfg.Free == nil {
		cfg.Free = freeBytes
	}
	c := &Cache{
		cfg:     cfg,
		entries: map[string]*entry{},
		flights: map[string]*flight{},
		write:   (*os.File).WriteAt,
	}
	if err := cfg.leaveWork(); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(cfg.Dir, workDir)); err != nil {
		return nil, fmt.Errorf("remove unfinished work: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, workDir), 0o700); err != nil {
		return nil, fmt.Errorf("make cache directory: %w", err)
	}
	for _, kind := range []string{blobDir, masterDir} {
		dir := filepath.Join(cfg.Dir, kind)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make cache directory: %w", err)
		}
		found, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("read cache: %w", err)
		}
		for _, f := range found {
			info, err := f.Info()
			if err != nil {
				return nil, fmt.Errorf("read cache: %w", err)
			}
			key := filepath.Join(kind, f.Name())
			if kind == masterDir && cfg.Sweep != nil {
				if err := cfg.Sweep(filepath.Join(cfg.Dir, key)); err != nil {
					cfg.Log.Warn("could not clean a master's directory", "path", key, "err", err)
				}
			}
			e, err := c.newEntry(key, info.ModTime())
			if err != nil {
				return nil, err
			}
			c.entries[key] = e
		}
	}
	return c, nil
}

// leaveWork lets go of what is about to be removed.
func (c *Config) leaveWork() error {
	if c.Leave == nil {
		return nil
	}
	left, err := filepath.Glob(filepath.Join(c.Dir, workDir, "*"))
	if err != nil {
		return fmt.Errorf("find unfinished work: %w", err)
	}
	for _, dir := range left {
		if err := c.Leave(dir); err != nil {
			c.Log.Warn("could not let go of unfinished work", "path", dir, "err", err)
		}
	}
	return nil
}

func (c *Cache) newEntry(key string, used time.Time) (*entry, error) {
	e := &entry{path: filepath.Join(c.cfg.Dir, key), used: used}
	var err error
	if e.bytes, err = diskUsage(e.path); err != nil {
		return nil, fmt.Errorf("measure %s: %w", e.path, err)
	}
	return e, nil
}

// Close waits for downloads to end; cancel the contexts of their Fetches first.
func (c *Cache) Close() { c.run.Wait() }

// Used returns how many bytes on the disk the cache fills, and its limit.
func (c *Cache) Used() (used, limit int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum(func(*entry) bool { return true }), c.cfg.Limit
}

func (c *Cache) sum(of func(*entry) bool) (bytes int64) {
	for _, e := range c.entries {
		if of(e) {
			bytes += e.bytes
		}
	}
	return bytes
}

// Entry is something in the cache that stays until Release.
type Entry struct {
	// Path is the image's file, or the master's directory.
	Path string

	cache *Cache
	entry *entry
	once  sync.Once
}

// pin returns an Entry for key, or nil if the cache does not have it. The
// caller holds c.mu.
func (c *Cache) pin(key string) *Entry {
	e := c.entries[key]
	if e == nil {
		return nil
	}
	e.pins++
	c.touch(e)
	return &Entry{Path: e.path, cache: c, entry: e}
}

// touch makes e the most recently used, beyond a restart too.
func (c *Cache) touch(e *entry) {
	e.used = c.cfg.Clock.Now()
	if err := os.Chtimes(e.path, e.used, e.used); err != nil {
		c.cfg.Log.Warn("could not mark a cache entry as used", "path", e.path, "err", err)
	}
}

// Release lets go of the entry; it may then be evicted. A second call does
// nothing.
func (e *Entry) Release() {
	e.once.Do(func() {
		c := e.cache
		c.mu.Lock()
		defer c.mu.Unlock()
		e.entry.pins--
		if e.entry.work {
			c.drop(e.entry)
			return
		}
		c.measure(e.entry)
		c.trim()
	})
}

// Gone reports whether the cache has something else by this name by now, or
// nothing: what was found damaged is forgotten, whoever uses it.
func (e *Entry) Gone() bool {
	c := e.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	key, err := filepath.Rel(c.cfg.Dir, e.Path)
	return err != nil || c.entries[key] != e.entry
}

// drop removes what Work gave.
func (c *Cache) drop(e *entry) {
	if err := os.RemoveAll(e.path); err != nil {
		c.cfg.Log.Warn("could not remove finished work", "path", e.path, "err", err)
	}
	delete(c.entries, filepath.Join(workDir, filepath.Base(e.path)))
}

// measure counts a master again; an image does not change.
func (c *Cache) measure(e *entry) {
	n, err := diskUsage(e.path)
	if err != nil {
		c.cfg.Log.Warn("could not measure a cache entry", "path", e.path, "err", err)
		return
	}
	e.bytes = n
}

// trim evicts until the cache is within its limit or all of it is in use.
func (c *Cache) trim() {
	if c.cfg.Limit <= 0 {
		return
	}
	for c.sum(func(*entry) bool { return true }) > c.cfg.Limit && c.evictOne() {
	}
}

// evictOne removes the least recently used entry that is not pinned.
func (c *Cache) evictOne() bool {
	var oldest string
	for key, e := range c.entries {
		if e.pins == 0 && (oldest == "" || e.used.Before(c.entries[oldest].used)) {
			oldest = key
		}
	}
	if oldest == "" {
		return false
	}
	c.cfg.Log.Info("evicted from the cache", "entry", oldest, "bytes", c.entries[oldest].bytes)
	if err := os.RemoveAll(c.entries[oldest].path); err != nil {
		c.cfg.Log.Warn("could not remove a cache entry", "entry", oldest, "err", err)
	}
	delete(c.entries, oldest)
	return true
}

// MakeRoom evicts until need more bytes fit, or returns cache_full.
func (c *Cache) MakeRoom(need int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.room(need)
}

func (c *Cache) room(need int64) error {
	for {
		free, err := c.cfg.Free(c.cfg.Dir)
		if err != nil {
			return fmt.Errorf("free bytes of %s: %w", c.cfg.Dir, err)
		}
		if c.cfg.Limit > 0 {
			free = min(free, c.cfg.Limit-c.sum(func(*entry) bool { return true }))
		}
		if need <= free {
			return nil
		}
		if !c.evictOne() {
			return protocol.NewFault(protocol.FaultCacheFull, "need_bytes", need, "free_bytes", max(free, 0))
		}
	}
}

// Full is the fault cache_full for a disk that ran full under what was to be
// need bytes long.
func (c *Cache) Full(err error, need int64) error {
	free, _ := c.cfg.Free(c.cfg.Dir)
	return protocol.WrapFault(err, protocol.FaultCacheFull, "need_bytes", need, "free_bytes", free)
}

// Master pins the directory for key, which is made empty if absent. Keys are
// file names.
func (c *Cache) Master(key string) (*Entry, error) {
	if !filepath.IsLocal(key) || strings.ContainsAny(key, `./\`) {
		return nil, fmt.Errorf("master key %q is not a file name", key)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key = filepath.Join(masterDir, key)
	if c.entries[key] == nil {
		path := filepath.Join(c.cfg.Dir, key)
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make master directory: %w", err)
		}
		e, err := c.newEntry(key, c.cfg.Clock.Now())
		if err != nil {
			return nil, err
		}
		c.entries[key] = e
	}
	return c.pin(key), nil
}

// Work makes room for bytes, or returns cache_full, and gives an empty
// directory of that name which counts as so many. Release removes it with all
// that it holds; so does Open, after a crash.
func (c *Cache) Work(name string, bytes int64) (*Entry, error) {
	if !filepath.IsLocal(name) || strings.ContainsAny(name, `./\`) {
		return nil, fmt.Errorf("work %q is not a file name", name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.room(bytes); err != nil {
		return nil, err
	}
	key := filepath.Join(workDir, name)
	path := filepath.Join(c.cfg.Dir, key)
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, fmt.Errorf("make work directory: %w", err)
	}
	c.entries[key] = &entry{path: path, bytes: bytes, used: c.cfg.Clock.Now(), work: true}
	return c.pin(key), nil
}

// diskUsage adds up what path and everything below it take on the disk; holes
// in files take nothing.
func diskUsage(path string) (bytes int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			bytes += allocated(info)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return bytes, nil // removed while we looked
	}
	return bytes, err
}
