package api

import (
	"sync"
	"time"
)

// inspectionRates keeps how far the inspections under way were whenever
// somebody asked, for how fast they are. It is this replica's memory of what it
// read, and is gone with it.
type inspectionRates struct {
	mu   sync.Mutex
	seen map[string][]inspectionPoint // by upload, oldest first
}

// inspectionPoint is how many bytes of a file had been read at a time.
type inspectionPoint struct {
	done int64
	at   time.Time
}

const (
	// inspectionRecent is how far back the rate looks, or one point more.
	inspectionRecent = 30 * time.Second
	// inspectionLeast is the least time between two points that tell a rate.
	inspectionLeast = 2 * time.Second
)

// note takes how far an inspection is, as it was written down at a time, and
// returns its rate in bytes per second; 0 where it is not known. One that began
// again from the start of its file begins a new line.
func (r *inspectionRates) note(upload string, done int64, at time.Time) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string][]inspectionPoint{}
	}
	for id, points := range r.seen {
		if at.Sub(points[len(points)-1].at) > rateForget {
			delete(r.seen, id)
		}
	}
	points := r.seen[upload]
	switch n := len(points); {
	case n > 0 && done < points[n-1].done:
		points = nil
		fallthrough
	case n == 0 || at.After(points[n-1].at):
		points = append(points, inspectionPoint{done, at})
	}
	for len(points) > 2 && at.Sub(points[1].at) >= inspectionRecent {
		points = points[1:]
	}
	r.seen[upload] = points
	first, last := points[0], points[len(points)-1]
	took := last.at.Sub(first.at)
	if took < inspectionLeast {
		return 0
	}
	return int64(float64(last.done-first.done) / took.Seconds())
}

// pace says how fast an upload is inspected, in bytes per second, and how long it
// takes at that; a rate of 0 says nothing.
func (u *Upload) pace(rate int64) {
	in := Inspection{Bytes: u.Bytes, DoneBytes: u.InspectedBytes, Rate: rate}
	u.InspectRate, u.InspectLeftSeconds = rate, int64(in.Left()/time.Second)
}

// Left is about how long an inspection still takes; 0 where that is not known.
func (in *Inspection) Left() time.Duration {
	if in.Rate <= 0 || in.DoneBytes >= in.Bytes {
		return 0
	}
	return time.Duration(seconds(in.Bytes-in.DoneBytes, in.Rate)) * time.Second
}
