package api_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// The length of a name is counted in characters, whatever its script: what the
// forms let people type is taken.
func TestLongNames(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	for name, good := range map[string]bool{
		strings.Repeat("宽", 100): true, strings.Repeat("é", 101): false, strings.Repeat("w", 100): true, strings.Repeat("w", 101): false,
	} {
		_, err := f.SaveSite(t.Context(), f.Admin, api.SaveSiteInput{Name: name})
		if good != (err == nil) || !good && !errors.Is(err, fault.New(fault.KindInvalid, store.CodeNameInvalid)) {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
}
