// Package static holds what browsers load: the built scripts and style sheet,
// embedded from dist, which `make assets` fills. A program built without them
// still runs; its pages say how to build them.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
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

// Handler serves /static/…; every name carries its content's hash.
func Handler() http.Handler {
	files := map[string]string{}
	for file, hashed := range names {
		files[hashed] = file
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[strings.TrimPrefix(r.URL.Path, "/static/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.ServeFileFS(w, r, dist, "dist/"+file)
	})
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
