package main

import (
	"fmt"
	"strings"
	"time"
)

// whenHelp says what parseWhen takes.
const whenHelp = `WHEN is a time of this machine's zone, such as "2026-12-01 18:00" or "18:00" (the
next one), a time with its zone, "2026-12-01T18:00:00Z", or from now on, "+90m".`

// parseWhen reads a moment as people write it.
func parseWhen(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if span, ok := strings.CutPrefix(text, "+"); ok {
		d, err := time.ParseDuration(span)
		if err != nil || d < 0 {
			return time.Time{}, fmt.Errorf("%q is no span of time such as +90m or +2h", text)
		}
		return now.Add(d), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05"} {
		if at, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return at, nil
		}
	}
	if clock, err := time.Parse("15:04", text); err == nil {
		at := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, now.Location())
		if at.Before(now) {
			at = time.Date(now.Year(), now.Month(), now.Day()+1, clock.Hour(), clock.Minute(), 0, 0, now.Location())
		}
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%q is no time such as \"2026-12-01 18:00\", \"18:00\" or \"+90m\"", text)
}
