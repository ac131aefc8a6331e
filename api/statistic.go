package api

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// Statistic is how it went in the last StatisticDays. Counting takes long where
// there is much to count, so it is kept for a while: twenty times as long as
// the counting took, at least keepLeast. It costs a twentieth of one
// connection at most, and is fresh on a small console.
type Statistic struct {
	Days           []Day       `json:"days"`            // oldest first, none left out; the last one is today
	Causes         []Cause     `json:"causes"`          // why builds failed in these days, most first
	Slowest        []ModelRate `json:"slowest"`         // models of sticks, slowest first, at most slowModels
	SticksVerified int         `json:"sticks_verified"` // that carry a verified version now
	Room           Room        `json:"room"`
	At             time.Time   `json:"at"` // when it was counted
}

// Day is what ended on one day.
type Day struct {
	Day       string `json:"day"`       // "2026-11-27", in UTC
	Sticks    int    `json:"sticks"`    // written and verified
	Bytes     int64  `json:"bytes"`     // written onto them
	Succeeded int    `json:"succeeded"` // builds of every kind that did what they were to do
	Failed    int    `json:"failed"`
	Cancelled int    `json:"cancelled"`
}

// Cause is how many builds failed for one reason.
type Cause struct {
	Code   string `json:"code"` // of their faults
	Builds int    `json:"builds"`
}

// ModelRate is how fast sticks of one model are written.
type ModelRate struct {
	VIDPID    string `json:"vid_pid"` // empty when not USB
	Vendor    string `json:"vendor"`
	Model     string `json:"model"`
	Sticks    int    `json:"sticks"`     // written, at least slowLeast
	WriteRate int64  `json:"write_rate"` // bytes per second, the median
}

// Room is how much room the console takes up.
type Room struct {
	Images        int   `json:"images"`         // files of image versions
	ImageBytes    int64 `json:"image_bytes"`    //
	FreeBytes     int64 `json:"free_bytes"`     // where they are kept; -1 where there is no limit
	DatabaseBytes int64 `json:"database_bytes"` //
}

// StatisticDays is how far back a Statistic looks, today included.
const StatisticDays = 30

const (
	slowModels = 8
	slowLeast  = 3 // what is seen less often tells little

	keepLeast = 2 * time.Second
	keepMost  = 10 * time.Minute
	keepTimes = 20
	// keepKinds bounds how many sets of sites are remembered.
	keepKinds = 64
)

// statistics keeps what was counted, for each set of sites.
type statistics struct {
	mu   sync.Mutex
	kept map[string]*keptStatistic
}

// keptStatistic is locked while it is counted, so that nobody else counts it.
type keptStatistic struct {
	mu    sync.Mutex
	value Statistic
	until time.Time // of the process' own clock
}

func (s *statistics) entry(key string) *keptStatistic {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= keepKinds {
		s.kept = map[string]*keptStatistic{}
	}
	k := s.kept[key]
	if k == nil {
		k = new(keptStatistic)
		s.kept[key] = k
	}
	return k
}

// statistic counts, or returns what was counted not long ago.
func (c *Console) statistic(ctx context.Context, sites []store.SiteID) (Statistic, error) {
	slices.SortFunc(sites, func(a, b store.SiteID) int { return slices.Compare(a[:], b[:]) })
	k := c.counted.entry(fmt.Sprint(sites))
	k.mu.Lock()
	defer k.mu.Unlock()
	begun := time.Now()
	if begun.Before(k.until) {
		return k.value, nil
	}
	v, err := c.count(ctx, sites)
	if err != nil {
		return Statistic{}, err
	}
	k.value, k.until = v, time.Now().Add(min(max(keepTimes*time.Since(begun), keepLeast), keepMost))
	return v, nil
}

func (c *Console) count(ctx context.Context, sites []store.SiteID) (Statistic, error) {
	now := c.store.Now().UTC()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	since := today.AddDate(0, 0, 1-StatisticDays)
	out := Statistic{At: now, Slowest: []ModelRate{}}
	ended, err := c.store.EndedBuilds(ctx, sites, since)
	if err != nil {
		return out, err
	}
	out.Days, out.Causes = daysOf(ended, since), causesOf(ended)
	models, err := c.store.ModelRates(ctx, sites, since, slowLeast, slowModels)
	if err != nil {
		return out, err
	}
	for _, m := range models {
		out.Slowest = append(out.Slowest, ModelRate{VIDPID: m.VIDPID, Vendor: m.Vendor, Model: m.Model, Sticks: m.Builds, WriteRate: m.WriteRate})
	}
	if out.SticksVerified, err = c.store.VerifiedSticks(ctx, sites); err != nil {
		return out, err
	}
	out.Room, err = c.room(ctx)
	return out, err
}

// daysOf sums up by day. A clock that was set back may have left builds that
// end tomorrow; they are not shown.
func daysOf(ended []store.EndedBuilds, since time.Time) []Day {
	days := make([]Day, StatisticDays)
	for i := range days {
		days[i].Day = since.AddDate(0, 0, i).Format(time.DateOnly)
	}
	for _, e := range ended {
		i := int(e.Day.Sub(since) / (24 * time.Hour))
		if i < 0 || i >= len(days) {
			continue
		}
		d := &days[i]
		switch e.State { //nolint:exhaustive // the others have not ended
		case store.BuildVerified:
			d.Succeeded += e.Builds
			if e.Kind == protocol.JobPress || e.Kind == protocol.JobRaw {
				d.Sticks += e.Builds
				d.Bytes += e.BytesWritten
			}
		case store.BuildFailed:
			d.Failed += e.Builds
		case store.BuildCancelled:
			d.Cancelled += e.Builds
		}
	}
	return days
}

func causesOf(ended []store.EndedBuilds) []Cause {
	at := map[string]int{}
	causes := []Cause{}
	for _, e := range ended {
		if e.State != store.BuildFailed {
			continue
		}
		i, ok := at[e.FaultCode]
		if !ok {
			i = len(causes)
			at[e.FaultCode] = i
			causes = append(causes, Cause{Code: e.FaultCode})
		}
		causes[i].Builds += e.Builds
	}
	slices.SortStableFunc(causes, func(a, b Cause) int { return b.Builds - a.Builds })
	return causes
}

func (c *Console) room(ctx context.Context) (Room, error) {
	use, err := c.blobs.Usage(ctx)
	if err != nil {
		return Room{}, fmt.Errorf("sum up the blobs: %w", err)
	}
	d := Room{Images: use.Blobs, ImageBytes: use.Bytes, FreeBytes: use.FreeBytes}
	if d.FreeBytes == math.MaxInt64 {
		d.FreeBytes = -1
	}
	d.DatabaseBytes, err = c.store.DatabaseBytes(ctx)
	return d, err
}
