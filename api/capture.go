package api

import (
	"context"
	"io"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/blob"
)

// metaJob says in staging which job an upload belongs to.
const metaJob = "job"

// HostUpload begins the upload of a capture's image for the host that holds a
// ticket for its job. A job has one upload: what it began before is given up, so
// that a host that begins again and again fills no disk. Faults: ticket_invalid, host_revoked, capture_over,
// upload_empty, upload_too_large, blob_disk_full.
func (c *Console) HostUpload(ctx context.Context, ticket string, in protocol.UploadRequest) (protocol.Upload, error) {
	job, _, err := c.capturing(ctx, ticket)
	if err != nil {
		return protocol.Upload{}, err
	}
	limit, err := c.uploadLimit(ctx)
	switch {
	case err != nil:
		return protocol.Upload{}, err
	case in.Bytes <= 0:
		return protocol.Upload{}, fault.New(fault.KindInvalid, CodeUploadEmpty)
	case in.Bytes > limit:
		return protocol.Upload{}, fault.New(fault.KindTooLarge, CodeUploadTooLarge, "limit_bytes", limit)
	}
	if err := c.staging.RemoveOf(metaJob, job.ID.String()); err != nil {
		return protocol.Upload{}, err
	}
	o := job.Options.Capture
	p, err := c.staging.Begin(ctx, in.Bytes, map[string]string{metaJob: job.ID.String(), "filename": o.Image + "-" + o.Version + ".wim"})
	return protocol.Upload{ID: p.ID, Offset: p.Offset}, err
}

// HostUploadAt says how far an upload is. Faults: ticket_invalid,
// host_revoked, capture_over, upload_not_found.
func (c *Console) HostUploadAt(ctx context.Context, ticket, id string) (protocol.Upload, error) {
	p, err := c.hostUpload(ctx, ticket, id)
	return protocol.Upload{ID: p.ID, Offset: p.Offset}, err
}

// HostUploadPiece takes bytes from offset on. Faults: those of HostUploadAt,
// upload_offset_mismatch, upload_busy, blob_disk_full.
func (c *Console) HostUploadPiece(ctx context.Context, ticket, id string, offset int64, src io.Reader) (protocol.Upload, error) {
	if _, err := c.hostUpload(ctx, ticket, id); err != nil {
		return protocol.Upload{}, err
	}
	p, err := c.staging.Append(ctx, id, offset, src)
	return protocol.Upload{ID: p.ID, Offset: p.Offset}, err
}

// HostPublish makes of a whole upload the version that its job asked for. It
// may be repeated: a job has one version. Faults: those of HostUploadAt,
// upload_incomplete, upload_digest, version_exists and those of
// imagefile.Inspect.
func (c *Console) HostPublish(ctx context.Context, ticket, id string, in protocol.PublishRequest) (protocol.Published, error) {
	job, host, err := c.capturing(ctx, ticket)
	if err != nil {
		return protocol.Published{}, err
	}
	known, err := c.store.VersionOfJob(ctx, job.ID)
	if err == nil || !isNotFound(err, "image_version") {
		return protocol.Published{VersionID: known.ID.String()}, err
	}
	b, err := c.brought(ctx, ticket, &job, id, in.SHA256)
	if err != nil {
		return protocol.Published{}, err
	}
	v, err := c.publishCapture(ctx, host, job, b.File, b.Record)
	if err != nil {
		return protocol.Published{}, err
	}
	if err := c.staging.Remove(id); err != nil {
		c.log.WarnContext(ctx, "rest of an upload not removed", "upload_id", id, "error", err)
	}
	return protocol.Published{VersionID: v.ID}, nil
}

// publishCapture publishes in the name of the person who queued the job; the
// audit log says which host brought the file.
func (c *Console) publishCapture(ctx context.Context, host store.Host, job store.Job, f file, record protocol.BlobRecord) (Version, error) {
	o := job.Options.Capture
	a := Actor{Kind: ActorHost, HostID: host.ID.String(), Name: host.Name}
	var out Version
	err := c.change(ctx, a, UsePublishCapture, func(tx *store.Tx, by store.Actor) error {
		now, err := tx.Job(ctx, job.ID)
		if err != nil {
			return err
		}
		if err := underWay(&now); err != nil {
			return err
		}
		if err := tx.PutBlobRecord(ctx, record); err != nil {
			return err
		}
		out, err = publish(ctx, tx, by, UsePublishCapture, newVersion{
			file: f, image: o.Image, number: o.Version, notes: o.Notes, channel: o.Channel, job: job.ID,
			by: store.Actor{Kind: job.CreatedByKind, ID: job.CreatedByID},
		})
		return err
	})
	return out, err
}

// capturing finds the job that a ticket is for, which must be under way.
func (c *Console) capturing(ctx context.Context, ticket string) (store.Job, store.Host, error) {
	claims, err := c.readTicket(ctx, ticket)
	if err != nil {
		return store.Job{}, store.Host{}, err
	}
	id, err := store.ParseID[store.JobID](claims.Job)
	if err != nil {
		return store.Job{}, store.Host{}, fault.New(fault.KindUnauthenticated, CodeTicketInvalid)
	}
	host, err := c.ticketHost(ctx, claims)
	if err != nil {
		return store.Job{}, store.Host{}, err
	}
	job, err := c.store.Job(ctx, id)
	if err == nil && (job.HostID != host.ID || job.Kind != protocol.JobCapture || job.Options.Capture == nil) {
		err = store.NotFound("job", claims.Job)
	}
	if err == nil {
		err = underWay(&job)
	}
	return job, host, err
}

// underWay refuses what a host does for a job that is over or is to stop.
func underWay(j *store.Job) error {
	if j.State != store.JobRunning || j.CancelRequestedAt != nil {
		return fault.New(fault.KindConflict, CodeCaptureOver, "state", j.State)
	}
	return nil
}

// hostUpload finds an upload that belongs to the ticket's job.
func (c *Console) hostUpload(ctx context.Context, ticket, id string) (blob.Progress, error) {
	job, _, err := c.capturing(ctx, ticket)
	if err != nil {
		return blob.Progress{}, err
	}
	p, err := c.staging.At(id)
	if err == nil && p.MetaData[metaJob] != job.ID.String() {
		err = fault.New(fault.KindNotFound, errNoUpload.Code, "id", id)
	}
	return p, err
}
