package download_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stickpress/stickpress/api/download"
)

var errTest = errors.New("it broke")

// What fails before the first line is a refusal, what fails later cuts the file off.
func TestStream(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fails int // at this line
		lines int
		body  string
		want  error
		cut   bool
	}{
		"whole":              {fails: -1, lines: 2, body: "begin\n0\n1\nend\n"},
		"nothing to say":     {fails: -1, body: "begin\nend\n"},
		"refused":            {fails: 0, lines: 2, want: errTest},
		"cut off":            {fails: 1, lines: 2, body: "begin\n0\n", cut: true},
		"cut off at its end": {fails: 2, lines: 2, body: "begin\n0\n1\n", cut: true},
	} {
		w := httptest.NewRecorder()
		say := func(text string) func() error {
			return func() error { _, err := fmt.Fprintln(w, text); return err }
		}
		f := download.File{MediaType: "text/plain", Name: "a.txt", Begin: say("begin"), End: say("end")}
		var told, err error
		var panicked any
		func() {
			defer func() { panicked = recover() }()
			err = f.Stream(w, func(line func(func() error) error) error {
				for i := range tt.lines + 1 {
					if i == tt.fails {
						return errTest
					}
					if i == tt.lines {
						break
					}
					if err := line(say(fmt.Sprint(i))); err != nil {
						return err
					}
				}
				return nil
			}, func(err error) { told = err })
		}()
		if !errors.Is(err, tt.want) || w.Body.String() != tt.body {
			t.Errorf("%s: %v, %q", name, err, w.Body)
		}
		if tt.cut != (panicked == http.ErrAbortHandler) || tt.cut != errors.Is(told, errTest) { //nolint:errorlint // the sentinel itself is panicked
			t.Errorf("%s: cut off with %v, told %v", name, panicked, told)
		}
		if begun := w.Header().Get("Content-Disposition") == `attachment; filename="a.txt"`; begun != (tt.body != "") {
			t.Errorf("%s: headers %v", name, w.Header())
		}
	}
}
