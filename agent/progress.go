package agent

import (
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

const (
	// progressEvery is the pace of Progress: at most twice a second.
	progressEvery = 500 * time.Millisecond
	// rateOver is how far back a rate looks.
	rateOver = 4 * time.Second
)

// meter is where one attempt is in its current step.
type meter struct {
	step        protocol.Step
	done, total int64
	marks       []mark // the last rateOver, oldest first
	dirty       bool   // changed since the last sample
}

type mark struct {
	at   time.Time
	done int64
}

func (m *meter) set(step protocol.Step, done, total int64) {
	if step != m.step {
		*m = meter{step: step}
	}
	m.done, m.total, m.dirty = done, total, true
}

// sample notes where the meter is now and reports whether there is anything
// new to say: a change, or a rate that falls because nothing moves.
func (m *meter) sample(now time.Time) bool {
	rate := m.rate()
	m.marks = append(m.marks, mark{now, m.done})
	for len(m.marks) > 2 && now.Sub(m.marks[1].at) >= rateOver {
		m.marks = m.marks[1:]
	}
	news := m.dirty || m.rate() != rate
	m.dirty = false
	return news
}

// rate is bytes per second between the oldest and the newest mark.
func (m *meter) rate() int64 {
	if len(m.marks) < 2 {
		return 0
	}
	first, last := m.marks[0], m.marks[len(m.marks)-1]
	over := last.at.Sub(first.at).Seconds()
	if over <= 0 || last.done < first.done {
		return 0
	}
	return int64(float64(last.done-first.done) / over)
}

// sample notes the progress of every attempt and reports whether there is
// something new to send.
func (r *runner) sample() bool {
	now := r.clock.Now()
	news := false
	for _, at := range r.sorted() {
		at.mu.Lock()
		if at.meter.step != "" && !at.ended && at.meter.sample(now) {
			news = true
		}
		at.mu.Unlock()
	}
	if news {
		r.unsent.Store(true)
	}
	return news
}

// news is where every running attempt is, or nil if nobody sampled anything
// new since the last call.
func (r *runner) news() *protocol.Progress {
	if !r.unsent.Swap(false) {
		return nil
	}
	p := new(protocol.Progress)
	for _, at := range r.sorted() {
		at.mu.Lock()
		if m := &at.meter; m.step != "" && !at.ended {
			p.Attempts = append(p.Attempts, protocol.AttemptProgress{
				AttemptRef: at.AttemptRef, Step: m.step, Done: m.done, Total: m.total, Rate: m.rate(),
			})
		}
		at.mu.Unlock()
	}
	if len(p.Attempts) == 0 {
		return nil
	}
	return p
}
