// Package upload takes image files over HTTP: the resumable way (tus 1.0.0)
// for browsers and programs, and a plain stream for forms without JavaScript.
//
// Two doors use it, web with sessions and api/rest with tokens, so it leaves
// to them who is asking (Deps.Actor) and how a refusal looks (Deps.Render).
// The bytes go into blob.Staging, which hashes them as they come and
// remembers how far it got; what an upload means is decided by the console:
//
//	POST    Console.UploadBegun     may this actor, is there a limit
//	PATCH   bytes; after the last one Console.UploadFinished, whose refusal
//	        (not an image, cut short) is the answer to that last PATCH; what
//	        must be decoded to be judged is inspected after it
//	HEAD    how many bytes the server has; finishes what a crash interrupted
//	DELETE  Console.UploadEnded
//
// Extensions: creation, creation-with-upload and termination. What is
// abandoned expires by Staging.Expire.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store/blob"
)

// The codes of this package's faults.
const (
	CodeRequestInvalid fault.Code = "upload_request_invalid" // detail: tus's own words
	CodeProtocol       fault.Code = "upload_protocol"        //
	CodeOffset         fault.Code = "upload_offset_mismatch" //
	CodeBusy           fault.Code = "upload_busy"            //
	CodeSizeExceeded   fault.Code = "upload_size_exceeded"   //
	CodeInterrupted    fault.Code = "upload_interrupted"     //
	CodeNotFound       fault.Code = "upload_not_found"       // id
)

// Console is the part of *api.Console that an upload needs.
type Console interface {
	UploadBegun(ctx context.Context, a api.Actor, in api.UploadBegunInput) (api.Upload, error)
	UploadFinished(ctx context.Context, a api.Actor, tusID string) (api.Upload, error)
	UploadEnded(ctx context.Context, a api.Actor, tusID string) error
	GetUpload(ctx context.Context, a api.Actor, ref string) (api.Upload, error)
}

// Deps is what a Handler needs.
type Deps struct {
	Console Console
	Staging *blob.Staging
	// Actor says who sends a request. Its error is rendered.
	Actor func(*http.Request) (api.Actor, error)
	// BasePath is where uploads are made, "/uploads/"; each is below it.
	BasePath string
	// Render answers with a refusal. Causes of internal errors are logged here.
	Render func(http.ResponseWriter, *http.Request, *fault.Error)
	Logger *slog.Logger
}

// Handler serves BasePath and what is below it. It takes whole paths: a door
// mounts it without stripping. Handlers of several doors may share a Staging
// if each upload stays with the door that began it.
type Handler struct {
	d     Deps
	tus   http.Handler
	locks *memorylocker.MemoryLocker
}

// New returns a handler.
func New(d Deps) (*Handler, error) {
	d.BasePath = "/" + strings.Trim(d.BasePath, "/") + "/"
	h := &Handler{d: d, locks: memorylocker.New()}
	composer := handler.NewStoreComposer()
	stage := staging{Staging: d.Staging, console: d.Console}
	composer.UseCore(stage)
	composer.UseTerminater(stage)
	h.locks.UseIn(composer)
	tus, err := handler.NewHandler(handler.Config{
		StoreComposer:              composer,
		BasePath:                   d.BasePath,
		DisableDownload:            true,
		DisableConcatenation:       true,
		Cors:                       &handler.CorsConfig{Disable: true},
		Logger:                     tusLogger(d.Logger),
		PreFinishResponseCallback:  h.finished,
		PreUploadTerminateCallback: h.ended,
	})
	if err != nil {
		return nil, fmt.Errorf("set up resumable uploads: %w", err)
	}
	h.tus = tus
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	actor, err := h.d.Actor(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	note := &note{actor: actor, conn: http.NewResponseController(w)}
	id := strings.Trim(strings.TrimPrefix(r.URL.Path+"/", h.d.BasePath), "/")
	inner := r.Clone(context.WithValue(r.Context(), noteKey{}, note))
	inner.URL.Path, inner.URL.RawPath = "/"+id, ""
	inner.Header.Del("X-HTTP-Method-Override") // what is checked is what is done
	if id != "" && r.Method != http.MethodOptions {
		done, err := h.settle(w, inner, actor, id)
		if err != nil {
			h.refuse(w, r, err)
		}
		if done || err != nil {
			return
		}
	}
	answer := &answer{ResponseWriter: w, base: h.d.BasePath}
	h.tus.ServeHTTP(answer, inner)
	if answer.status < http.StatusBadRequest {
		return
	}
	f := answer.fault(note.err)
	if f.Code == CodeInterrupted {
		// To stop reading, tusd lets the connection's deadline pass. net/http
		// then cancels the contexts of all that would follow on it.
		w.Header().Set("Connection", "close")
	}
	h.refuse(w, r, f)
}

// Receive takes a file as one stream, such as a part of a posted form, and
// returns its upload, ready to be published or being inspected. The actor is asked before the
// first byte is read. Faults: those of Console.UploadBegun and UploadFinished,
// blob_disk_full.
func (h *Handler) Receive(ctx context.Context, a api.Actor, fileName string, r io.Reader) (api.Upload, error) {
	name := cleanFileName(fileName)
	// The length is not known yet; whether the actor may is.
	if _, err := h.d.Console.UploadBegun(ctx, a, api.UploadBegunInput{FileName: name, Bytes: 1}); err != nil {
		return api.Upload{}, err
	}
	bounded := &bounded{Reader: r, fits: func(size int64) error {
		_, err := h.d.Console.UploadBegun(ctx, a, api.UploadBegunInput{FileName: name, Bytes: size})
		return err
	}}
	whole, err := h.d.Staging.Receive(ctx, map[string]string{metaFileName: name}, bounded)
	if err != nil {
		return api.Upload{}, fmt.Errorf("receive %q: %w", name, err)
	}
	begun := api.UploadBegunInput{TusID: whole.ID, FileName: name, Bytes: whole.Record.Bytes}
	if _, err := h.d.Console.UploadBegun(ctx, a, begun); err != nil {
		return api.Upload{}, errors.Join(err, h.d.Staging.Remove(whole.ID))
	}
	return h.d.Console.UploadFinished(ctx, a, whole.ID)
}

// bounded is a stream whose length is checked as it grows: the disk must not be
// full before it is found too long.
type bounded struct {
	io.Reader
	size int64
	fits func(size int64) error
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.size += int64(n); n > 0 {
		if long := b.fits(b.size); long != nil {
			return 0, long
		}
	}
	return n, err
}

// refuse renders an error and logs the cause of an internal one.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.From(err)
	if f.Kind == fault.KindInternal {
		h.d.Logger.ErrorContext(r.Context(), "upload failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	h.d.Render(w, r, f)
}

// metaFileName is the key of the file's name in a client's metadata.
const metaFileName = "filename"

// cleanFileName is the last element of what a client calls its file: some send
// the whole path, with slashes of either kind.
func cleanFileName(name string) string {
	name = path.Base(strings.ReplaceAll(strings.TrimSpace(name), `\`, "/"))
	if name == "." || name == "/" {
		return "image"
	}
	return name
}
