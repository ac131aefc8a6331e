package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// InspectionState says how far the look into an uploaded file is.
type InspectionState string

// The states of an inspection. It goes from the first to one of the others, and
// from ready to published.
const (
	InspectionRunning   InspectionState = "inspecting"
	InspectionReady     InspectionState = "ready"     // in the store; may be published
	InspectionPublished InspectionState = "published" // as VersionID
	InspectionRefused   InspectionState = "refused"   // for Fault; nothing is kept
)

// Inspection is the look into an uploaded file that takes its time, because the
// file has to be decoded.
type Inspection struct {
	UploadID  string
	State     InspectionState
	FileName  string
	Bytes     int64 // of the file
	DoneBytes int64 // of it, read so far
	Content   *FileContent
	// Fault is why the file was refused, or, with a file that is ready, why it
	// was not published as was asked.
	Fault         *Refusal
	Publication   *Publication // what it is to be published as, if that was said
	VersionID     VersionID
	CreatedAt     time.Time
	CreatedByKind ActorKind
	CreatedByID   ActorID
	UpdatedAt     time.Time
}

// FileContent is what an inspection found in a file.
type FileContent struct {
	Format   string    `json:"format"`
	Editions []Edition `json:"editions"`
	Disk     *Disk     `json:"disk"`
}

// Refusal is a fault as it is kept.
type Refusal struct {
	Code   string            `json:"code"`
	Params map[string]string `json:"params"`
}

// Publication is a version that somebody asked for before its file was
// inspected.
type Publication struct {
	Image   string  `json:"image"`
	Version string  `json:"version"`
	Commit  string  `json:"commit"`
	Notes   string  `json:"notes"`
	Channel string  `json:"channel"`
	ByKind  string  `json:"by_kind"`
	ByID    ActorID `json:"by_id"`
}

const inspectionColumns = `upload_id, state, file_name, bytes, done_bytes, content, fault, publication, version_id,
	created_at, created_by_kind, created_by_id, updated_at`

// Inspection finds an inspection by its upload, or fails with
// inspection_not_found.
func (r Reader) Inspection(ctx context.Context, upload string) (Inspection, error) {
	return one[Inspection](ctx, r.db, "inspection", upload,
		`SELECT `+inspectionColumns+` FROM inspections WHERE upload_id = @upload`, pgx.NamedArgs{"upload": upload})
}

// OpenInspections lists what is not published, newest first: at most 50.
func (r Reader) OpenInspections(ctx context.Context) ([]Inspection, error) {
	return many[Inspection](ctx, r.db, "inspections",
		`SELECT `+inspectionColumns+` FROM inspections WHERE state <> 'published' ORDER BY created_at DESC, upload_id LIMIT 50`, nil)
}

// InspectedRecord returns what the bytes of a file hash to that was found good,
// or fails with inspection_not_found.
func (r Reader) InspectedRecord(ctx context.Context, upload string) (protocol.BlobRecord, error) {
	row, err := one[struct{ Record *protocol.BlobRecord }](ctx, r.db, "inspection", upload,
		`SELECT record FROM inspections WHERE upload_id = @upload AND record IS NOT NULL`, pgx.NamedArgs{"upload": upload})
	if err != nil {
		return protocol.BlobRecord{}, err
	}
	return *row.Record, nil
}

// LockInspection is Inspection for a transaction that will change it.
func (tx *Tx) LockInspection(ctx context.Context, upload string) (Inspection, error) {
	return one[Inspection](ctx, tx.tx, "inspection", upload,
		`SELECT `+inspectionColumns+` FROM inspections WHERE upload_id = @upload FOR UPDATE`, pgx.NamedArgs{"upload": upload})
}

// CreateInspection begins to look into an upload; created is false if that was
// begun before.
func (tx *Tx) CreateInspection(ctx context.Context, upload, fileName string, bytes int64, by Actor) (created bool, err error) {
	tag, err := tx.tx.Exec(ctx,
		`INSERT INTO inspections (upload_id, state, file_name, bytes, created_at, created_by_kind, created_by_id, updated_at)
		VALUES (@upload, 'inspecting', @file_name, @bytes, @at, @by_kind, @by_id, @at)
		ON CONFLICT ON CONSTRAINT inspections_pkey DO NOTHING`,
		pgx.NamedArgs{"upload": upload, "file_name": cleanText(fileName), "bytes": bytes, "at": tx.at, "by_kind": by.Kind, "by_id": by.ID})
	return err == nil && tag.RowsAffected() == 1, fail(err, "begin an inspection")
}

