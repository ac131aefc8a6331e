package hub

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// blob takes GET protocol.PathBlob: the bytes of an image, any range of them,
// for the host that holds a ticket for it.
func (h *Hub) blob(w http.ResponseWriter, r *http.Request) error {
	digest := chi.URLParam(r, "sha256")
	b, err := h.deps.Console.HostBlob(r.Context(), bearer(r), digest)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	// A download takes as long as it takes, whatever the server's limits for
	// other requests are.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+digest+`"`)
	w.Header().Set("Cache-Control", "private, no-transform")
	http.ServeContent(w, r, "", time.Time{}, b)
	return nil
}

// blocks takes GET protocol.PathBlocks: the hashes to check the bytes with.
func (h *Hub) blocks(w http.ResponseWriter, r *http.Request) error {
	record, err := h.deps.Console.HostBlobRecord(r.Context(), bearer(r), chi.URLParam(r, "sha256"))
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, record)
}

// bearer returns the request's bearer token, or "".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
