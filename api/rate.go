package api

import (
	"slices"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// rateBoard keeps how fast the attempts under way went since their step began,
// for a line on the job's page and for what is left as a range. It is this
// replica's memory of what it heard and read, and is gone with it.
type rateBoard struct {
	mu   sync.Mutex
	logs map[protocol.AttemptRef]*rateLog
}

const (
	// ratePoints is how many points a line has at most; it keeps the whole step
	// by halving itself when it is full.
	ratePoints = 40
	// rateEvery is the time between two points of a new line.
	rateEvery = time.Second
	// rateRecent is how many points of the last seconds tell what is left, and
	// rateEnough how many it takes at least.
	rateRecent = 20
	rateEnough = 5
	// rateForget is when the line of an attempt that is not heard of goes.
	rateForget = 10 * time.Minute
)

// rateLog is the line of one step of one attempt.
type rateLog struct {
	step   protocol.Step
	every  time.Duration
	last   time.Time // of the newest point of line
	line   []int64   // bytes per second, oldest first
	recent []int64   // the last rateRecent, rateEvery apart
	heard  time.Time
}

// note takes what was heard at a time. Attempts that moved on to another step
// begin a new line.
func (r *rateBoard) note(attempts []protocol.AttemptProgress, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.logs == nil {
		r.logs = map[protocol.AttemptRef]*rateLog{}
	}
	for ref, l := range r.logs {
		if at.Sub(l.heard) > rateForget {
			delete(r.logs, ref)
		}
	}
	for i := range attempts {
		p := &attempts[i]
		l := r.logs[p.AttemptRef]
		if l == nil || l.step != p.Step {
			l = &rateLog{step: p.Step, every: rateEvery}
			r.logs[p.AttemptRef] = l
		}
		if p.Rate > 0 && at.Sub(l.heard) >= rateEvery {
			l.add(p.Rate, at)
		}
	}
}

func (l *rateLog) add(rate int64, at time.Time) {
	l.heard = at
	if l.recent = append(l.recent, rate); len(l.recent) > rateRecent {
		l.recent = l.recent[1:]
	}
	if at.Sub(l.last) < l.every {
		return
	}
	l.last = at
	if l.line = append(l.line, rate); len(l.line) < ratePoints {
		return
	}
	for i := range len(l.line) / 2 {
		l.line[i] = (l.line[2*i] + l.line[2*i+1]) / 2
	}
	l.line, l.every = l.line[:len(l.line)/2], 2*l.every
}

// fill adds to the progress of an attempt how fast it went.
func (r *rateBoard) fill(ref protocol.AttemptRef, p *Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.logs[ref]
	if l == nil || l.step != p.Step {
		return
	}
	p.Rates = slices.Clone(l.line)
	left := p.Total - p.Done
	if left <= 0 || len(l.recent) < rateEnough {
		return
	}
	sorted := slices.Sorted(slices.Values(l.recent))
	slow, fast := sorted[len(sorted)/10], sorted[len(sorted)-1-len(sorted)/10]
	p.Soonest, p.Latest = seconds(left, fast), seconds(left, slow)
}

// seconds is how long bytes take at a rate, in whole seconds, at least one.
func seconds(bytes, rate int64) int64 { return max(bytes/max(rate, 1), 1) }
