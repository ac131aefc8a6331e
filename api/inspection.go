package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Inspection is the look into an uploaded file that goes on in the background,
// because the file has to be decoded to be judged.
type Inspection struct {
	UploadID  string
	FileName  string
	State     string // "inspecting", "ready", "published", "refused"
	Bytes     int64  // of the file
	DoneBytes int64  // of it, read so far
	Rate      int64  // bytes per second lately, as far as this replica knows; 0 where it does not
	// Fault is why the file was refused, or why one that is ready was not
	// published as was asked; nil without either.
	Fault *fault.Error
	// What it is to be published as; empty where nobody has said so.
	Image, Version, Commit, Notes, Channel string
	VersionID                              string // what it was published as
	BegunBy                                string // a name
	BegunAt                                time.Time
}

// The states of an inspection.
const (
	InspectionRunning   = string(store.InspectionRunning)
	InspectionReady     = string(store.InspectionReady)
	InspectionPublished = string(store.InspectionPublished)
	InspectionRefused   = string(store.InspectionRefused)
)

// GetInspection returns the inspection of an upload (admin). Faults:
// inspection_not_found.
func (c *Console) GetInspection(ctx context.Context, a Actor, upload string) (Inspection, error) {
	if err := allow(a, UseUpload); err != nil {
		return Inspection{}, err
	}
	row, err := c.store.Inspection(ctx, upload)
	if err != nil {
		return Inspection{}, err
	}
	return c.inspectionOf(ctx, c.names(), &row)
}

// OpenInspections lists the uploads that are being inspected, or were and are
// not published, newest first (admin).
func (c *Console) OpenInspections(ctx context.Context, a Actor) ([]Inspection, error) {
	if err := allow(a, UseUpload); err != nil {
		return nil, err
	}
	rows, err := c.store.OpenInspections(ctx)
	if err != nil {
		return nil, err
	}
	n := c.names()
	list := make([]Inspection, 0, len(rows))
	for i := range rows {
		in, err := c.inspectionOf(ctx, n, &rows[i])
		if err != nil {
			return nil, err
		}
		list = append(list, in)
	}
	return list, nil
}

func (c *Console) inspectionOf(ctx context.Context, n *names, row *store.Inspection) (Inspection, error) {
	in := Inspection{
		UploadID: row.UploadID, FileName: row.FileName, State: string(row.State), Bytes: row.Bytes, DoneBytes: row.DoneBytes,
		VersionID: row.VersionID.String(), BegunAt: row.CreatedAt, Fault: kept(row.Fault),
	}
	if row.State == store.InspectionRunning {
		in.Rate = c.inspected.note(row.UploadID, row.DoneBytes, row.UpdatedAt)
	}
	if p := row.Publication; p != nil {
		in.Image, in.Version, in.Commit, in.Notes, in.Channel = p.Image, p.Version, p.Commit, p.Notes, p.Channel
	}
	var err error
	in.BegunBy, err = n.actor(ctx, row.CreatedByKind, row.CreatedByID)
	return in, err
}

// kept is a refusal that was kept, or nil.
func kept(r *store.Refusal) *fault.Error {
	if r == nil {
		return nil
	}
	return &fault.Error{Kind: fault.KindInvalid, Code: fault.Code(r.Code), Params: r.Params}
}

func keep(f *fault.Error) store.Refusal { return store.Refusal{Code: string(f.Code), Params: f.Params} }

// Publish makes an upload a version (admin), at once or, where it is still being
// inspected, as soon as it is found to be good: then the inspection is returned, which
// tells what becomes of it. Faults: those of PublishVersion and PublishWhenInspected.
func (c *Console) Publish(ctx context.Context, a Actor, in PublishVersionInput) (Version, *Inspection, error) {
	v, err := c.PublishVersion(ctx, a, in)
	if !errors.Is(err, fault.New(fault.KindConflict, CodeUploadInspecting)) {
		return v, nil, err
	}
	waits, err := c.PublishWhenInspected(ctx, a, in)
	return Version{}, &waits, err
}

