package api

import (
	"context"
	"errors"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/imagefile"
	"github.com/stickpress/stickpress/store"
)

// brought is a capture's whole image in the blob store. It is remembered before
// it leaves staging: whoever asks to publish it again, because the database was
// away in between, say, need not bring it again.
type brought struct {
	File   file
	Record protocol.BlobRecord
}

// broughtKey is where a capture's outcome is kept: a host may ask for those of its
// own job alone.
func broughtKey(job *store.Job, id string) string { return job.ID.String() + " " + id }

// brought inspects a job's whole upload and moves it into the blob store, or
// finds it there. What is not what was sent, or no image, is removed.
func (c *Console) brought(ctx context.Context, ticket string, job *store.Job, id, digest string) (brought, error) {
	known, err := c.recallBrought(ctx, job, id)
	if err == nil && known.Record.SHA256 == digest {
		return known, nil
	}
	if err != nil && !errors.Is(err, errNoUpload) {
		return brought{}, err
	}
	if _, err := c.hostUpload(ctx, ticket, id); err != nil {
		return brought{}, err
	}
	whole, err := c.staging.Finished(id)
	if err != nil {
		return brought{}, err
	}
	if whole.Record.SHA256 != digest {
		return brought{}, errors.Join(
			fault.New(fault.KindInvalid, CodeUploadDigest, "want", digest, "have", whole.Record.SHA256), c.staging.Remove(id))
	}
	// wimlib or DISM has just made it, and its digest is the host's: what is packed
	// in it is not unpacked again while the host waits for the answer.
	info, err := imagefile.Look(ctx, whole.Path)
	if err != nil {
		var refused *fault.Error
		if errors.As(err, &refused) { // else it was not looked at to the end, and can be again
			err = errors.Join(err, c.staging.Remove(id))
		}
		return brought{}, err
	}
	f := contentOf(&info)
	f.SHA256, f.Bytes, f.FileName = whole.Record.SHA256, whole.Record.Bytes, whole.MetaData["filename"]
	b := brought{f, whole.Record}
	err = c.store.InTx(ctx, func(tx *store.Tx) error { return tx.KeepUploadOutcome(ctx, broughtKey(job, id), b) })
	if err != nil {
		return brought{}, err
	}
	return b, c.blobs.Adopt(ctx, whole.Path, whole.Record)
}

// recallBrought fails with upload_not_found where the blob store does not have
// the image yet.
func (c *Console) recallBrought(ctx context.Context, job *store.Job, id string) (brought, error) {
	var out brought
	if err := c.store.UploadOutcome(ctx, broughtKey(job, id), &out); err != nil {
		return brought{}, err
	}
	r, err := c.blobs.Open(ctx, out.Record.SHA256)
	if isNotFound(err, "blob") {
		return brought{}, errNoUpload
	}
	if err != nil {
		return brought{}, err
	}
	return out, r.Close()
}
