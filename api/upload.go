package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/imagefile"
	"github.com/stickpress/stickpress/store"
)

// Upload is a file on its way into the store.
type Upload struct {
	ID       string `json:"id"`
	TusID    string `json:"tus_id"` // the same: the last element of its tus URL
	FileName string `json:"file_name"`
	Bytes    int64  `json:"bytes"` // declared size
	State    string `json:"state"` // UploadReceiving, UploadInspecting, UploadReady
	// InspectedBytes is how much of the file has been looked at, while that
	// takes its time.
	InspectedBytes int64 `json:"inspected_bytes,omitempty"`
	// InspectRate is how fast that goes, and InspectLeftSeconds about how long it
	// takes; left out where the server that answers does not know.
	InspectRate        int64 `json:"inspect_rate,omitempty" doc:"Bytes per second lately. Left out where it is not known yet."`
	InspectLeftSeconds int64 `json:"inspect_left_seconds,omitempty" doc:"About how long the inspection still takes. Left out where it is not known yet."`

	SHA256   string    `json:"sha256,omitempty"`
	Format   string    `json:"format,omitempty"`
	Editions []Edition `json:"editions,omitempty"`
	Disk     *Disk     `json:"disk,omitempty"`
	// Who finished it, and when.
	FinishedBy string     `json:"finished_by,omitempty"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	// Publication is the version that was asked for before it was inspected; of
	// one upload alone.
	Publication *Publication `json:"publication,omitempty"`
}

// Publication is a version that is made of an upload as soon as that is found
// to be good.
type Publication struct {
	Image     string            `json:"image"`
	Version   string            `json:"version"`
	Commit    string            `json:"commit"`
	Notes     string            `json:"notes"`
	Channel   string            `json:"channel"`
	VersionID string            `json:"version_id,omitempty" doc:"Once it is published."`
	Fault     *PublicationFault `json:"fault,omitempty" doc:"Why it was not published; it may be asked for in another way."`
}

// PublicationFault says why a version was not made.
type PublicationFault struct {
	Code   string            `json:"code"`
	Params map[string]string `json:"params,omitempty"`
}

// The states of an upload.
const (
	UploadReceiving  = "receiving"  // bytes are missing, or not inspected yet
	UploadInspecting = "inspecting" // whole, and looked into in the background
	UploadReady      = "ready"      // inspected and in the store: it may be published
)

// UploadBegunInput is what the tus door knows when an upload is created.
type UploadBegunInput struct {
	TusID    string
	FileName string
	Bytes    int64
}

// UploadBegun allows an upload (admin); the tus door calls it before it takes
// the first byte. Faults: upload_empty, upload_too_large, forbidden.
func (c *Console) UploadBegun(ctx context.Context, a Actor, in UploadBegunInput) (Upload, error) {
	if err := allow(a, UseUpload); err != nil {
		return Upload{}, err
	}
	limit, err := c.uploadLimit(ctx)
	switch {
	case err != nil:
		return Upload{}, err
	case in.Bytes <= 0:
		return Upload{}, fault.New(fault.KindInvalid, CodeUploadEmpty)
	case in.Bytes > limit:
		return Upload{}, fault.New(fault.KindTooLarge, CodeUploadTooLarge, "limit_bytes", limit)
	}
	return Upload{ID: in.TusID, TusID: in.TusID, FileName: in.FileName, Bytes: in.Bytes, State: UploadReceiving}, nil
}

// UploadFinished takes a complete file (admin): it is inspected, and either
// adopted into the content-addressed store or refused with the reason and
// removed without a trace. One of which much must be unpacked for that is inspected in
// the background: it is returned as UploadInspecting, and GetUpload says later
// what came of it. The answer is remembered for a day, so it may be repeated.
// Faults: upload_not_found, upload_incomplete, and those of imagefile.Inspect.
func (c *Console) UploadFinished(ctx context.Context, a Actor, tusID string) (Upload, error) {
	if err := allow(a, UseUpload); err != nil {
		return Upload{}, err
	}
	if known, err := c.knownUpload(ctx, tusID); err == nil || !errors.Is(err, errNoUpload) {
		return known, err
	}
	whole, err := c.staging.Finished(tusID)
	if err != nil {
		return Upload{}, err
	}
	name := whole.MetaData["filename"]
	slow, err := imagefile.Slow(whole.Path)
	if err != nil {
		return Upload{}, c.refuseStaged(ctx, a, tusID, err)
	}
	if slow {
		if err := c.beginInspection(ctx, a, tusID, name, whole.Record.Bytes); err != nil {
			return Upload{}, err
		}
		return c.knownUpload(ctx, tusID)
	}
	inside, err := inspect(ctx, whole.Path, nil)
	if err != nil {
		return Upload{}, c.refuseStaged(ctx, a, tusID, err)
	}
	out := Upload{
		ID: tusID, TusID: tusID, FileName: name, Bytes: whole.Record.Bytes, State: UploadReady,
		SHA256: whole.Record.SHA256, Format: inside.Format, Editions: inside.Editions, Disk: inside.Disk, FinishedBy: a.Name,
	}
	if err := c.blobs.Adopt(ctx, whole.Path, whole.Record); err != nil {
		return Upload{}, err
	}
	err = c.change(ctx, a, UseUpload, func(tx *store.Tx, by store.Actor) error {
		at := tx.At()
		out.FinishedAt = &at
		return keepUpload(ctx, tx, by, &out, whole.Record)
	})
	if err != nil {
		return Upload{}, err
	}
	c.forgetStaged(ctx, tusID)
	return out, nil
}

// refuseStaged removes an upload that was refused, and returns the reason. One
// that was not looked at to the end, or cannot be now, stays: it can be looked at
// again.
func (c *Console) refuseStaged(ctx context.Context, a Actor, tusID string, reason error) error {
	var refused *fault.Error
	if !errors.As(reason, &refused) || refused.Kind == fault.KindUnavailable {
		return reason
	}
	c.log.InfoContext(ctx, "upload refused", "upload_id", tusID, "actor", a.Name, "error", reason)
	return errors.Join(reason, c.staging.Remove(tusID))
}

// keepUpload remembers a file that was adopted.
func keepUpload(ctx context.Context, tx *store.Tx, by store.Actor, u *Upload, record protocol.BlobRecord) error {
	if err := tx.PutBlobRecord(ctx, record); err != nil {
		return err
	}
	if err := tx.KeepUploadOutcome(ctx, u.ID, u); err != nil {
		return err
	}
	return tx.Audit(ctx, store.NewAudit{
		By: by, Action: string(UseUpload), ObjectKind: "blob", ObjectID: u.SHA256,
		After: map[string]any{"file_name": u.FileName, "bytes": u.Bytes, "format": u.Format},
	})
}

// forgetStaged removes what is left of an upload whose bytes are in the store.
func (c *Console) forgetStaged(ctx context.Context, tusID string) {
	if err := c.staging.Remove(tusID); err != nil {
		c.log.WarnContext(ctx, "rest of an upload not removed", "upload_id", tusID, "error", err)
	}
}

// UploadEnded hears that the sender of an upload gave it up (admin); the door
// removes the bytes of one that is not whole.
func (c *Console) UploadEnded(ctx context.Context, a Actor, tusID string) error {
	err := c.change(ctx, a, UseUpload, func(tx *store.Tx, _ store.Actor) error {
		row, err := tx.LockInspection(ctx, tusID)
		if err != nil || row.State != store.InspectionRunning {
			return err
		}
		return errors.Join(tx.DropInspection(ctx, tusID), c.staging.Remove(tusID))
	})
	if err != nil && !isNotFound(err, "inspection") {
		return err
	}
	c.log.InfoContext(ctx, "upload given up", "upload_id", tusID, "actor", a.Name)
	return nil
}

// GetUpload returns an upload by its ID (admin), and what is to be published of
// it; one that is ready is known for a day. Faults: upload_not_found, and why
// one that was inspected in the background was refused.
func (c *Console) GetUpload(ctx context.Context, a Actor, ref string) (Upload, error) {
	if err := allow(a, UseUpload); err != nil {
		return Upload{}, err
	}
	known, err := c.knownUpload(ctx, ref)
	if err == nil {
		known.Publication, err = c.publicationOf(ctx, ref)
	}
	if !errors.Is(err, errNoUpload) {
		return known, err
	}
	u, err := c.staging.GetUpload(ctx, ref)
	if errors.Is(err, handler.ErrNotFound) {
		return Upload{}, fault.Wrap(err, fault.KindNotFound, errNoUpload.Code, "id", ref)
	}
	if err != nil {
		return Upload{}, err
	}
	info, err := u.GetInfo(ctx)
	return Upload{ID: ref, TusID: ref, FileName: info.MetaData["filename"], Bytes: info.Size, State: UploadReceiving}, err
}

// publicationOf is what was asked for of an upload that takes its time to be
// inspected; nil where nothing was. It fails with why the upload was refused,
// which may have happened a moment ago.
func (c *Console) publicationOf(ctx context.Context, id string) (*Publication, error) {
	row, err := c.store.Inspection(ctx, id)
	p := row.Publication
	switch {
	case err == nil && row.State == store.InspectionRefused:
		return nil, kept(row.Fault)
	case isNotFound(err, "inspection"), err == nil && p == nil:
		return nil, nil //nolint:nilnil // nothing was asked for
	case err != nil:
		return nil, err
	}
	out := &Publication{Image: p.Image, Version: p.Version, Commit: p.Commit, Notes: p.Notes, Channel: p.Channel, VersionID: row.VersionID.String()}
	if row.Fault != nil {
		out.Fault = &PublicationFault{Code: row.Fault.Code, Params: row.Fault.Params}
	}
	return out, nil
}

var errNoUpload = fault.New(fault.KindNotFound, "upload_not_found")

// knownUpload returns an upload that is whole: a finished one, or one that is
// looked into. It fails with errNoUpload, or with why it was refused.
func (c *Console) knownUpload(ctx context.Context, id string) (Upload, error) {
	known, err := c.recallUpload(ctx, id)
	if !errors.Is(err, errNoUpload) {
		return known, err
	}
	row, err := c.store.Inspection(ctx, id)
	switch {
	case isNotFound(err, "inspection"):
		return Upload{}, errNoUpload
	case err != nil:
		return Upload{}, err
	case row.State == store.InspectionRefused:
		return Upload{}, kept(row.Fault)
	case row.State == store.InspectionRunning:
		u := uploadOf(&row, protocol.BlobRecord{})
		u.pace(c.inspected.note(id, row.DoneBytes, row.UpdatedAt))
		return u, nil
	}
	record, err := c.store.InspectedRecord(ctx, id)
	return uploadOf(&row, record), err
}

// recallUpload returns a finished upload, or errNoUpload.
func (c *Console) recallUpload(ctx context.Context, id string) (Upload, error) {
	var out Upload
	err := c.store.UploadOutcome(ctx, id, &out)
	return out, err
}

// file is what a version is made of.
type file struct {
	SHA256   string
	Bytes    int64
	Format   string
	FileName string
	Editions []Edition
	Disk     *Disk
}

// fileOf finds the file that is to be published: a finished upload, or bytes
// that the store has under a digest.
func (c *Console) fileOf(ctx context.Context, a Actor, in PublishVersionInput) (file, error) {
	if in.UploadID != "" {
		u, err := c.UploadFinished(ctx, a, in.UploadID)
		if err == nil && u.State == UploadInspecting {
			err = fault.New(fault.KindConflict, CodeUploadInspecting, "done_bytes", u.InspectedBytes, "total_bytes", u.Bytes)
		}
		return file{SHA256: u.SHA256, Bytes: u.Bytes, Format: u.Format, FileName: u.FileName, Editions: u.Editions, Disk: u.Disk}, err
	}
	record, err := c.store.BlobRecord(ctx, in.SHA256)
	if err != nil {
		return file{}, err
	}
	out := file{SHA256: in.SHA256, Bytes: record.Bytes}
	known, err := c.store.ContentOf(ctx, in.SHA256)
	if err == nil {
		out.Format, out.Editions, out.Disk = known.Format, known.Editions, known.Disk
		out.FileName = in.SHA256[:12] + "." + known.Format
		return out, nil
	}
	if !isNotFound(err, "content") {
		return file{}, err
	}
	err = c.localBlob(ctx, in.SHA256, func(path string) error {
		info, err := imagefile.Look(ctx, path) // it was inspected before it came into the store
		inside := contentOf(&info)
		out.Format, out.Editions, out.Disk = inside.Format, inside.Editions, inside.Disk
		out.FileName = in.SHA256[:12] + "." + inside.Format
		return err
	})
	return out, err
}

// inspect says what is in an image file: its format, editions and disk.
func inspect(ctx context.Context, path string, progress func(done int64)) (file, error) {
	info, err := imagefile.Inspect(ctx, path, progress)
	if err != nil {
		return file{}, err
	}
	return contentOf(&info), nil
}

// contentOf is what was found in an image file.
func contentOf(info *imagefile.Info) file {
	out := file{Format: info.Format, Editions: make([]Edition, 0, len(info.Editions))}
	for _, e := range info.Editions {
		out.Editions = append(out.Editions, Edition(e))
	}
	if info.Disk != nil {
		d := Disk(*info.Disk)
		out.Disk = &d
	}
	return out
}

// localBlob hands the path of a blob's bytes to do: a local one is read where
// it lies, any other one is copied first.
func (c *Console) localBlob(ctx context.Context, digest string, do func(path string) error) error {
	r, err := c.blobs.Open(ctx, digest)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if local, ok := r.(interface{ Name() string }); ok {
		return do(local.Name())
	}
	tmp, err := os.CreateTemp("", "stickpress-inspect-")
	if err != nil {
		return fmt.Errorf("make a copy to inspect: %w", err)
	}
	defer func() {
		_ = tmp.Close()
		_ = os.Remove(tmp.Name())
	}()
	if _, err := io.Copy(tmp, r); err != nil {
		return fmt.Errorf("copy an image to inspect it: %w", err)
	}
	return do(tmp.Name())
}
