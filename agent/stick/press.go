package stick

import (
	"context"
	"errors"
	"fmt"
	"sync"

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
// signatures are zeroed; its capacity is probed and its speed sampled; unused
// space is discarded
// where the device can; the content is written, flushed, read back and
// compared, what was flushed while the rest is still being written, and a page
// of each chunk of that again after it; the
// partition table comes last, and is read back too. So a stick that is not
// finished does not start, at whatever moment it ends.
//
// Faults: write_failed, verify_mismatch, stick_capacity_false, stick_too_slow,
// stick_too_slow_random, those of the content (a Master's:
// device_too_small, device_sector_size, answer_file_too_long) and of the
// device, and the cause of the context that ended it (cancelled when that is
// no fault). An outcome that wraps ErrMasterDamaged may be tried again after
// another Prepare.
func Press(ctx context.Context, content Content, targets []Target) []Outcome {
	return pressAll(ctx, content, targets, flushBytes)
}

func pressAll(ctx context.Context, content Content, targets []Target, flushEvery int64) []Outcome {
	f := newFeed(content)
	defer f.close()
	if d, ok := content.(Decoded); ok {
		d.Readers(len(targets))
	}
	records := &recorder{content: content}
	outcomes := make([]Outcome, len(targets))
	var wait sync.WaitGroup
	for i, t := range targets {
		wait.Go(func() {
			p := &press{content: content, feed: f, recorder: records, Target: t, back: readback{every: flushEvery}}
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
	cancel   context.CancelCauseFunc

	fit     *Fit
	chunks  []volume.Extent
	patches [][]volume.Patch // by chunk, nil for most
	shared  []Sum            // by chunk, as read
	sums    []Sum            // by chunk, as written
	lasting []lasting        // by chunk, as written
	own     []byte           // buffer for changed chunks and what is not content
	back    readback
	touched bool          // a byte of the device may have changed
	short   bool          // it holds less than it says, and an admin let that pass
	cleared bool          // what lay outside the content is gone
	sampled volume.Extent // where sample wrote
	pace    pace
	result  protocol.Result
}

func (p *press) run(ctx context.Context) Outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	p.cancel = cancel
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
		if fenced := protocol.NewFault(protocol.FaultFenced); p.touched && !errors.Is(p.ended(), fenced) {
			if wipeErr := p.wipe(p.put); wipeErr != nil && !errors.Is(wipeErr, fenced) {
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
	p.lasting = make([]lasting, len(p.chunks))
	both := p.feed.memory.get(2 * pieceBytes)
	p.own, p.back.buf = both[:pieceBytes:pieceBytes], both[pieceBytes:]
	p.pace.need = p.Demands.WriteRate
	p.result = protocol.Result{DiskID: p.fit.DiskID, MasterDigest: p.content.Digest()}
	return nil
}

func (p *press) steps() error {
	for _, s := range []struct {
		step protocol.Step
		do   func() error
	}{
		{protocol.StepWrite, p.write},
		{protocol.StepVerify, p.verify},
		{protocol.StepTable, p.writeTable},
	} {
		p.Report.StepBegun(s.step)
		if err := s.do(); err != nil {
			return err
		}
		p.Report.StepDone(s.step)
	}
	return nil
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
