package api

import (
	"context"
	"errors"
	"time"

	"github.com/stickpress/stickpress/agent/bmap"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/imagefile"
	"github.com/stickpress/stickpress/store"
)

// BlockMap says how much of a version's disk is written.
type BlockMap struct {
	MappedBytes int64 `json:"mapped_bytes"`
	Ranges      int   `json:"ranges"`
	// Trusted is what an admin vouched for: jobs write only what the map lists.
	// Without it they write everything.
	Trusted bool      `json:"trusted"`
	SetAt   time.Time `json:"set_at"`
}

// SetBlockMapInput gives a version its block map, or says whether it is trusted.
type SetBlockMapInput struct {
	Version string // ID
	Body    []byte // the map's XML; empty keeps the one that is there
	Trusted bool
	// Revision is the version's, as seen; 0 does not check.
	Revision int64
}

// maxRanges keeps a map within one message to a host.
const maxRanges = 20_000

// SetBlockMap attaches a block map (admin), or changes whether it is trusted.
// The map is compared with the version's file, range by range, so that what
// jobs will write is what the map means. Faults: image_version_not_found,
// block_map_not_found, no_disk_image, block_map_invalid,
// block_map_mismatch, block_map_too_long, stale.
func (c *Console) SetBlockMap(ctx context.Context, a Actor, in SetBlockMapInput) (Version, error) {
	if err := allow(a, UseSetBlockMap); err != nil {
		return Version{}, err
	}
	id, err := parse[store.VersionID]("image_version", in.Version)
	if err != nil {
		return Version{}, err
	}
	var next store.BlockMap
	if len(in.Body) > 0 {
		if next, err = c.checkBlockMap(ctx, id, in.Body); err != nil {
			return Version{}, err
		}
		next.Trusted = in.Trusted
	}
	var out Version
	err = c.change(ctx, a, UseSetBlockMap, func(tx *store.Tx, by store.Actor) error {
		v, err := tx.Version(ctx, id)
		if err != nil {
			return err
		}
		// The map is part of what a version is: who saw the one before is told.
		if v, err = tx.SetVersionState(ctx, id, seen(in.Revision, v.Revision), v.State); err != nil {
			return err
		}
		if len(in.Body) > 0 {
			_, err = tx.PutBlockMap(ctx, next)
		} else {
			_, err = tx.TrustBlockMap(ctx, id, in.Trusted)
		}
		if err != nil {
			return err
		}
		views, err := versionsOf(ctx, tx.Reader, []store.Version{v})
		if err != nil {
			return err
		}
		out = views[0]
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSetBlockMap), ObjectKind: "image_version", ObjectID: in.Version, After: out.BlockMap,
		})
	})
	return out, err
}

// checkBlockMap reads a map and compares it with the file that it is for.
func (c *Console) checkBlockMap(ctx context.Context, id store.VersionID, body []byte) (store.BlockMap, error) {
	m, err := bmap.Parse(body)
	if err != nil {
		return store.BlockMap{}, fault.Wrap(err, fault.KindInvalid, CodeBlockMapInvalid, "detail", err).At("block_map")
	}
	v, err := c.store.Version(ctx, id)
	if err != nil {
		return store.BlockMap{}, err
	}
	if v.Disk == nil {
		return store.BlockMap{}, fault.New(fault.KindInvalid, CodeNoDiskImage, "format", v.Format)
	}
	out := store.BlockMap{ImageVersionID: id, Body: string(body), MappedBytes: m.MappedBytes()}
	for _, r := range m.Ranges {
		n := len(out.Ranges)
		if n > 0 && out.Ranges[n-1].Offset+out.Ranges[n-1].Length == r.Offset {
			out.Ranges[n-1].Length += r.Length
			continue
		}
		out.Ranges = append(out.Ranges, protocol.Range{Offset: r.Offset, Length: r.Length})
	}
	if len(out.Ranges) == 0 || len(out.Ranges) > maxRanges {
		return store.BlockMap{}, fault.New(fault.KindInvalid, CodeBlockMapTooLong, "ranges", len(out.Ranges), "most", maxRanges).At("block_map")
	}
	err = c.localBlob(ctx, v.SHA256, func(path string) error {
		return imagefile.CompareMap(ctx, path, v.Format, imagefile.Disk(*v.Disk), m)
	})
	var differs *imagefile.MapError
	if errors.As(err, &differs) {
		err = fault.Wrap(err, fault.KindInvalid, CodeBlockMapMismatch, "offset", differs.Offset).At("block_map")
	}
	return out, err
}

// blockMapsOf finds the block maps of versions.
func blockMapsOf(ctx context.Context, r store.Reader, rows []store.Version) (map[store.VersionID]*BlockMap, error) {
	var ids []store.VersionID
	for i := range rows {
		if rows[i].Disk != nil {
			ids = append(ids, rows[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil //nolint:nilnil // nothing to look up, and a nil map answers so
	}
	found, err := r.BlockMaps(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := map[store.VersionID]*BlockMap{}
	for i := range found {
		m := &found[i]
		out[m.ImageVersionID] = &BlockMap{MappedBytes: m.MappedBytes, Ranges: len(m.Ranges), Trusted: m.Trusted, SetAt: m.UpdatedAt}
	}
	return out, nil
}

// diskOf is what a host is told about a version's disk; nil for other versions.
func diskOf(ctx context.Context, r store.Reader, v *store.Version) (*protocol.Disk, error) {
	if v.Disk == nil {
		return nil, nil //nolint:nilnil // no disk is a kind of version, not an absence
	}
	d := &protocol.Disk{Bytes: v.Disk.Bytes, Compression: v.Disk.Compression}
	maps, err := r.BlockMaps(ctx, []store.VersionID{v.ID})
	if err == nil && len(maps) > 0 && maps[0].Trusted {
		d.Mapped = maps[0].Ranges
	}
	return d, err
}
