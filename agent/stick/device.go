package stick

import (
	"errors"
	"fmt"
	"io"
	"slices"

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
// still due. But not when it was fenced off: it is another's by then. It does
// not start either way, its tables went first.
func (p *press) put(b []byte, offset int64) error {
	if cause := p.ended(); errors.Is(cause, protocol.NewFault(protocol.FaultFenced)) {
		return cause
	}
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

// settle is sync for a stick whose cache the kernel does not know of, too: what
// is read next is not what it only has in mind.
func (p *press) settle() error { return writeFault(p.Device.DropCaches(), p.Device.Size()) }

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
func (p *press) wipe(write func(b []byte, offset int64) error) error {
	for _, e := range p.fit.Wipe {
		for _, piece := range split([]volume.Extent{e}) {
			for at := piece.Offset; at < piece.End(); at += edge {
				if err := write(zeros[:min(edge, piece.End()-at)], at); err != nil {
					return fmt.Errorf("wipe old tables: %w", err)
				}
			}
		}
	}
	return p.sync()
}

// clear tells the device that all between its two ends is unused, and returns
// what must be zeroed besides: nothing, unless all that was there before must
// go. Content is written and read back either way.
func (p *press) clear() (zero []volume.Extent, err error) {
	if err := p.ended(); err != nil {
		return nil, err
	}
	size := p.Device.Size()
	between := volume.Extent{Offset: edge, Length: (size - 2*edge) / Alignment * Alignment}
	err = p.Device.Discard(between.Offset, between.Length)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		p.log("warn", fmt.Sprintf("discard: %v", err))
	}
	p.cleared = err == nil || p.EraseFirst
	if !p.EraseFirst {
		return nil, nil
	}
	gone := slices.Concat(p.chunks, p.fit.Wipe)
	if err == nil {
		gone = append(gone, between)
	}
	return subtract([]volume.Extent{{Length: size}}, volume.Join(gone, 0)), nil
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
	if err := p.settle(); err != nil {
		return err
	}
	for _, patch := range table {
		e := volume.Extent{Offset: patch.Offset, Length: int64(len(patch.Bytes))}
		if err := p.compare(p.own, e, SumOf(patch.Bytes)); err != nil {
			return err
		}
	}
	p.result.BytesVerified += total
	return nil
}
