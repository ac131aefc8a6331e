package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// GarbageGrace is how long a file that no version is made of is kept at least: a
// finished upload may be published for a day.
const GarbageGrace = 24 * time.Hour

// Why a file is garbage.
const (
	GarbageUnpublished = "unpublished" // it was uploaded, and no version was made of it
	GarbageUnknown     = "unknown"     // the database does not know it: it was brought, and that was never noted
)

// Garbage is a file that nothing needs.
type Garbage struct {
	SHA256   string    `json:"sha256"`
	Bytes    int64     `json:"bytes"`
	StoredAt time.Time `json:"stored_at"` // when it came in last
	Reason   string    `json:"reason"`
}

// CollectGarbageInput says what is to go.
type CollectGarbageInput struct {
	Grace time.Duration // files that came in later than so long ago stay; at least GarbageGrace
	// Delete removes them; without it they are only listed.
	Delete bool
}

// CollectGarbage lists the files that no version is made of and that have lain
// there for a while, and removes them if that is asked for (admin). What is
// published, or brought once more, in the same moment stays. Each file that goes
// has its line in the audit log. Faults: garbage_grace.
func (c *Console) CollectGarbage(ctx context.Context, a Actor, in CollectGarbageInput) ([]Garbage, error) {
	if err := allow(a, UseCollectGarbage); err != nil {
		return nil, err
	}
	if in.Grace < GarbageGrace {
		return nil, fault.New(fault.KindInvalid, CodeGarbageGrace, "hours", int(GarbageGrace.Hours())).At("grace")
	}
	before := c.now().Add(-in.Grace)
	uses, err := c.store.BlobUses(ctx)
	if err != nil {
		return nil, err
	}
	var found []Garbage
	for info, err := range c.blobs.List(ctx) {
		if err != nil {
			return nil, err
		}
		use, known := uses[info.Digest]
		if use.Used || !info.Stored.Before(before) {
			continue
		}
		g := Garbage{SHA256: info.Digest, Bytes: info.Bytes, StoredAt: info.Stored, Reason: GarbageUnpublished}
		if !known {
			g.Reason = GarbageUnknown
		}
		found = append(found, g)
	}
	if !in.Delete {
		return found, nil
	}
	gone := found[:0]
	for _, g := range found {
		ok, err := c.collect(ctx, a, g, before)
		if err != nil {
			return gone, fmt.Errorf("remove file %s: %w", g.SHA256, err)
		}
		if ok {
			gone = append(gone, g)
		}
	}
	return gone, nil
}

// errStays rolls back what was to go and does not.
var errStays = errors.New("the file is needed")

// collect removes one file. Its row goes first and is held until the file is
// gone: a version that is published meanwhile finds no file, and one that was
// published before keeps it.
func (c *Console) collect(ctx context.Context, a Actor, g Garbage, before time.Time) (bool, error) {
	err := c.change(ctx, a, UseCollectGarbage, func(tx *store.Tx, by store.Actor) error {
		forgotten, err := tx.ForgetBlob(ctx, g.SHA256)
		if err != nil {
			return err
		}
		if !forgotten {
			return errStays
		}
		if err := tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseCollectGarbage), ObjectKind: "blob", ObjectID: g.SHA256, Before: g}); err != nil {
			return err
		}
		gone, err := c.blobs.Collect(ctx, g.SHA256, before)
		switch {
		case isNotFound(err, "blob"): // an earlier try has removed it
			return nil
		case err == nil && !gone: // it was brought anew
			return errStays
		}
		return err
	})
	if errors.Is(err, errStays) {
		return false, nil
	}
	return err == nil, err
}
