package hub

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// pieceStall is how long a host may send nothing in the middle of a piece.
const pieceStall = time.Minute

// upload takes POST protocol.PathUpload: a host begins to bring a file.
func (h *Hub) upload(w http.ResponseWriter, r *http.Request) error {
	var in protocol.UploadRequest
	if err := decode(w, r, &in); err != nil {
		return err
	}
	up, err := h.deps.Console.HostUpload(r.Context(), bearer(r), in)
	if err != nil {
		return err
	}
	return respond(w, http.StatusCreated, up)
}

// uploadAt takes GET protocol.PathUpload/<id>: how far the upload is.
func (h *Hub) uploadAt(w http.ResponseWriter, r *http.Request) error {
	up, err := h.deps.Console.HostUploadAt(r.Context(), bearer(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, up)
}

// uploadPiece takes PATCH protocol.PathUpload/<id>: the next bytes. A
// connection that breaks loses none of those that came.
func (h *Hub) uploadPiece(w http.ResponseWriter, r *http.Request) error {
	offset, err := strconv.ParseInt(r.Header.Get(protocol.HeaderOffset), 10, 64)
	if err != nil || offset < 0 {
		return fault.Wrap(err, fault.KindInvalid, "body_malformed")
	}
	c := http.NewResponseController(w)
	// A piece takes as long as it takes, as long as it moves.
	_ = c.SetWriteDeadline(time.Time{})
	// The ticket is looked at for each piece, so none goes on for ever.
	body := &piece{Reader: io.LimitReader(r.Body, protocol.MaxPiece), c: c}
	up, err := h.deps.Console.HostUploadPiece(r.Context(), bearer(r), chi.URLParam(r, "id"), offset, body)
	_ = c.SetReadDeadline(time.Time{})
	if body.broken {
		return fault.Wrap(err, fault.KindUnavailable, "upload_interrupted")
	}
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, up)
}

// publish takes POST protocol.PathUpload/<id>/publish.
func (h *Hub) publish(w http.ResponseWriter, r *http.Request) error {
	var in protocol.PublishRequest
	if err := decode(w, r, &in); err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a store may copy the file
	out, err := h.deps.Console.HostPublish(r.Context(), bearer(r), chi.URLParam(r, "id"), in)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, out)
}

func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEnrollBody)).Decode(into); err != nil {
		return fault.Wrap(err, fault.KindInvalid, "body_malformed")
	}
	return nil
}

// piece gives the host its time anew with each read.
type piece struct {
	io.Reader
	c      *http.ResponseController
	broken bool // the host went away in the middle
}

// Read implements io.Reader.
func (p *piece) Read(b []byte) (int, error) {
	_ = p.c.SetReadDeadline(time.Now().Add(pieceStall)) // a server of a test may know no deadlines
	n, err := p.Reader.Read(b)
	p.broken = p.broken || err != nil && !errors.Is(err, io.EOF)
	return n, err
}
