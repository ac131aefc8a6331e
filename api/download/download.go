// Package download streams files that are made a line at a time, for both doors
// that have any. As long as nothing of a file was written an error is a refusal;
// after that it cuts the answer off, so that nobody takes the file for whole.
package download

import (
	"net/http"
	"time"
)

// patience is how long a reader may take for one line.
const patience = 30 * time.Second

// File is an answer of any length.
type File struct {
	MediaType string
	Name      string // under which browsers keep it; without quotes
	Begin     func() error
	End       func() error
}

// Stream sends a file: Begin, the lines, End. all gives each of its lines to line as
// what writes it. What goes wrong before the first byte is returned, and nothing was
// answered; what goes wrong later is told to cut, before the answer breaks off by a
// panic with http.ErrAbortHandler.
func (f File) Stream(w http.ResponseWriter, all func(line func(write func() error) error) error, cut func(error)) error {
	c, begun := http.NewResponseController(w), false
	line := func(write func() error) error {
		_ = c.SetWriteDeadline(time.Now().Add(patience)) // a server that knows none is one of a test
		if !begun {
			begun = true
			h := w.Header()
			h.Set("Content-Type", f.MediaType)
			h.Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
			h.Set("Cache-Control", "no-store")
			if err := f.Begin(); err != nil {
				return err
			}
		}
		return write()
	}
	err := all(line)
	if err == nil {
		err = line(f.End)
	}
	if err != nil && begun {
		cut(err)
		panic(http.ErrAbortHandler)
	}
	return err
}
