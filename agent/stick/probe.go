package stick

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// A counterfeit stick says that it holds more than it does. Behind its real
// end it forgets what is written, or writes it somewhere else. Reading the
// content back does not show that as long as the content has room in front of
// that end, and Windows would lose files months later. So before the content
// comes, a few bytes are marked all over the stick and read back: a mark that
// was forgotten, or that another one was written over, is missing. They are
// read twice: what a cache held up at first is gone after it was emptied. And
// those that no content is written over are read once more after all of it:
// a stick that wraps around at an odd place has lost some by then.

// Marks are where a stick of size bytes is marked: Alignment bytes at each
// offset, in rising order, none in what is avoided.
//
// Memory chips come in multiples of a GiB, so that one mark in each of them,
// or in each 256th of a large stick, meets another one where a stick wraps
// around; further marks lie behind the first one at the distances of powers of
// two, which is where an address line that is not there leads to. The last one
// is near the end.
func Marks(size int64, avoid []volume.Extent) []int64 {
	step := int64(gib)
	for size/step > 256 {
		step *= 2
	}
	const first = gib / 2
	last := (size - 2*edge) / Alignment * Alignment
	marks := []int64{last}
	for at := int64(first); at < last-edge; at += step {
		marks = append(marks, at)
	}
	for distance := int64(4 * mib); first+distance < last-edge; distance *= 2 {
		marks = append(marks, first+distance)
	}
	slices.Sort(marks)
	return slices.DeleteFunc(slices.Compact(marks), func(at int64) bool {
		return at < 0 || overlap(avoid, volume.Extent{Offset: at, Length: Alignment})
	})
}

// probe finds out a counterfeit, and how the stick takes small transfers. The
// marks stay where no content is written over them: they mean nothing to
// anybody.
func (p *press) probe() error {
	marks := slices.Clone(p.fit.Probes)
	order := rand.New(rand.NewChaCha8(sha256.Sum256(p.fit.Seed[:]))) //nolint:gosec // an order, no secret
	order.Shuffle(len(marks), func(i, j int) { marks[i], marks[j] = marks[j], marks[i] })
	b := p.own[:Alignment]
	wrote, err := p.timed(func() (int64, error) {
		for _, at := range marks {
			copy(b, p.mark(at))
			if err := p.writeAt(b, at); err != nil {
				return 0, err
			}
		}
		return int64(len(marks)), p.sync()
	})
	if err != nil {
		return err
	}
	if err := p.marked(marks); err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	read, err := p.timed(func() (int64, error) { return int64(len(marks)), p.marked(marks) })
	if err != nil || p.short {
		return err
	}
	size := p.Device.Size()
	p.Report.Checked(protocol.NewCheck(protocol.CheckCapacity, protocol.VerdictOK, "device_bytes", size, "marks", len(marks)))
	return p.judgeRandom(wrote, read)
}

// probeAgain reads the marks that nothing was written over since.
func (p *press) probeAgain() error {
	if p.cleared {
		return nil
	}
	over := slices.Concat(p.chunks, []volume.Extent{p.sampled})
	return p.marked(slices.DeleteFunc(slices.Clone(p.fit.Probes), func(at int64) bool {
		return overlap(over, volume.Extent{Offset: at, Length: Alignment})
	}))
}

// marked reads marks back. One that is missing ends the stick, unless an admin
// lets that pass; then the others need not be looked at.
func (p *press) marked(marks []int64) error {
	if p.short {
		return nil
	}
	for _, at := range marks {
		err := p.compare(p.own, volume.Extent{Offset: at, Length: Alignment}, SumOf(p.mark(at)))
		var f *protocol.Fault
		if err == nil {
			continue
		}
		if !errors.As(err, &f) || f.Code != protocol.FaultVerify || f.Err != nil {
			return err // it cannot be read, which is another matter
		}
		p.short = true
		size := p.Device.Size()
		return p.reject(protocol.NewCheck(protocol.CheckCapacity, protocol.VerdictOK, "device_bytes", size, "marks", len(p.fit.Probes), "offset", at),
			protocol.WrapFault(err, protocol.FaultCapacity, "offset", at, "device_bytes", size))
	}
	return nil
}

// mark is what is written at an offset: nothing that an earlier press, or
// another offset, has left there.
func (p *press) mark(at int64) []byte {
	h := sha256.Sum256(binary.LittleEndian.AppendUint64(p.fit.Seed[:], uint64(at)))
	return bytes.Repeat(h[:], Alignment/len(h))
}
