package stick

import (
	"slices"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// Bounds of the stream that is written as a sample. What comes first ends it:
// a good stick is done in a moment, a bad one does not hold up its job.
const (
	sampleBytes = 64 * mib
	sampleTime  = 4 * time.Second
)

// Demands are what a stick must be able to do at least; 0 demands nothing.
type Demands struct {
	WriteRate  int64 // bytes per second, one after the other
	RandomIOPS int64 // writes of 4 KiB all over the stick, per second
	// Waived are the codes of faults that an admin lets pass.
	Waived []string
}

// reject reports a check that failed with f. It returns f, or nil if an admin
// lets that pass.
func (p *press) reject(c protocol.Check, f *protocol.Fault) error {
	if slices.Contains(p.Demands.Waived, f.Code) {
		c.Verdict = protocol.VerdictOverridden
		p.Report.Checked(c)
		return nil
	}
	c.Verdict = protocol.VerdictRefused
	p.Report.Checked(c)
	return f
}

// judgeRandom judges how long the marks of the probe took to write and to
// read: small transfers in no order, all over the stick, are what Windows will
// do most.
func (p *press) judgeRandom(write, read stretch) error {
	need := p.Demands.RandomIOPS
	c := protocol.NewCheck(protocol.CheckRandomIO, protocol.VerdictOK,
		"write_iops", write.rate(), "read_iops", read.rate(), "write_us", write.each().Microseconds(),
		"read_us", read.each().Microseconds(), "need", need)
	if write.rate() < need {
		return p.reject(c, protocol.NewFault(protocol.FaultTooSlowRandom, "have", write.rate(), "need", need))
	}
	p.Report.Checked(c)
	return nil
}

// sample measures how fast the stick takes a stream, with the job's other
// sticks at work beside it: as fast as the job will find it. It writes where
// content may come, in the middle of the stick, and only where a task sequence
// demands something: the content itself shows the rest (pace).
func (p *press) sample() error {
	need := p.Demands.WriteRate
	if need == 0 {
		return nil
	}
	b := alignedBuffer(ChunkBytes)
	for i := 0; i < len(b); i += Alignment {
		copy(b[i:], p.mark(int64(i)))
	}
	most := min(sampleBytes, p.Device.Size()/8)
	for _, eighth := range []int64{4, 5, 6, 3, 2} { // where nothing must be zeros
		p.sampled.Offset = p.Device.Size() / 8 * eighth / ChunkBytes * ChunkBytes
		if !overlap(p.fit.Wipe, volume.Extent{Offset: p.sampled.Offset, Length: most}) {
			break
		}
	}
	got, err := p.timed(func() (int64, error) {
		begun := p.now()
		for p.sampled.Length+ChunkBytes <= most && p.now().Sub(begun) < sampleTime {
			if err := p.writeAt(b, p.sampled.End()); err != nil {
				return 0, err
			}
			p.sampled.Length += ChunkBytes
		}
		return p.sampled.Length, p.sync()
	})
	if err != nil {
		return err
	}
	c := protocol.NewCheck(protocol.CheckWriteRate, protocol.VerdictOK, "write_rate", got.rate(), "need_rate", need, "sample_bytes", got.count)
	if got.rate() < need {
		return p.reject(c, protocol.NewFault(protocol.FaultTooSlow, "have_rate", got.rate(), "need_rate", need))
	}
	p.Report.Checked(c)
	return nil
}

// stretch is how long some bytes, or some transfers, took.
type stretch struct {
	count int64
	took  time.Duration
}

// rate is how many there were in a second.
func (s stretch) rate() int64 {
	if s.took <= 0 {
		return 0
	}
	return int64(float64(s.count) / s.took.Seconds())
}

// each is how long one of them took.
func (s stretch) each() time.Duration { return s.took / time.Duration(max(s.count, 1)) }

// timed measures do, which returns how many it did.
func (p *press) timed(do func() (int64, error)) (stretch, error) {
	begun := p.now()
	n, err := do()
	// A coarse clock may not have moved.
	return stretch{n, max(p.now().Sub(begun), time.Microsecond)}, err
}

func (p *press) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// overlap reports whether any of the extents shares a byte with e.
func overlap(extents []volume.Extent, e volume.Extent) bool {
	return slices.ContainsFunc(extents, func(o volume.Extent) bool { return e.Offset < o.End() && o.Offset < e.End() })
}
