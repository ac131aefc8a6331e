package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// uploadMark is a small file that names the upload of an image which an
// earlier run began, so that the next one goes on with it. Its name is made of
// the console and of the image's path, size and time: another file begins
// anew.
type uploadMark string

func (x *remote) uploadMark(file *os.File) (uploadMark, error) {
	at, err := x.meant()
	if err != nil {
		return "", err
	}
	dir, err := configFolder(x.environ)
	if err != nil {
		return "", nil //nolint:nilerr // without a folder an upload is not taken up again
	}
	path, err := filepath.Abs(file.Name())
	if err != nil {
		return "", err
	}
	st, err := file.Stat()
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal([]string{at.URL, path, fmt.Sprint(st.Size()), fmt.Sprint(st.ModTime().UnixNano())})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return uploadMark(filepath.Join(dir, "uploads", hex.EncodeToString(sum[:16]))), nil
}

// read returns the upload's tus ID, or "" where there is none.
func (m uploadMark) read() string {
	if m == "" {
		return ""
	}
	raw, err := os.ReadFile(string(m))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// write keeps a tus ID. That it cannot costs a later run its head start only.
func (m uploadMark) write(tusID string) {
	if m == "" || os.MkdirAll(filepath.Dir(string(m)), 0o700) != nil {
		return
	}
	_ = os.WriteFile(string(m), []byte(tusID+"\n"), 0o600)
}

func (m uploadMark) remove() {
	if m != "" {
		_ = os.Remove(string(m)) // most often there is none
	}
}
