package blob

import (
	"context"
	"errors"
	"io"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/stickpress/stickpress/api/fault"
)

// Progress is how far an upload in Staging is.
type Progress struct {
	ID       string
	Offset   int64 // bytes that are here
	Size     int64 // bytes of the whole
	MetaData map[string]string
}

// Begin makes an upload of a file of size bytes, for a sender that does not
// speak tus. blob_disk_full if it cannot fit.
func (s *Staging) Begin(ctx context.Context, size int64, meta map[string]string) (Progress, error) {
	u, err := s.NewUpload(ctx, handler.FileInfo{Size: size, MetaData: meta})
	if err != nil {
		return Progress{}, err
	}
	return progressOf(u.(*upload)), nil
}

// At returns how far an upload is. upload_not_found if there is none.
func (s *Staging) At(id string) (Progress, error) {
	u, err := s.load(id)
	if err != nil {
		return Progress{}, err
	}
	return progressOf(u), nil
}

// Append takes the bytes from offset on, as many as src gives and the upload
// lacks. What it returns is durable, also beside an error: upload_not_found,
// upload_offset_mismatch when offset is not where the upload is, upload_busy
// while somebody else writes to it, blob_disk_full, or an error of src.
func (s *Staging) Append(ctx context.Context, id string, offset int64, src io.Reader) (Progress, error) {
	u, err := s.load(id)
	if err != nil {
		return Progress{}, err
	}
	if offset != u.state.Info.Offset {
		return progressOf(u), fault.New(fault.KindConflict, "upload_offset_mismatch")
	}
	_, err = u.WriteChunk(ctx, offset, io.LimitReader(src, u.state.Info.Size-offset))
	if errors.Is(err, handler.ErrFileLocked) {
		err = fault.Wrap(err, fault.KindUnavailable, "upload_busy")
	}
	return progressOf(u), err
}

func progressOf(u *upload) Progress {
	return Progress{ID: u.id, Offset: u.state.Info.Offset, Size: u.state.Info.Size, MetaData: u.state.Info.MetaData}
}
