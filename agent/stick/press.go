package stick

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// Outcome is how the press of one stick ended.
type Outcome struct {
	Result protocol.Result // when Err is nil
	// Err is a *protocol.Fault. Its Touched says whether the stick may have
	// changed; such a stick is incomplete, and its tables were wiped as far
	// as it still takes writes.
	Err error
	// Record is what a later Reread compares the stick with; nil where none
	// can be kept, which a line of the log explains.
	Record *Record
}

// Press writes content to all targets at the same time, each with what it has
// of its own, and returns when the last one has ended; each is told to
// its Ended before. Outcomes stand in the order of the targets. What ends one
// target leaves the others alone; ctx ends all.
//
// Per target: the device is checked by the content's Fit; Touched; old tables and
// signatures are zeroed; its capacity is probed; unused space is discarded
// where the device can; the content is written, flushed, read back and
// compared; the partition table comes last, and is read back too. So a stick
// that is not finished does not start, at whatever moment it ends.
//
// Faults: write_failed, verify_mismatch, those of the content (a Master's:
// device_too_small, device_sector_size, answer_file_too_long) and of the
// device, and the cause of the context that ended it (cancelled when that is
// no fault). An outcome that wraps ErrMasterDamaged may be tried again after
// another Prepare.
func Press(ctx context.Context, content Content, targets []Target) []Outcome {
	f := newFeed(content, len(targets))
	defer f.close()
	records := &recorder{content: content}
	outcomes := make([]Outcome, len(targets))
	var wait sync.WaitGroup
	for i, t := range targets {
		wait.Go(func() {
			p := &press{content: content, feed: f, recorder: records, Target: t}
			outcomes[i] = p.run(ctx)
			if t.Ended != nil {
				t.Ended(outcomes[i])
			}
		})
	}
	wait.Wait()
	return outcomes
}

// press is the work on one stick.
type press struct {
	Target
	content  Content
	feed     *feed
	recorder *recorder
	ctx      context.Context // ends with the target's or the whole press

	fit     *Fit
	chunks  []volume.Extent
	patches [][]volume.Patch // by chunk, nil for most
	shared  []Sum            // by chunk, as read
	sums    []Sum            // by chunk, as written
	own     []byte           // buffer for changed chunks and for reading back
	touched bool             // a byte of the device may have changed
	result  protocol.Result
}

func (p *press) run(ctx context.Context) Outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if p.Context != nil {
		stop := context.AfterFunc(p.Context, func() { cancel(context.Cause(p.Context)) })
		defer stop()
	}
	p.ctx = ctx
	if err := p.prepare(); err != nil {
		return Outcome{Err: p.fault(err, false)}
	}
	if err := p.Report.Touched(); err != nil {
		return Outcome{Err: p.fault(fmt.Errorf("before the first byte: %w", err), false)}
	}
	if err := p.steps(); err != nil {
		// Whoever was fenced off stops at once: the stick is another's. It
		// does not start either way, its tables went first.
		if p.touched && !errors.Is(err, protocol.NewFault(protocol.FaultFenced)) {
			if wipeErr := p.wipe(); wipeErr != nil {
				p.log("error", fmt.Sprintf("the partition table of the incomplete stick could not be wiped: %v", wipeErr))
			}
		}
		return Outcome{Err: p.fault(err, p.touched)}
	}
	record, err := p.record()
	if err != nil {
		p.log("warn", fmt.Sprintf("the stick cannot be proven later: %v", err))
		return Outcome{Result: p.result}
	}
	p.result.Record = &record.StickRecord
	return Outcome{Result: p.result, Record: record}
}

// prepare is all that can fail before the stick is touched.
func (p *press) prepare() error {
	if err := p.ended(); err != nil {
		return err
	}
	var err error
	if p.fit, err = p.content.Fit(&p.Target); err != nil {
		return err
	}
	p.chunks = p.content.Chunks()
	if p.patches, err = sortPatches(p.chunks, p.fit.Patches); err != nil {
		return err
	}
	p.shared, p.sums = make([]Sum, len(p.chunks)), make([]Sum, len(p.chunks))
	p.own = alignedBuffer(ChunkBytes)
	p.result = protocol.Result{DiskID: p.fit.DiskID, MasterDigest: p.content.Digest()}
	return nil
}

