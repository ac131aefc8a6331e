package stick

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/stickpress/stickpress/agent/volume"
)

// A counterfeit stick says that it holds more than it does. Behind its real
// end it forgets what is written, or writes it somewhere else. Reading the
// content back does not show that as long as the content has room in front of
// that end, and Windows would lose files months later. So before the content
// comes, a few bytes are marked all over the stick and read back: a mark that
// was forgotten, or that another one was written over, is missing.

// probeStep is the distance between marks, in bytes. Memory chips come in
// multiples of it, so that whatever wraps around writes one mark over another.
const probeStep = gib

// probesOf are the offsets of the marks on a device of size bytes, lowest first:
// one in each probeStep, and one near the end.
func probesOf(size int64) []int64 {
	last := (size - 2*edge) / Alignment * Alignment
	var marks []int64
	for at := int64(probeStep / 2); at < last-edge; at += probeStep {
		marks = append(marks, at)
	}
	return append(marks, last)
}

// probe returns verify_mismatch for a counterfeit. The marks stay where no
// content is written over them: they mean nothing to anybody.
func (p *press) probe() error {
	marks := p.fit.Probes
	b := p.own[:Alignment]
	for _, at := range marks {
		copy(b, p.mark(at))
		if err := p.writeAt(b, at); err != nil {
			return err
		}
	}
	if err := p.sync(); err != nil {
		return err
	}
	for _, at := range marks {
		if err := p.compare(b, volume.Extent{Offset: at, Length: Alignment}, SumOf(p.mark(at))); err != nil {
			p.log("error", fmt.Sprintf("what was written at %d is not there: the stick is broken, or holds less than the %d bytes that it says", at, p.Device.Size()))
			return err
		}
	}
	return nil
}

// mark is what is written at an offset: nothing that an earlier press, or
// another offset, has left there.
func (p *press) mark(at int64) []byte {
	h := sha256.Sum256(binary.LittleEndian.AppendUint64(p.fit.Seed[:], uint64(at)))
	return bytes.Repeat(h[:], Alignment/len(h))
}
