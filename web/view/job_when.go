package view

import (
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// When is what a form says about the time of a job, as it was typed.
type When struct {
	Later bool
	At    string // "2026-11-27T22:30", of an <input type=datetime-local>
	Zone  string // IANA name: "Europe/Berlin"
	// Moment is the time that At and Zone say, in RFC 3339, where nobody typed it:
	// a script shows it in the reader's zone.
	Moment string
}

// whenForm is how browsers write a local time (HTML standard, 2.3.5.6).
const whenForm = "2006-01-02T15:04"

// Time is the moment that is meant. known reports whether the zone is; ok
// whether that zone's clocks show this time, which they skip when they are put
// forward, or UTC's if it is not.
func (w When) Time() (at time.Time, known, ok bool) {
	zone, err := time.LoadLocation(w.Zone)
	known = err == nil && w.Zone != "" && w.Zone != "Local"
	if !known {
		zone = time.UTC
	}
	at, err = time.ParseInLocation(whenForm, w.At, zone)
	return at, known, err == nil && at.Format(whenForm) == w.At
}

// WhenOf is a moment as a form shows it.
func WhenOf(at *time.Time, zone string) When {
	w := When{Zone: zone}
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		place, w.Zone = time.UTC, "UTC"
	}
	if at != nil {
		w.Later, w.At = true, at.In(place).Format(whenForm)
		if zone == "" {
			w.Moment = at.UTC().Format(time.RFC3339)
		}
	}
	return w
}

// scheduled reports whether a job waits for its time.
func scheduled(j api.Job) bool { return j.Scheduled(time.Now()) }

// JobState is the state of a job as pages show it: one that waits for its time
// is scheduled.
func JobState(j api.Job) string {
	if scheduled(j) {
		return "scheduled"
	}
	return j.State
}

// estimateWord says how long a job will take.
func estimateWord(f Frame, e api.Estimate) string {
	if e.Builds == 0 {
		return f.T("job_new.time_unknown")
	}
	low, high := e.Low.Round(time.Second), e.High.Round(time.Second)
	if high < time.Minute {
		return f.L.N("job_new.time_short", e.Builds)
	}
	if low == high {
		return f.L.N("job_new.time_about", e.Builds, "time", locale.Duration(high))
	}
	return f.L.N("job_new.time_range", e.Builds, "low", locale.Duration(low), "high", locale.Duration(high))
}

// zoneOr is the zone that was typed, or UTC until somebody or a script says
// another one.
func zoneOr(zone string) string {
	if zone == "" {
		return "UTC"
	}
	return zone
}