// PublishWhenInspected makes a version of an upload as soon as it is found to
// be good (admin), which may be at once. Faults: inspection_not_found,
// name_invalid, version_invalid, version_exists, upload_published, and why an
// upload was refused.
func (c *Console) PublishWhenInspected(ctx context.Context, a Actor, in PublishVersionInput) (Inspection, error) {
	if err := allow(a, UsePublishVersion); err != nil {
		return Inspection{}, err
	}
	// Better refused now than when it has been decoded.
	number, _, err := checkNewVersion(ctx, c.store.Reader, in.Image, in.Version, in.Channel)
	if err != nil {
		return Inspection{}, err
	}
	err = c.change(ctx, a, UsePublishVersion, func(tx *store.Tx, by store.Actor) error {
		row, err := tx.LockInspection(ctx, in.UploadID)
		if err != nil {
			return err
		}
		if row.State == store.InspectionRefused {
			return kept(row.Fault)
		}
		if row.State == store.InspectionPublished {
			return fault.New(fault.KindConflict, CodeUploadPublished, "version", row.VersionID)
		}
		return tx.SetPublication(ctx, in.UploadID, store.Publication{
			Image: in.Image, Version: number, Commit: in.Commit, Notes: in.Notes, Channel: in.Channel,
			ByKind: string(by.Kind), ByID: by.ID,
		})
	})
	if err != nil {
		return Inspection{}, err
	}
	if err := c.publishInspected(ctx, in.UploadID); err != nil {
		return Inspection{}, err
	}
	return c.GetInspection(ctx, a, in.UploadID)
}

// inspectUpload is the work of looking into one upload.
type inspectUpload struct {
	UploadID string `json:"upload_id"`
}

// Kind implements river.JobArgs.
func (inspectUpload) Kind() string { return "inspect_upload" }

// inspectTries is how often a file that cannot be read is tried again: within
// six minutes.
const inspectTries = 5

// InsertOpts implements river.JobArgsWithInsertOpts.
func (inspectUpload) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: inspectTries}
}

// inspector looks into uploads. To do so again changes nothing.
type inspector struct {
	river.WorkerDefaults[inspectUpload]
	c *Console
}

// Work implements river.Worker.
func (w *inspector) Work(ctx context.Context, job *river.Job[inspectUpload]) error {
	err := w.c.inspectUpload(ctx, job.Args.UploadID)
	var refused *fault.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // the program ends; the next one goes on, and this was no try
		return river.JobSnooze(0)
	case isNotFound(err, "inspection"): // its sender gave it up
		return nil
	case errors.As(err, &refused) && refused.Kind != fault.KindInternal && refused.Kind != fault.KindUnavailable:
		return w.c.refuseUpload(ctx, job.Args.UploadID, refused)
	case job.Attempt >= job.MaxAttempts:
		return errors.Join(err, w.c.refuseUpload(ctx, job.Args.UploadID, fault.Wrap(err, fault.KindInvalid, CodeInspectionFailed)))
	}
	return err
}

// beginInspection has an upload inspected in the background.
func (c *Console) beginInspection(ctx context.Context, a Actor, tusID, fileName string, bytes int64) error {
	return c.change(ctx, a, UseUpload, func(tx *store.Tx, by store.Actor) error {
		created, err := tx.CreateInspection(ctx, tusID, fileName, bytes, by)
		if err != nil || !created {
			return err
		}
		return tx.Enqueue(ctx, c.background, inspectUpload{UploadID: tusID})
	})
}

// inspectUpload looks into an upload, moves it into the store and publishes it,
// from wherever an earlier try of it ended.
func (c *Console) inspectUpload(ctx context.Context, id string) error {
	row, err := c.store.Inspection(ctx, id)
	if err != nil {
		return err
	}
	if row.State == store.InspectionRunning {
		if row.Content == nil {
			if err := c.decodeUpload(ctx, id); err != nil {
				return err
			}
		}
		if err := c.adoptInspected(ctx, id); err != nil {
			return err
		}
	}
	return c.publishInspected(ctx, id)
}

