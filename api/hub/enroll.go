package hub

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
)

// enroll takes POST protocol.PathEnroll.
func (h *Hub) enroll(w http.ResponseWriter, r *http.Request) error {
	c := http.NewResponseController(w)
	// A server that knows no deadlines is one of a test.
	_ = c.SetReadDeadline(time.Now().Add(handshakeTime))
	var in protocol.EnrollRequest
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEnrollBody)).Decode(&in)
	_ = c.SetReadDeadline(time.Time{})
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return fault.New(fault.KindTooLarge, "body_too_large", "limit_bytes", maxEnrollBody)
		}
		return fault.Wrap(err, fault.KindInvalid, "body_malformed")
	}
	out, err := h.deps.Console.EnrollHost(r.Context(), api.Anonymous("", "req_"+uuid.NewString(), peer(r)), in)
	if err != nil {
		return err
	}
	return respond(w, http.StatusCreated, out)
}

// handle wraps a handler: its error becomes a status and a protocol.Reject.
func (h *Hub) handle(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := serve(w, r)
		if err == nil {
			return
		}
		f := fault.From(err)
		if f.Kind == fault.KindInternal {
			h.log.Error("request failed", "path", r.URL.Path, "address", r.RemoteAddr, "error", err)
			f = fault.New(fault.KindInternal, fault.Internal)
		}
		if f.Kind == fault.KindUnauthenticated {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		body := &protocol.Reject{Fault: &protocol.Fault{Code: string(f.Code), Params: f.Params}}
		if err := respond(w, f.Kind.Status(), body); err != nil {
			h.log.Debug("refusal not sent", "error", err)
		}
	}
}

func respond(w http.ResponseWriter, code int, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(raw) // the agent is gone if this fails
	return nil
}
