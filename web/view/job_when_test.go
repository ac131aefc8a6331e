package view_test

import (
	"testing"
	"time"

	"github.com/stickpress/stickpress/web/view"
)

func TestWhen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at, zone  string
		known, ok bool
		want      string
	}{
		{"2026-11-27T22:30", "Europe/Berlin", true, true, "2026-11-27T21:30:00Z"},
		{"2026-11-27T22:30", "Asia/Shanghai", true, true, "2026-11-27T14:30:00Z"},
		{"2026-11-27T22:30", "UTC", true, true, "2026-11-27T22:30:00Z"},
		{"2027-03-28T02:30", "Europe/Berlin", true, false, ""}, // the clocks are put forward from 2 to 3
		{"2026-11-27 22:30", "UTC", true, false, ""},
		{"", "UTC", true, false, ""},
		{"2026-11-27T22:30", "", false, true, "2026-11-27T22:30:00Z"},
		{"2026-11-27T22:30", "Local", false, true, "2026-11-27T22:30:00Z"},
		{"2026-11-27T22:30", "../../etc/passwd", false, true, "2026-11-27T22:30:00Z"},
		{"soon", "", false, false, ""},
	} {
		at, known, ok := view.When{Later: true, At: c.at, Zone: c.zone}.Time()
		if known != c.known || ok != c.ok || ok && at.UTC().Format(time.RFC3339) != c.want {
			t.Errorf("%s in %q: %s, %v, %v", c.at, c.zone, at, known, ok)
		}
	}
	at := time.Date(2026, 11, 27, 21, 30, 0, 0, time.UTC)
	if w := view.WhenOf(&at, "Europe/Berlin"); w.At != "2026-11-27T22:30" || !w.Later {
		t.Errorf("%+v", w)
	}
	if w := view.WhenOf(nil, "nowhere"); w.Later || w.Zone != "UTC" {
		t.Errorf("%+v", w)
	}
}
