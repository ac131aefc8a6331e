package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// An operation that goes away says so in the document, in its answers and in its
// refusals.
func TestDeprecated(t *testing.T) {
	t.Parallel()
	r := chi.NewRouter()
	door := humachi.New(r, config())
	op := deprecated(get("/old", "get_old", "old", "Old"),
		time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC))
	type input struct {
		N int `query:"n" maximum:"1"`
	}
	huma.Register(door, op, func(context.Context, *input) (*plain[string], error) { return &plain[string]{Body: "x"}, nil })
	if !door.OpenAPI().Paths["/old"].Get.Deprecated {
		t.Error("the document does not say so")
	}
	for path, status := range map[string]int{"/old": http.StatusOK, "/old?n=2": http.StatusUnprocessableEntity} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		h := w.Result().Header
		if w.Code != status || h.Get("Deprecation") != "@1767323045" || h.Get("Sunset") != "Sat, 02 Jan 2027 03:04:05 GMT" {
			t.Errorf("%s: %d, Deprecation %q, Sunset %q", path, w.Code, h.Get("Deprecation"), h.Get("Sunset"))
		}
	}
}
