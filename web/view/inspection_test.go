package view

import (
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// A bar says how fast a file is read and what is left where that is known, and
// nothing of it where it is not.
func TestInspectionBar(t *testing.T) {
	t.Parallel()
	f := Frame{L: locale.English}
	in := api.Inspection{Bytes: 8_000_000_000, DoneBytes: 2_000_000_000, Rate: 50_000_000}
	bar := func() string {
		var page strings.Builder
		if err := inspectionBar(f, in).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		return page.String()
	}
	for _, want := range []string{"25 %", "50.0 MB/s · 2:00 left"} {
		if page := bar(); !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	in.Rate = 0
	if page := bar(); strings.Contains(page, "MB/s") || strings.Contains(page, "left") {
		t.Errorf("no rate is known:\n%s", page)
	}
}
