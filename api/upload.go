package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/imagefile"
	"github.com/stickpress/stickpress/store"
)

// Upload is a file on its way into the store.
type Upload struct {
	ID       string    `json:"id"`
	TusID    string    `json:"tus_id"` // the same: the last element of its tus URL
	FileName string    `json:"file_name"`
	Bytes    int64     `json:"bytes"` // declared size
	State    string    `json:"state"` // UploadReceiving, UploadReady
	SHA256   string    `json:"sha256,omitempty"`
	Format   string    `json:"format,omitempty"`
	Editions []Edition `json:"editions,omitempty"`
	Disk     *Disk     `json:"disk,omitempty"`
	// Who finished it, and when.
	FinishedBy string     `json:"finished_by,omitempty"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

// The states of an upload.
const (
	UploadReceiving = "receiving" // bytes are missing, or not inspected yet
	UploadReady     = "ready"     // inspected and in the store: it may be published
)

// UploadBegunInput is what the tus door knows when an upload is created.
type UploadBegunInput struct {
	TusID    string
	FileName string
	Bytes    int64
}

// UploadBegun allows an upload (admin); the tus door calls it before it takes
// the first byte. Faults: upload_empty, upload_too_large, forbidden.
func (c *Console) UploadBegun(_ context.Context, a Actor, in UploadBegunInput) (Upload, error) {
	if err := allow(a, UseUpload); err != nil {
		return Upload{}, err
	}
	switch {
	case in.Bytes <= 0:
		return Upload{}, fault.New(fault.KindInvalid, CodeUploadEmpty)
	case in.Bytes > c.maxUpload:
		return Upload{}, fault.New(fault.KindTooLarge, CodeUploadTooLarge, "limit_bytes", c.maxUpload)
	}
	return Upload{ID: in.TusID, TusID: in.TusID, FileName: in.FileName, Bytes: in.Bytes, State: UploadReceiving}, nil
}

// UploadFinished takes a complete file (admin): it is inspected, and either
// adopted into the content-addressed store or refused with the reason and
// removed without a trace. The answer is remembered for a day, so it may be
// repeated. Faults: upload_not_found, upload_incomplete, and those of
// imagefile.Inspect.
func (c *Console) UploadFinished(ctx context.Context, a Actor, tusID string) (Upload, error) {
	if err := allow(a, UseUpload); err != nil {
		return Upload{}, err
	}
	if known, err := c.recallUpload(ctx, tusID); err == nil {
		return known, nil
	} else if !errors.Is(err, errNoUpload) {
		return Upload{}, err
	}
	whole, err := c.staging.Finished(tusID)
	if err != nil {
		return Upload{}, err
	}
	inside, err := inspect(ctx, whole.Path)
	if err != nil {
		var refused *fault.Error
		if !errors.As(err, &refused) { // it was not looked at to the end, and can be again
			return Upload{}, err
		}
		c.log.InfoContext(ctx, "upload refused", "upload_id", tusID, "actor", a.Name, "error", err)
		return Upload{}, errors.Join(err, c.staging.Remove(tusID))
	}
	out := Upload{
		ID: tusID, TusID: tusID, FileName: whole.MetaData["filename"], Bytes: whole.Record.Bytes, State: UploadReady,
		SHA256: whole.Record.SHA256, Format: inside.Format, Editions: inside.Editions, Disk: inside.Disk, FinishedBy: a.Name,
	}
	if err := c.blobs.Adopt(ctx, whole.Path, whole.Record); err != nil {
		return Upload{}, err
	}
	err = c.change(ctx, a, UseUpload, func(tx *store.Tx, by store.Actor) error {
		at := tx.At()
		out.FinishedAt = &at
		if err := tx.PutBlobRecord(ctx, whole.Record); err != nil {
			return err
		}
		if err := rememberUpload(ctx, tx, &out); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseUpload), ObjectKind: "blob", ObjectID: out.SHA256,
			After: map[string]any{"file_name": out.FileName, "bytes": out.Bytes, "format": out.Format},
		})
	})
	if err != nil {
		return Upload{}, err
	}
	if err := c.staging.Remove(tusID); err != nil {
		c.log.WarnContext(ctx, "rest of an upload not removed", "upload_id", tusID, "error", err)
	}
	return out, nil
}

// UploadEnded hears that the sender of an upload gave it up (admin); the door
// removes the bytes.
func (c *Console) UploadEnded(ctx context.Context, a Actor, tusID string) error {
	if err := allow(a, UseUpload); err != nil {
		return err
	}
	c.log.InfoContext(ctx, "upload given up", "upload_id", tusID, "actor", a.Name)
	return nil
}

// GetUpload returns an upload by its ID (admin); one that is ready is known
// for a day. Faults: upload_not_found.
func (c *Console) GetUpload(ctx context.Context, a Actor, ref string) (Upload, error) {
	if err := allow(a, UseUpload); err != nil {
		return Upload{}, err
	}
	known, err := c.recallUpload(ctx, ref)
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

var errNoUpload = fault.New(fault.KindNotFound, "upload_not_found")

// uploadScope keeps the answers to finished uploads apart from those to other
// requests: a client that missed the answer asks again.
const uploadScope = "upload"

func uploadFingerprint(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}

func rememberUpload(ctx context.Context, tx *store.Tx, u *Upload) error {
	if _, _, err := tx.BeginIdempotent(ctx, uploadScope, u.ID, uploadFingerprint(u.ID)); err != nil {
		return err
	}
	raw, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("encode upload %s: %w", u.ID, err)
	}
	return tx.EndIdempotent(ctx, uploadScope, u.ID, store.Idempotent{Body: raw})
}

// recallUpload returns a finished upload, or errNoUpload.
func (c *Console) recallUpload(ctx context.Context, id string) (Upload, error) {
	var out Upload
	err := c.store.InTx(ctx, func(tx *store.Tx) error {
		answer, known, err := tx.BeginIdempotent(ctx, uploadScope, id, uploadFingerprint(id))
		if err != nil {
			return err
		}
		if !known || len(answer.Body) == 0 {
			return errNoUpload // rolls the claim back
		}
		return json.Unmarshal(answer.Body, &out)
	})
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
		return file{SHA256: u.SHA256, Bytes: u.Bytes, Format: u.Format, FileName: u.FileName, Editions: u.Editions, Disk: u.Disk}, err
	}
	record, err := c.store.BlobRecord(ctx, in.SHA256)
	if err != nil {
		return file{}, err
	}
	out := file{SHA256: in.SHA256, Bytes: record.Bytes}
	err = c.localBlob(ctx, in.SHA256, func(path string) error {
		inside, err := inspect(ctx, path)
		out.Format, out.Editions, out.Disk = inside.Format, inside.Editions, inside.Disk
		out.FileName = in.SHA256[:12] + "." + inside.Format
		return err
	})
	return out, err
}

// inspect says what is in an image file: its format, editions and disk.
func inspect(ctx context.Context, path string) (file, error) {
	info, err := imagefile.Inspect(ctx, path)
	if err != nil {
		return file{}, err
	}
	out := file{Format: info.Format, Editions: make([]Edition, 0, len(info.Editions))}
	for _, e := range info.Editions {
		out.Editions = append(out.Editions, Edition(e))
	}
	if info.Disk != nil {
		d := Disk(*info.Disk)
		out.Disk = &d
	}
	return out, nil
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
