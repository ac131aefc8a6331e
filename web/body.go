package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
)

// What a form may be. Templates are the longest that is typed: 64 KiB, up to
// three times that when encoded.
const (
	maxForm      = 1 << 20 // bytes
	formPatience = 30 * time.Second
)

// readForm reads a form before anything is done with it, and refuses one that
// is too long or too slow: without a limit, whoever reaches the sign-in page
// could fill the disk with a file that nobody asked for. Requests that carry
// an image are left to their handlers.
func (s *Web) readForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || carriesImage(r) {
			next.ServeHTTP(w, r)
			return
		}
		c := http.NewResponseController(w)
		// A server that knows no deadlines is one of a test.
		_ = c.SetReadDeadline(time.Now().Add(formPatience))
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		err := r.ParseForm()
		if err == nil {
			err = r.ParseMultipartForm(maxForm)
		}
		_ = c.SetReadDeadline(time.Time{})
		var long *http.MaxBytesError
		switch {
		case err == nil, errors.Is(err, http.ErrNotMultipart):
			next.ServeHTTP(w, r)
			return
		case errors.As(err, &long):
			err = fault.Wrap(err, fault.KindTooLarge, "body_too_large", "limit_bytes", maxForm)
		default:
			err = fault.Wrap(err, fault.KindInvalid, "form_unreadable")
		}
		s.page(func(http.ResponseWriter, *http.Request) error { return err })(w, r)
	})
}

// carriesImage says which requests may be as long as an image: uploads, and
// the form that stands in for them without JavaScript.
func carriesImage(r *http.Request) bool {
	return r.URL.Path == "/images" || r.URL.Path == "/uploads" || strings.HasPrefix(r.URL.Path, "/uploads/")
}