// decodeUpload looks into an upload and keeps what it found.
func (c *Console) decodeUpload(ctx context.Context, id string) error {
	whole, err := c.staging.Finished(id)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	told := c.now()
	inside, err := inspect(ctx, whole.Path, func(done int64) {
		if now := c.now(); now.Sub(told) >= inspectionTells {
			told = now
			if err := c.store.InspectionAt(ctx, id, done); isNotFound(err, "inspection") {
				stop(err)
			}
		}
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	content := store.FileContent{Format: inside.Format, Editions: inside.Editions, Disk: inside.Disk}
	return c.store.InTx(ctx, func(tx *store.Tx) error { return tx.InspectionFound(ctx, id, whole.Record, &content) })
}

// inspectionTells is how often an inspection says how far it is.
const inspectionTells = time.Second

// adoptInspected moves the bytes of an upload that was found good into the
// store, unless they are there.
func (c *Console) adoptInspected(ctx context.Context, id string) error {
	record, err := c.store.InspectedRecord(ctx, id)
	if err != nil {
		return err
	}
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		// The bytes move under the row's lock: of an upload that its sender gives up
		// meanwhile nothing would ever be removed from the store.
		row, err := tx.LockInspection(ctx, id)
		if err != nil || row.State != store.InspectionRunning {
			return err
		}
		if err := c.moveIn(ctx, id, record); err != nil {
			return err
		}
		at := tx.At()
		out := uploadOf(&row, record)
		out.FinishedAt = &at
		if out.FinishedBy, err = (&names{r: tx.Reader}).actor(ctx, row.CreatedByKind, row.CreatedByID); err != nil {
			return err
		}
		by := store.Actor{Kind: row.CreatedByKind, ID: row.CreatedByID}
		if err := keepUpload(ctx, tx, by, &out, record); err != nil {
			return err
		}
		return tx.InspectionReady(ctx, id)
	})
	if err != nil {
		return err
	}
	c.forgetStaged(ctx, id)
	return nil
}

// moveIn moves an upload's bytes into the store; that an earlier try has done so is
// no error.
func (c *Console) moveIn(ctx context.Context, id string, record protocol.BlobRecord) error {
	whole, err := c.staging.Finished(id)
	if err == nil {
		return c.blobs.Adopt(ctx, whole.Path, record)
	}
	if _, here := c.blobs.Record(ctx, record.SHA256); here == nil {
		return nil
	}
	return err
}

// uploadOf is an upload that was inspected.
func uploadOf(row *store.Inspection, record protocol.BlobRecord) Upload {
	u := Upload{
		ID: row.UploadID, TusID: row.UploadID, FileName: row.FileName, Bytes: row.Bytes, State: UploadInspecting, InspectedBytes: row.DoneBytes,
	}
	if row.Content != nil && record.SHA256 != "" {
		u.State, u.SHA256, u.InspectedBytes = UploadReady, record.SHA256, 0
		u.Format, u.Editions, u.Disk = row.Content.Format, row.Content.Editions, row.Content.Disk
	}
	return u
}

// refuseUpload ends an inspection; nothing of the file stays.
func (c *Console) refuseUpload(ctx context.Context, id string, why *fault.Error) error {
	c.log.InfoContext(ctx, "upload refused", "upload_id", id, "error", why)
	err := c.store.InTx(ctx, func(tx *store.Tx) error { return tx.RefuseInspection(ctx, id, keep(why)) })
	if err != nil {
		return err
	}
	return c.staging.Remove(id)
}

// publishInspected publishes an upload that is ready, if somebody asked for
// that. What is refused then is kept for whoever asked.
func (c *Console) publishInspected(ctx context.Context, id string) error {
	err := c.tryPublish(ctx, id)
	if errors.Is(err, fault.New(fault.KindConflict, store.CodeNameTaken)) { // somebody else has just made the image
		err = c.tryPublish(ctx, id)
	}
	var refused *fault.Error
	if !errors.As(err, &refused) || isNotFound(err, "inspection") || refused.Kind == fault.KindInternal {
		return err
	}
	return c.store.InTx(ctx, func(tx *store.Tx) error { return tx.RefusePublication(ctx, id, keep(refused)) })
}

func (c *Console) tryPublish(ctx context.Context, id string) error {
	return c.store.InTx(ctx, func(tx *store.Tx) error {
		row, err := tx.LockInspection(ctx, id)
		if err != nil || row.State != store.InspectionReady || row.Publication == nil || row.Fault != nil {
			return err
		}
		record, err := tx.InspectedRecord(ctx, id)
		if err != nil {
			return err
		}
		p := row.Publication
		by := store.Actor{Kind: store.ActorKind(p.ByKind), ID: p.ByID}
		v, err := publish(ctx, tx, by, UsePublishVersion, newVersion{
			file: file{
				SHA256: record.SHA256, Bytes: row.Bytes, Format: row.Content.Format, FileName: row.FileName,
				Editions: row.Content.Editions, Disk: row.Content.Disk,
			},
			image: p.Image, number: p.Version, commit: p.Commit, notes: p.Notes, channel: p.Channel, by: by,
		})
		if err != nil {
			return err
		}
		version, err := store.ParseID[store.VersionID](v.ID)
		if err != nil {
			return fmt.Errorf("read the ID of a new version: %w", err)
		}
		return tx.PublishInspection(ctx, id, version)
	})
}
