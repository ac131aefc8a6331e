package main

import (
	"testing"
	"time"
)

// What is not known yet is not said.
func TestRateNote(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"1 GiB / 4 GiB":                     rateNote(1<<30, 4<<30, 0, 0),
		"1 GiB / 4 GiB · 100.0 MB/s · 0:32": rateNote(1<<30, 4<<30, 100_000_000, 32*time.Second),
		"4 GiB / 4 GiB · 100.0 MB/s":        rateNote(4<<30, 4<<30, 100_000_000, 0),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
