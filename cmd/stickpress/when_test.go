package main

import (
	"testing"
	"time"
)

func TestParseWhen(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 24, 17, 30, 20, 0, zone) // the clocks go back in the night
	for text, want := range map[string]string{
		"2026-12-01 18:00":          "2026-12-01T18:00:00+01:00",
		"2026-12-01T18:00":          "2026-12-01T18:00:00+01:00",
		"2026-12-01T18:00:00Z":      "2026-12-01T18:00:00Z",
		"2026-12-01T18:00:00+08:00": "2026-12-01T18:00:00+08:00",
		"18:00":                     "2026-10-24T18:00:00+02:00",
		"17:30":                     "2026-10-25T17:30:00+01:00",
		"+90m":                      "2026-10-24T19:00:20+02:00",
		"+0s":                       "2026-10-24T17:30:20+02:00",
	} {
		at, err := parseWhen(text, now)
		if got := at.Format(time.RFC3339); err != nil || got != want {
			t.Errorf("%q is %s, want %s; %v", text, got, want, err)
		}
	}
	for _, text := range []string{"", "tomorrow", "25:00", "+-1h", "+1d", "2026-13-01 10:00", "2026-12-01"} {
		if at, err := parseWhen(text, now); err == nil {
			t.Errorf("%q is %s", text, at)
		}
	}
}
