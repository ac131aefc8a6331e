package api_test

import (
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
)

// A name shows something, does not turn round what stands beside it, and is the
// same however its accents were typed.
func TestNames(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	for _, name := range []string{"", " \u3000", "\u202e", "ci\u202e nimda", "\u2066x\u2069", "\u200b", "\uffff", "a\x00b"} {
		_, err := f.BeginPairing(t.Context(), anyone("192.0.2.9"), name)
		wantFault(t, err, store.CodeNameInvalid)
	}
	for name, want := range map[string]string{" René ": "René", "Rene\u0301": "René", "\u200eعلي": "\u200eعلي", "王芳": "王芳"} {
		if p := must[api.NewPairing](t)(f.BeginPairing(t.Context(), anyone("192.0.2.9"), name)); p.Client != want {
			t.Errorf("%q is called %q, want %q", name, p.Client, want)
		}
	}
}
