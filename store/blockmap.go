package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// BlockMap says which parts of a version's disk must be written. Only a trusted
// one is used: what it leaves out may hold anything on a stick.
type BlockMap struct {
	ImageVersionID VersionID
	Body           string           // the XML as it came
	Ranges         []protocol.Range // in order, joined where they touch
	MappedBytes    int64            // in all
	Trusted        bool
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

const blockMapColumns = `image_version_id, body, ranges, mapped_bytes, trusted, created_at, updated_at`

// BlockMap returns a version's block map, or fails with block_map_not_found.
func (r Reader) BlockMap(ctx context.Context, id VersionID) (BlockMap, error) {
	return one[BlockMap](ctx, r.db, "block_map", id,
		`SELECT `+blockMapColumns+` FROM block_maps WHERE image_version_id = @id`, pgx.NamedArgs{"id": id})
}

// BlockMaps returns the block maps of several versions; versions without one
// are left out.
func (r Reader) BlockMaps(ctx context.Context, ids []VersionID) ([]BlockMap, error) {
	return many[BlockMap](ctx, r.db, "block maps",
		`SELECT `+blockMapColumns+` FROM block_maps WHERE image_version_id = ANY (@ids)`, pgx.NamedArgs{"ids": ids})
}

// PutBlockMap gives a version its block map, in place of another one.
func (tx *Tx) PutBlockMap(ctx context.Context, m BlockMap) (BlockMap, error) {
	ranges, err := encodeJSON(m.Ranges)
	if err != nil {
		return BlockMap{}, err
	}
	return one[BlockMap](ctx, tx.tx, "image_version", m.ImageVersionID,
		`INSERT INTO block_maps (image_version_id, body, ranges, mapped_bytes, trusted, created_at, updated_at)
		VALUES (@id, @body, @ranges, @mapped_bytes, @trusted, @at, @at)
		ON CONFLICT (image_version_id) DO UPDATE SET body = @body, ranges = @ranges, mapped_bytes = @mapped_bytes,
			trusted = @trusted, created_at = @at, updated_at = @at
		RETURNING `+blockMapColumns, pgx.NamedArgs{
			"id": m.ImageVersionID, "body": m.Body, "ranges": ranges, "mapped_bytes": m.MappedBytes, "trusted": m.Trusted, "at": tx.at,
		})
}

// TrustBlockMap says whether a version's block map is used, or fails with
// block_map_not_found.
func (tx *Tx) TrustBlockMap(ctx context.Context, id VersionID, trusted bool) (BlockMap, error) {
	return one[BlockMap](ctx, tx.tx, "block_map", id,
		`UPDATE block_maps SET trusted = @trusted, updated_at = @at WHERE image_version_id = @id
		RETURNING `+blockMapColumns, pgx.NamedArgs{"id": id, "trusted": trusted, "at": tx.at})
}