// InspectionAt notes how far an inspection is. It fails with
// inspection_not_found when it is over, or its upload was given up.
func (s *Store) InspectionAt(ctx context.Context, upload string, done int64) error {
	tag, err := s.pool.Exec(ctx,
		`UPDATE inspections SET done_bytes = least(@done, bytes), updated_at = @at WHERE upload_id = @upload AND state = 'inspecting'`,
		pgx.NamedArgs{"upload": upload, "done": done, "at": s.Now()})
	if err == nil && tag.RowsAffected() == 0 {
		return NotFound("inspection", upload)
	}
	return fail(err, "note the progress of an inspection")
}

// InspectionFound keeps what is in a file, before its bytes go to where they
// stay.
func (tx *Tx) InspectionFound(ctx context.Context, upload string, record protocol.BlobRecord, content *FileContent) error {
	rec, err := encodeJSON(record)
	if err != nil {
		return err
	}
	raw, err := encodeJSON(content)
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(ctx,
		`UPDATE inspections SET record = @record, content = @content, done_bytes = bytes, updated_at = @at
		WHERE upload_id = @upload AND state = 'inspecting'`,
		pgx.NamedArgs{"upload": upload, "record": rec, "content": raw, "at": tx.at})
	return fail(err, "keep what an inspection found")
}

// InspectionReady says that the file is in the store.
func (tx *Tx) InspectionReady(ctx context.Context, upload string) error {
	_, err := tx.tx.Exec(ctx,
		`UPDATE inspections SET state = 'ready', updated_at = @at WHERE upload_id = @upload AND state = 'inspecting'`,
		pgx.NamedArgs{"upload": upload, "at": tx.at})
	return fail(err, "end an inspection")
}

// RefuseInspection ends an inspection that found the file to be none that can
// be used.
func (tx *Tx) RefuseInspection(ctx context.Context, upload string, why Refusal) error {
	raw, err := encodeJSON(why)
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(ctx,
		`UPDATE inspections SET state = 'refused', fault = @fault, publication = NULL, updated_at = @at
		WHERE upload_id = @upload AND state = 'inspecting'`, pgx.NamedArgs{"upload": upload, "fault": raw, "at": tx.at})
	return fail(err, "refuse an upload")
}

// SetPublication says what a file is to be published as.
func (tx *Tx) SetPublication(ctx context.Context, upload string, p Publication) error {
	raw, err := encodeJSON(p)
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(ctx,
		`UPDATE inspections SET publication = @publication, fault = NULL, updated_at = @at
		WHERE upload_id = @upload AND state IN ('inspecting', 'ready')`,
		pgx.NamedArgs{"upload": upload, "publication": raw, "at": tx.at})
	return fail(err, "say what an upload is to be published as")
}

// RefusePublication says why a file that is ready was not published.
func (tx *Tx) RefusePublication(ctx context.Context, upload string, why Refusal) error {
	raw, err := encodeJSON(why)
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(ctx,
		`UPDATE inspections SET fault = @fault, updated_at = @at WHERE upload_id = @upload AND state = 'ready'`,
		pgx.NamedArgs{"upload": upload, "fault": raw, "at": tx.at})
	return fail(err, "refuse to publish an upload")
}

// PublishInspection says which version a file that was ready became. That there
// is no such inspection is no error.
func (tx *Tx) PublishInspection(ctx context.Context, upload string, version VersionID) error {
	_, err := tx.tx.Exec(ctx,
		`UPDATE inspections SET state = 'published', version_id = @version, fault = NULL, updated_at = @at
		WHERE upload_id = @upload AND state = 'ready'`, pgx.NamedArgs{"upload": upload, "version": version, "at": tx.at})
	return fail(err, "publish an upload")
}

// DropInspection forgets the inspection of an upload that was given up. That
// there is none is no error.
func (tx *Tx) DropInspection(ctx context.Context, upload string) error {
	_, err := tx.tx.Exec(ctx, `DELETE FROM inspections WHERE upload_id = @upload AND state <> 'published'`, pgx.NamedArgs{"upload": upload})
	return fail(err, "forget an inspection")
}
