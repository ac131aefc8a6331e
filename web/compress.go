package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"
)

// leastPacked is how long a page is that is worth packing.
const leastPacked = 1 << 10

// packers are kept, since each is large.
var packers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.DefaultCompression)
	if err != nil {
		panic(err) // the level exists
	}
	return w
}}

// goneBackTo lets a browser keep the answer to a form for its Back button, which
// otherwise shows a page of the browser's own about sending the form once more.
// It is for the steps of a longer form; signing out has them forgotten.
func goneBackTo(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "private, no-cache")
		return h(w, r)
	}
}

// writePage sends a page, packed where the browser takes that. Pages that show a
// secret are answers to forms of this console alone (SameSite, Cross-Origin
// protection), so nobody else can tell it from their length (BREACH).
func writePage(w http.ResponseWriter, r *http.Request, status int, page *bytes.Buffer) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Add("Vary", "Accept-Encoding")
	if page.Len() < leastPacked || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = page.WriteTo(w) // the reader is gone if this fails
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	packer := packers.Get().(*gzip.Writer)
	defer packers.Put(packer)
	packer.Reset(w)
	_, _ = page.WriteTo(packer)
	_ = packer.Close()
}
