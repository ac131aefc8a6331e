package stick

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// flushBytes: so much is written before the device is told to flush, and what
// was flushed can be read back. Where reading is no faster than writing it
// always lies so far behind, or twice as far, and has that left to do when all
// is written: towards the end it becomes less, down to an eighth. A flush costs
// a stick that has a cache some milliseconds, and others nothing.
const flushBytes = 32 * mib

// readback compares content with what the device gives back while later
// content is still being written. It never looks at what was not flushed
// before: that may come from a cache of the device. One read is under way at
// a time, beside one write, so that queues stay shallow.
type readback struct {
	every int64 // bytes between two flushes at most
	buf   []byte

	mu    sync.Mutex
	more  *sync.Cond
	limit int // chunks before this one are flushed
	over  bool
	err   error

	next  int           // first chunk that was not compared yet
	bytes int64         // compared
	early bool          // some of them may have been while others were written
	took  time.Duration // reading and comparing
}

// readBack begins. What it returns waits for the comparison that is under way,
// ends the work and says what was found; a difference ends the stick at once.
// It may be called again.
func (p *press) readBack() (stop func() error) {
	b := &p.back
	b.more = sync.NewCond(&b.mu)
	if volume.Total(p.chunks) <= b.every/2 {
		return func() error { return nil } // not worth a flush
	}
	b.early = true
	var running sync.WaitGroup
	running.Go(func() {
		for b.wait() {
			if err := p.compareNext(); err != nil {
				b.err = err
				p.cancel(err)
				return
			}
		}
	})
	return func() error {
		b.mu.Lock()
		b.over = true
		b.more.Signal()
		b.mu.Unlock()
		running.Wait()
		return b.err
	}
}

// wait returns true when there is a chunk to compare, false when the rest is
// for verify.
func (b *readback) wait() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.over && b.next >= b.limit {
		b.more.Wait()
	}
	return !b.over
}

// distance is how many bytes are written to the next flush when so many are
// left in all.
func (b *readback) distance(left int64) int64 {
	return max(min(b.every, left/4), b.every/8)
}

// flushed says that the chunks before this one are on the device.
func (b *readback) flushed(limit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = limit
	b.more.Signal()
}

func (p *press) compareNext() error {
	b := &p.back
	begun := time.Now()
	c := p.chunks[b.next]
	if err := p.compare(b.buf, c, p.sums[b.next]); err != nil {
		return err
	}
	b.next++
	b.bytes += c.Length
	b.took += time.Since(begun)
	return nil
}

// verify reads back what was not compared while it was being written: so that
// all content was read from the device, past every cache that the host knows
// of. What was wiped must be zeros, so that no old table is left beside the
// new one.
func (p *press) verify() error {
	b := &p.back
	wiped := p.wipedOnly()
	total := volume.Total(p.chunks) + volume.Total(wiped)
	p.Report.Progress(protocol.StepVerify, b.bytes, total)
	if err := p.settle(); err != nil {
		return err
	}
	for b.next < len(p.chunks) {
		if err := p.compareNext(); err != nil {
			return err
		}
		p.Report.Progress(protocol.StepVerify, b.bytes, total)
	}
	begun := time.Now()
	for _, c := range split(wiped) {
		if err := p.compare(b.buf, c.Extent, SumOf(zeros[:c.Length])); err != nil {
			return err
		}
		b.bytes += c.Length
		p.Report.Progress(protocol.StepVerify, b.bytes, total)
	}
	b.took += time.Since(begun)
	p.result.BytesVerified += b.bytes
	p.result.VerifyMS = b.took.Milliseconds()
	if err := p.probeAgain(); err != nil {
		return err
	}
	return p.lasted()
}

// wipedOnly are the wiped parts on which no content was written afterwards.
func (p *press) wipedOnly() []volume.Extent {
	return subtract(p.fit.Wipe, volume.Join(p.chunks, 0))
}

// compare reads a range of the device, through buf, and compares its hash.
func (p *press) compare(buf []byte, e volume.Extent, want Sum) error {
	if err := p.ended(); err != nil {
		return err
	}
	h := xxh3.New()
	for at := e.Offset; at < e.End(); {
		b := buf[:min(int64(len(buf)), e.End()-at)]
		if n, err := p.Device.ReadAt(b, at); err != nil && (n < len(b) || !errors.Is(err, io.EOF)) {
			var f *protocol.Fault
			if errors.As(err, &f) {
				return err
			}
			return protocol.WrapFault(err, protocol.FaultVerify, "offset", e.Offset, "want", want, "have", "unreadable")
		}
		_, _ = h.Write(b) // a hash takes everything
		at += int64(len(b))
	}
	if have := Sum(h.Sum128().Bytes()); have != want {
		return protocol.NewFault(protocol.FaultVerify, "offset", e.Offset, "want", want, "have", have)
	}
	return nil
}
