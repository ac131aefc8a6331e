package stick

import (
	"errors"
	"fmt"
	"io"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// writeAt writes whole sectors, unless the stick was told to end.
func (p *press) writeAt(b []byte, offset int64) error {
	if err := p.ended(); err != nil {
		return err
	}
	return p.put(b, offset)
}

// put writes even when the stick was told to end: wiping its table is then
// still due.
func (p *press) put(b []byte, offset int64) error {
	n, err := p.Device.WriteAt(b, offset)
	// A device that refuses its first write, because it is not the one that
	// was confirmed, says so in a fault; of all others nobody knows.
	var f *protocol.Fault
	if n > 0 || !errors.As(err, &f) || f.Touched {
		p.touched = true
	}
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return writeFault(err, offset+int64(n))
}

func (p *press) sync() error { return writeFault(p.Device.Sync(), p.Device.Size()) }

// writeFault keeps what a device says about itself and gives other errors
// their place.
func writeFault(err error, offset int64) error {
	var f *protocol.Fault
	if err == nil || errors.As(err, &f) {
		return err
	}
	return protocol.WrapFault(err, protocol.FaultWrite, "offset", offset, "path", "")
}

// wipe zeroes what could be taken for a table or a filesystem, and returns
// when that is on the device.
func (p *press) wipe() error {
	zeros := alignedBuffer(edge)
	for _, e := range p.fit.Wipe {
		for _, piece := range split([]volume.Extent{e}) {
			for at := piece.Offset; at < piece.End(); at += edge {
				if err := p.put(zeros[:min(edge, piece.End()-at)], at); err != nil {
					return fmt.Errorf("wipe old tables: %w", err)
				}
			}
		}
	}
	return p.sync()
}

// discard tells the device that all between its two ends is unused. Not
// being able to is no fault: content is written and read back either way.
func (p *press) discard() {
	length := (p.Device.Size() - 2*edge) / Alignment * Alignment
	err := p.Device.Discard(edge, length)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		p.log("warn", fmt.Sprintf("discard: %v", err))
	}
}

// verify reads everything that was written back from the device, past every
// cache that the host knows of, and compares. What was wiped must be zeros,
// so that no old table is left beside the new one.
func (p *press) verify() error {
	wiped := p.wipedOnly()
	total := volume.Total(p.chunks) + volume.Total(wiped)
	p.Report.Progress(protocol.StepVerify, 0, total)
	done := int64(0)
	for i, c := range p.chunks {
		if err := p.compare(c, p.sums[i]); err != nil {
			return err
		}
		done += c.Length
		p.Report.Progress(protocol.StepVerify, done, total)
	}
	for _, c := range split(wiped) {
		if err := p.compare(c.Extent, SumOf(make([]byte, c.Length))); err != nil {
			return err
		}
		done += c.Length
		p.Report.Progress(protocol.StepVerify, done, total)
	}
	p.result.BytesVerified += done
	return nil
}

// wipedOnly are the wiped parts on which no content was written afterwards.
func (p *press) wipedOnly() []volume.Extent {
	return subtract(p.fit.Wipe, volume.Join(p.chunks, 0))
}

// compare reads a range of the device and compares its hash.
func (p *press) compare(e volume.Extent, want Sum) error {
	if err := p.ended(); err != nil {
		return err
	}
	b := p.own[:e.Length]
	if n, err := p.Device.ReadAt(b, e.Offset); err != nil && (n < len(b) || !errors.Is(err, io.EOF)) {
		var f *protocol.Fault
		if errors.As(err, &f) {
			return err
		}
		return protocol.WrapFault(err, protocol.FaultVerify, "offset", e.Offset, "want", want, "have", "unreadable")
	}
	if have := SumOf(b); have != want {
		return protocol.NewFault(protocol.FaultVerify, "offset", e.Offset, "want", want, "have", have)
	}
	return nil
}

// writeTable makes the stick startable. Sector 0 comes last, after all other
// parts are on the device.
func (p *press) writeTable() error {
	table := p.fit.Table
	total := int64(0)
	for _, patch := range table {
		total += int64(len(patch.Bytes))
	}
	done := int64(0)
	for i, patch := range table {
		if i == len(table)-1 && i > 0 {
			if err := p.sync(); err != nil {
				return err
			}
		}
		b := p.own[:copy(p.own, patch.Bytes)]
		if err := p.writeAt(b, patch.Offset); err != nil {
			return err
		}
		done += int64(len(b))
		p.Report.Progress(protocol.StepTable, done, total)
	}
	p.result.BytesWritten += total
	if err := p.sync(); err != nil {
		return err
	}
	for _, patch := range table {
		e := volume.Extent{Offset: patch.Offset, Length: int64(len(patch.Bytes))}
		if err := p.compare(e, SumOf(patch.Bytes)); err != nil {
			return err
		}
	}
	p.result.BytesVerified += total
	return nil
}
