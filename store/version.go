package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// VersionState says whether an image version may be used.
type VersionState string

// The states of an image version.
const (
	VersionPublished  VersionState = "published"
	VersionSuperseded VersionState = "superseded" // a newer one took its place; still usable
	VersionWithdrawn  VersionState = "withdrawn"  // bad: no new job may use it
)

// VersionStates lists the states in their order.
var VersionStates = []VersionState{VersionPublished, VersionSuperseded, VersionWithdrawn}

// Formats lists the file formats of image versions.
var Formats = []string{"wim", "esd", "swm", "vhd", "vhdx", "iso", "raw"}

// Version is an image version: one immutable file and what is in it. Only its
// state and its notes may change.
type Version struct {
	ID            VersionID
	ImageID       ImageID
	Version       string // SemVer, unique within the image
	SourceCommit  string
	SHA256        string `db:"sha256"` // names its blob
	Bytes         int64
	Format        string
	FileName      string
	Editions      []Edition
	Disk          *Disk // of disk images alone
	Notes         string
	SourceJobID   JobID // the job that captured it, or zero
	State         VersionState
	Revision      int64
	CreatedAt     time.Time
	CreatedByKind ActorKind
	CreatedByID   ActorID
	UpdatedAt     time.Time
}

// Edition is one index inside an image file.
type Edition struct {
	Index        int      `json:"index"` // from 1
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	EditionID    string   `json:"edition_id"`   // "Enterprise"
	Architecture string   `json:"architecture"` // "x86_64", "arm64", "x86"
	Version      string   `json:"version"`      // "10.0.26100.1742"
	Build        int      `json:"build"`        // 26100
	Languages    []string `json:"languages"`
	Bytes        int64    `json:"bytes"` // when applied
	// InstallationType is "Client", "Server" or "WindowsPE", as the file says.
	InstallationType string `json:"installation_type"`
}

// Disk is what a disk image becomes on a stick.
type Disk struct {
	Bytes       int64  `json:"bytes"`       // of the disk
	Compression string `json:"compression"` // "", "gz", "xz" or "zst"
	SectorSize  int    `json:"sector_size"` // 512 or 4096
	Table       string `json:"table"`       // "gpt", "mbr" or ""
	// DiskID is the disk GUID, or the MBR signature in hex, which all copies
	// share; empty where there is none.
	DiskID   string `json:"disk_id"`
	Starts   bool   `json:"starts"`    // a PC may start from a stick with it
	ElTorito bool   `json:"el_torito"` // an ISO that a PC starts from as a disc
}

// NewVersion is what an image version is made of. Its blob record must be
// there (PutBlobRecord).
type NewVersion struct {
	ImageID      ImageID
	Version      string
	SourceCommit string
	SHA256       string
	Bytes        int64
	Format       string
	FileName     string
	Editions     []Edition
	Disk         *Disk
	Notes        string
	SourceJobID  JobID // that captured it, or zero
	By           Actor
}

const versionColumns = `id, image_id, version, source_commit, sha256, bytes, format, file_name, editions, disk, notes, source_job_id, state,
	revision, created_at, created_by_kind, created_by_id, updated_at`