func (p *press) steps() error {
	for _, s := range []struct {
		step protocol.Step
		do   func() error
		took *int64
	}{
		{protocol.StepWrite, p.write, &p.result.WriteMS},
		{protocol.StepVerify, p.verify, &p.result.VerifyMS},
		{protocol.StepTable, p.writeTable, nil},
	} {
		p.Report.StepBegun(s.step)
		begun := time.Now()
		if err := s.do(); err != nil {
			return err
		}
		if s.took != nil {
			*s.took = time.Since(begun).Milliseconds()
		}
		p.Report.StepDone(s.step)
	}
	return nil
}

// write puts the content onto the device.
func (p *press) write() error {
	if err := p.wipe(); err != nil {
		return err
	}
	if err := p.probe(); err != nil {
		return err
	}
	p.discard()
	total := volume.Total(p.chunks)
	p.Report.Progress(protocol.StepWrite, 0, total)
	var done int64
	for i, c := range p.chunks {
		s, err := p.feed.get(p.ctx, i)
		if err != nil {
			return err
		}
		err = p.writeAt(p.personalise(i, s), c.Offset)
		p.feed.put(s)
		if err != nil {
			return err
		}
		done += c.Length
		p.Report.Progress(protocol.StepWrite, done, total)
	}
	p.result.BytesWritten += total
	if err := p.sync(); err != nil {
		return err
	}
	p.result.ContentDigest = contentDigest(p.chunks, p.sums).String()
	return nil
}

// personalise returns the bytes of chunk i for this stick, and notes their
// hash. Most chunks are the same for all and are written as they are.
func (p *press) personalise(i int, s *slot) []byte {
	p.shared[i], p.sums[i] = s.sum, s.sum
	if p.patches[i] == nil {
		return s.data
	}
	own := p.own[:len(s.data)]
	copy(own, s.data)
	for _, patch := range p.patches[i] {
		copy(own[patch.Offset-p.chunks[i].Offset:], patch.Bytes)
	}
	p.sums[i] = SumOf(own)
	return own
}

// contentDigest is one number for all content as it was written: a SHA-256
// over the offset, the length (both little-endian, 8 bytes) and the XXH3 of
// every chunk.
func contentDigest(chunks []volume.Extent, sums []Sum) digest {
	h := sha256.New()
	for i, c := range chunks {
		var place [16]byte
		binary.LittleEndian.PutUint64(place[:], uint64(c.Offset))
		binary.LittleEndian.PutUint64(place[8:], uint64(c.Length))
		h.Write(place[:])
		h.Write(sums[i][:])
	}
	return digest(h.Sum(nil))
}

// sortPatches says which patches lie in which chunk, cutting those that lie
// in several. A patch outside all chunks would be lost, so it is an error.
func sortPatches(chunks []volume.Extent, patches []volume.Patch) ([][]volume.Patch, error) {
	byChunk := make([][]volume.Patch, len(chunks))
	for _, patch := range patches {
		left := len(patch.Bytes)
		end := patch.Offset + int64(len(patch.Bytes))
		for i, c := range chunks {
			from, to := max(patch.Offset, c.Offset), min(end, c.End())
			if from >= to {
				continue
			}
			byChunk[i] = append(byChunk[i], volume.Patch{Offset: from, Bytes: patch.Bytes[from-patch.Offset : to-patch.Offset]})
			left -= int(to - from)
		}
		if left != 0 {
			return nil, fmt.Errorf("personalisation: %d bytes at %d are no part of the content", len(patch.Bytes), patch.Offset)
		}
	}
	return byChunk, nil
}

// ended returns why the stick was told to end, nil while it was not. The
// target's own context is asked first: p.ctx follows it a moment later.
func (p *press) ended() error {
	if p.Context != nil && p.Context.Err() != nil {
		return context.Cause(p.Context)
	}
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	return nil
}

// fault turns whatever ended a stick into the fault that is reported.
func (p *press) fault(err error, touched bool) error {
	var f *protocol.Fault
	if cause := p.ended(); cause != nil && errors.Is(err, cause) && !errors.As(err, &f) {
		err = protocol.WrapFault(err, protocol.FaultCancelled)
	}
	f = protocol.AsFault(err)
	reported := *f // its maker may use it for other sticks
	reported.Touched = touched
	if err != error(f) { //nolint:errorlint // whether something is wrapped around f
		reported.Err = err
	}
	return &reported
}

func (p *press) log(level, text string) {
	p.Report.Log(protocol.LogLine{Level: level, Text: text})
}
