package stick

import (
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A stick takes its first bytes into a cache, at a speed that it cannot keep.
// So the pace is judged behind warmBytes or warmTime, whichever comes first,
// and over windows, because a stick pauses to tidy up now and then.
const (
	warmBytes  = 256 * mib
	warmTime   = 10 * time.Second
	paceWindow = 10 * time.Second
)

// pace judges how fast a stick takes its content. It counts the time that the
// device itself needed: waiting for the image, or for other sticks, is not the
// stick's fault.
type pace struct {
	need int64 // bytes per second, 0 for any

	warmed int64         // bytes, until the stick is warm
	warm   time.Duration // of them
	bytes  int64
	took   time.Duration
	window []stretch // newest last; together no shorter than paceWindow, once there is enough
	inside stretch   // their sum
	lowest int64     // bytes per second of a whole window, 0 while there was none
}

// wrote counts one write, and reports false when the stick is too slow.
func (p *pace) wrote(n int64, took time.Duration) bool {
	if p.warmed < warmBytes && p.warm < warmTime {
		p.warmed += n
		p.warm += took
		return true
	}
	p.bytes += n
	p.took += took
	p.window = append(p.window, stretch{n, took})
	p.inside.count += n
	p.inside.took += took
	for len(p.window) > 1 && p.inside.took-p.window[0].took >= paceWindow {
		p.inside.count -= p.window[0].count
		p.inside.took -= p.window[0].took
		p.window = p.window[1:]
	}
	if p.inside.took < paceWindow {
		return true
	}
	if now := p.inside.rate(); p.lowest == 0 || now < p.lowest {
		p.lowest = max(now, 1)
	}
	return p.lowest >= p.need
}

// writePaced writes content, and ends a stick that is too slow at it.
func (p *press) writePaced(b []byte, offset int64) error {
	begun := p.now()
	if err := p.writeAt(b, offset); err != nil {
		return err
	}
	if p.pace.wrote(int64(len(b)), p.now().Sub(begun)) {
		return nil
	}
	f := protocol.NewFault(protocol.FaultTooSlow, "have_rate", p.pace.lowest, "need_rate", p.pace.need)
	err := p.reject(p.pace.check(), f)
	p.pace.need = 0 // an admin has let it pass: that is said once
	return err
}

// paced reports the pace of all content, if anything depends on it and there
// was enough content to tell.
func (p *press) paced() {
	if p.pace.need > 0 && p.pace.lowest > 0 {
		p.Report.Checked(p.pace.check())
	}
}

func (p *pace) check() protocol.Check {
	return protocol.NewCheck(protocol.CheckSustained, protocol.VerdictOK,
		"mean_rate", stretch{p.bytes, p.took}.rate(), "lowest_rate", p.lowest, "need_rate", p.need)
}
