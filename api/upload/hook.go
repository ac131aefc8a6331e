package upload

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store/blob"
)

// note travels in a request's context, past tusd: who asks, and the error that
// tusd would turn into its own text.
type note struct {
	actor api.Actor
	err   error
	conn  *http.ResponseController
}

type noteKey struct{}

func noteOf(ctx context.Context) *note { return ctx.Value(noteKey{}).(*note) }

// keep remembers the first error and returns err.
func (n *note) keep(err error) error {
	n.err = cmp.Or(n.err, err)
	return err
}

// wait takes tusd's deadlines off the connection: they are meant for the bytes
// of a body. To move an image into the store may take long, and when a deadline
// passes meanwhile, net/http ends the request's context.
func (n *note) wait() {
	// A connection that knows no deadlines has none.
	_ = n.conn.SetReadDeadline(time.Time{})
	_ = n.conn.SetWriteDeadline(time.Time{})
}

// staging is blob.Staging that asks the console before an upload begins and
// keeps errors in the request's note.
type staging struct {
	*blob.Staging
	console Console
}

// NewUpload implements handler.DataStore. The console hears of an upload under
// the ID that Staging gave it; if it refuses, nothing is left.
func (s staging) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	n := noteOf(ctx)
	name := cleanFileName(info.MetaData[metaFileName])
	info.MetaData = handler.MetaData{metaFileName: name}
	u, err := s.Staging.NewUpload(ctx, info)
	if err != nil {
		return nil, n.keep(err)
	}
	if info, err = u.GetInfo(ctx); err == nil {
		_, err = s.console.UploadBegun(ctx, n.actor, api.UploadBegunInput{TusID: info.ID, FileName: name, Bytes: info.Size})
	}
	if err != nil {
		return nil, errors.Join(n.keep(err), s.Remove(info.ID))
	}
	return kept{u}, nil
}

// GetUpload implements handler.DataStore.
func (s staging) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	u, err := s.Staging.GetUpload(ctx, id)
	if err != nil {
		return nil, noteOf(ctx).keep(err)
	}
	return kept{u}, nil
}

// AsTerminatableUpload implements handler.TerminaterDataStore.
func (s staging) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	return s.Staging.AsTerminatableUpload(u.(kept).Upload)
}

// kept is an upload whose errors are kept in the request's note.
type kept struct{ handler.Upload }

// WriteChunk implements handler.Upload.
func (u kept) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	n, err := u.Upload.WriteChunk(ctx, offset, src)
	return n, noteOf(ctx).keep(err)
}

// finished is called after the last byte and before its answer.
func (h *Handler) finished(e handler.HookEvent) (handler.HTTPResponse, error) {
	n := noteOf(e.Context)
	n.wait()
	_, err := h.d.Console.UploadFinished(e.Context, n.actor, e.Upload.ID)
	return handler.HTTPResponse{}, n.keep(err)
}

// ended is called before an upload is removed.
func (h *Handler) ended(e handler.HookEvent) (handler.HTTPResponse, error) {
	n := noteOf(e.Context)
	return handler.HTTPResponse{}, n.keep(h.d.Console.UploadEnded(e.Context, n.actor, e.Upload.ID))
}

// lockPatience is how long a request waits for another one of its upload.
const lockPatience = 20 * time.Second

// settle checks that the actor may touch an upload, and answers (done) for one
// that has all its bytes, which tusd no longer knows. If the server died
// between the last byte and the inspection, the inspection is done now.
func (h *Handler) settle(w http.ResponseWriter, r *http.Request, a api.Actor, id string) (done bool, err error) {
	u, err := h.d.Console.GetUpload(r.Context(), a, id)
	if err != nil {
		return false, err
	}
	if u.TusID != id {
		return false, fault.New(fault.KindNotFound, CodeNotFound, "id", id)
	}
	if u.State == stateReceiving {
		if _, err := h.d.Staging.Finished(id); err != nil || r.Method == http.MethodDelete {
			return false, nil // tusd goes on with it, or does not know it
		}
		if u, err = h.finish(r.Context(), a, id); err != nil {
			return false, err
		}
	}
	w.Header().Set("Tus-Resumable", "1.0.0")
	w.Header().Set("Cache-Control", "no-store")
	size := strconv.FormatInt(u.Bytes, 10)
	switch r.Method {
	case http.MethodHead:
		w.Header().Set("Upload-Length", size)
		w.Header().Set("Upload-Offset", size)
		w.WriteHeader(http.StatusOK)
	case http.MethodPatch:
		if r.Header.Get("Upload-Offset") != size {
			return false, fault.New(fault.KindConflict, CodeOffset)
		}
		w.Header().Set("Upload-Offset", size)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodDelete:
		if err := h.d.Console.UploadEnded(r.Context(), a, id); err != nil {
			return false, err
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		return false, nil
	}
	return true, nil
}

// stateReceiving is api.Upload.State while bytes are missing or uninspected.
const stateReceiving = "receiving"

// finish finishes a whole upload, unless the PATCH that brought its last bytes
// is just doing so: the lock is the one that PATCH holds.
func (h *Handler) finish(ctx context.Context, a api.Actor, id string) (api.Upload, error) {
	lock, err := h.locks.NewLock(id)
	if err != nil {
		return api.Upload{}, err
	}
	wait, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	if err := lock.Lock(wait, func() {}); err != nil {
		return api.Upload{}, fault.Wrap(err, fault.KindConflict, CodeBusy)
	}
	defer func() { _ = lock.Unlock() }() // it is held, so that this cannot fail
	u, err := h.d.Console.GetUpload(ctx, a, id)
	if err != nil || u.State != stateReceiving {
		return u, err
	}
	return h.d.Console.UploadFinished(ctx, a, id)
}