// Version finds an image version, or fails with image_version_not_found.
func (r Reader) Version(ctx context.Context, id VersionID) (Version, error) {
	return one[Version](ctx, r.db, "image_version", id,
		`SELECT `+versionColumns+` FROM image_versions WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// VersionByNumber finds an image version by its number within an image.
func (r Reader) VersionByNumber(ctx context.Context, image ImageID, number string) (Version, error) {
	return one[Version](ctx, r.db, "image_version", number,
		`SELECT `+versionColumns+` FROM image_versions WHERE image_id = @image_id AND version = @version`,
		pgx.NamedArgs{"image_id": image, "version": number})
}

// VersionOfJob finds the version that a job captured, or fails with
// image_version_not_found.
func (r Reader) VersionOfJob(ctx context.Context, job JobID) (Version, error) {
	return one[Version](ctx, r.db, "image_version", job,
		`SELECT `+versionColumns+` FROM image_versions WHERE source_job_id = @job`, pgx.NamedArgs{"job": job})
}

// ContentOf returns what is in a file that a version was made of or that was
// inspected in the background, by its digest, or fails with content_not_found.
func (r Reader) ContentOf(ctx context.Context, sha256 string) (FileContent, error) {
	row, err := one[struct{ Content *FileContent }](ctx, r.db, "content", sha256,
		`SELECT content FROM (
			SELECT jsonb_build_object('format', format, 'editions', editions, 'disk', disk) AS content
			FROM image_versions WHERE sha256 = @sha256
			UNION ALL
			SELECT content FROM inspections WHERE state IN ('ready', 'published') AND record ->> 'sha256' = @sha256) c
		LIMIT 1`, pgx.NamedArgs{"sha256": sha256})
	if err != nil {
		return FileContent{}, err
	}
	return *row.Content, nil
}

// VersionFilter narrows Versions; empty fields do not.
type VersionFilter struct {
	ImageID ImageID
	State   VersionState
	Format  string
	Search  string // how its number, its commit or its digest begins, whatever its case
	Page    VersionPage
}

// Versions lists image versions, newest upload first.
func (r Reader) Versions(ctx context.Context, f VersionFilter) ([]Version, error) {
	var w where
	equal(&w, "image_id = @image", "image", f.ImageID)
	w.text("state = @state", "state", string(f.State))
	w.text("format = @format", "format", f.Format)
	w.text("(lower(version) LIKE @search OR lower(source_commit) LIKE @search OR sha256 LIKE @search)", "search", beginning(f.Search))
	return byID[Version](ctx, r, "image versions", "image_versions", versionColumns, &w, f.Page)
}

// NewestVersions lists the newest versions of some images that are not withdrawn,
// of each at most so many, in no order.
func (r Reader) NewestVersions(ctx context.Context, images []ImageID, most int) ([]Version, error) {
	return many[Version](ctx, r.db, "image versions",
		`SELECT v.* FROM unnest(@images::uuid[]) AS i (id) CROSS JOIN LATERAL (
			SELECT `+versionColumns+` FROM image_versions WHERE image_id = i.id AND state <> 'withdrawn' ORDER BY id DESC LIMIT @most) v`,
		pgx.NamedArgs{"images": images, "most": most})
}

// versionIDs lists the versions of an image.
func (r Reader) versionIDs(ctx context.Context, image ImageID) ([]VersionID, error) {
	rows, _ := r.db.Query(ctx, `SELECT id FROM image_versions WHERE image_id = @image`, pgx.NamedArgs{"image": image})
	ids, err := pgx.CollectRows(rows, pgx.RowTo[VersionID])
	return ids, fail(err, "list an image's versions")
}

// VersionsByID finds several image versions at once, in no order; IDs that do
// not exist are left out.
func (r Reader) VersionsByID(ctx context.Context, ids []VersionID) ([]Version, error) {
	return many[Version](ctx, r.db, "image versions",
		`SELECT `+versionColumns+` FROM image_versions WHERE id = ANY (@ids)`, pgx.NamedArgs{"ids": ids})
}

// CreateVersion publishes an image version. A number in use within the image
// is the fault version_exists.
func (tx *Tx) CreateVersion(ctx context.Context, n NewVersion) (Version, error) {
	id, err := newID[versionKind](tx)
	if err != nil {
		return Version{}, err
	}
	if n.Editions == nil {
		n.Editions = []Edition{}
	}
	editions, err := encodeJSON(n.Editions)
	if err != nil {
		return Version{}, err
	}
	var disk []byte
	if n.Disk != nil {
		if disk, err = encodeJSON(n.Disk); err != nil {
			return Version{}, err
		}
	}
	return one[Version](ctx, tx.tx, "image_version", id,
		`INSERT INTO image_versions (id, image_id, version, source_commit, sha256, bytes, format, file_name, editions, disk,
			notes, source_job_id, state, created_at, created_by_kind, created_by_id, updated_at)
		VALUES (@id, @image_id, @version, @source_commit, @sha256, @bytes, @format, @file_name, @editions, @disk,
			@notes, @source_job_id, 'published', @at, @by_kind, @by_id, @at)
		RETURNING `+versionColumns, pgx.NamedArgs{
			"id": id, "image_id": n.ImageID, "version": n.Version, "source_commit": n.SourceCommit,
			"sha256": n.SHA256, "bytes": n.Bytes, "format": n.Format, "file_name": n.FileName,
			"editions": editions, "disk": disk, "notes": n.Notes, "source_job_id": n.SourceJobID, "by_kind": n.By.Kind, "by_id": n.By.ID, "at": tx.at,
		})
}

// Supersede notes that a channel was moved from one version to another: the
// old one is superseded unless another channel still points at it, the new one
// is published (again). Withdrawn versions stay what they are.
func (tx *Tx) Supersede(ctx context.Context, old, by VersionID) error {
	_, err := tx.tx.Exec(ctx,
		`UPDATE image_versions SET state = CASE id WHEN @by THEN 'published' ELSE 'superseded' END,
			revision = revision + 1, updated_at = @at
		WHERE id = @by AND state = 'superseded'
			OR id = @old AND id <> @by AND state = 'published' AND NOT EXISTS (SELECT FROM channels WHERE image_version_id = @old)`,
		pgx.NamedArgs{"old": old, "by": by, "at": tx.at})
	return fail(err, "supersede an image version")
}

// SetVersionState publishes, supersedes or withdraws an image version; a stale
// revision is the fault stale.
func (tx *Tx) SetVersionState(ctx context.Context, id VersionID, revision int64, state VersionState) (Version, error) {
	return changed[Version](ctx, tx.tx, "image_versions", "image_version", id,
		`UPDATE image_versions SET state = @state, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+versionColumns, pgx.NamedArgs{"id": id, "revision": revision, "state": state, "at": tx.at})
}
