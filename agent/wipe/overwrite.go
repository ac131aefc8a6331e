package wipe

import (
	"github.com/stickpress/stickpress/agent/protocol"
)

// overwrite writes to every address, once or twice, and reads the last pass
// back. Afterwards both ends are zeros, so that nothing takes noise for a
// table.
func (w *Wipe) overwrite() error {
	w.result.Method, w.result.Passes, w.result.Secure = protocol.WipeOverwrite, w.Options.Passes, false
	w.wiped = 0
	last, err := newPattern(w.Rand)
	if err != nil {
		return err
	}
	err = w.step(protocol.StepErase, func() error {
		if err := w.edges(); err != nil {
			return err
		}
		for pass := range w.Options.Passes {
			if pass > 0 {
				last = last.complement()
			}
			if err := w.pass(last, pass); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.step(protocol.StepVerify, func() error {
		if err := w.readBack(last); err != nil {
			return err
		}
		if err := w.edges(); err != nil {
			return err
		}
		for _, at := range w.ends() {
			if err := w.compare(zeros{}, at, min(edgeBytes, w.Device.Size()-at)); err != nil {
				return err
			}
		}
		return nil
	})
}

// pass writes the pattern over the whole device and returns when it is on it.
func (w *Wipe) pass(p *pattern, n int) error {
	size := w.Device.Size()
	total := size * int64(w.Options.Passes)
	before := size * int64(n)
	w.Report.Progress(protocol.StepErase, before, total)
	err := w.chunks(func(at, length int64) error {
		b := w.own[:length]
		p.fill(b, at)
		if err := w.write(b, at); err != nil {
			return err
		}
		w.wiped = max(w.wiped, at+length)
		w.Report.Progress(protocol.StepErase, before+at+length, total)
		return nil
	})
	if err != nil {
		return err
	}
	return w.sync()
}
