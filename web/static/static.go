// Package static holds what browsers load: the built scripts and style sheet,
// embedded from dist, which `make assets` fills. A program built without them
// still runs; its pages say how to build them.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"
)

//go:embed all:dist
var dist embed.FS

// names maps a file to its name with a hash of its content, so that browsers
// may keep it for ever.
var names = hashNames()

// Path is the address of a built file below /static/.
func Path(file string) string {
	if hashed, ok := names[file]; ok {
		return "/static/" + hashed
	}
	return "/static/" + file
}

// Built reports whether the assets were built into this program.
func Built() bool {
	_, ok := names["app.css"]
	return ok
}

// Handler serves /static/…; every name carries its content's hash. Browsers
// that take gzip, all of them, get a third of the bytes; a file is packed when it
// is first asked for.
func Handler() http.Handler {
	files := map[string]string{}
	packed := map[string]func() []byte{}
	for file, hashed := range names {
		files[hashed] = file
		packed[hashed] = sync.OnceValue(func() []byte { return pack(file) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/static/")
		file, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			if raw := packed[name](); raw != nil {
				h.Set("Content-Encoding", "gzip")
				http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(raw))
				return
			}
		}
		http.ServeFileFS(w, r, dist, "dist/"+file)
	})
}

// pack compresses a built file; nil if that is not possible.
func pack(file string) []byte {
	raw, err := dist.ReadFile("dist/" + file)
	if err != nil {
		return nil
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(raw); err != nil || w.Close() != nil {
		return nil
	}
	return b.Bytes()
}

func hashNames() map[string]string {
	hashed := map[string]string{}
	entries, err := fs.ReadDir(dist, "dist")
	if err != nil {
		return hashed
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") {
			continue
		}
		raw, err := dist.ReadFile("dist/" + name)
		if err != nil {
			continue
		}
		sum := sha256.Sum256(raw)
		base, ext, _ := strings.Cut(name, ".")
		hashed[name] = base + "-" + hex.EncodeToString(sum[:6]) + "." + ext
	}
	return hashed
}
