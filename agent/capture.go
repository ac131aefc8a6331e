package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/stickpress/stickpress/agent/cache"
	"github.com/stickpress/stickpress/agent/capture"
	"github.com/stickpress/stickpress/agent/fulldisk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/upload"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
)

// capture brings all attempts of a JobCapture to their end. Nothing is written
// to a source, so that an agent that stops gives them up.
func (j *job) capture() {
	if j.assign.Options.Capture == nil {
		j.fail(j.attempts, protocol.NewFault(protocol.FaultKind, "kind", protocol.JobCapture))
		return
	}
	for _, at := range j.attempts {
		c := &capturing{attempt: at, j: j, options: j.assign.Options.Capture}
		res, err := c.run()
		if err != nil {
			j.fail([]*attempt{at}, err)
			continue
		}
		at.verified(*res)
	}
}

// capturing is one source on its way to an image version.
type capturing struct {
	*attempt
	j       *job
	options *protocol.CaptureOptions
}

func (c *capturing) run() (*protocol.Result, error) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	stop := context.AfterFunc(c.r.soft, func() { cancel(protocol.NewFault(protocol.FaultRestart, "step", c.meterStep())) })
	defer stop()
	var src *source
	var volume *capture.Volume
	err := c.do(protocol.StepPreflight, func() (err error) {
		if src, err = c.open(); err != nil {
			return err
		}
		volume, err = c.look(src)
		return err
	})
	if src != nil {
		defer src.close()
	}
	if err != nil {
		return nil, err
	}
	work, err := c.room(volume.Bytes())
	if err != nil {
		return nil, err
	}
	defer work.Release()
	image := filepath.Join(work.Path, "image.wim")
	if err := c.do(protocol.StepCapture, func() error { return c.pack(ctx, src, volume, work, image) }); err != nil {
		return nil, c.noSpace(err, volume.Bytes())
	}
	ticket := func(ctx context.Context, stale string) (string, error) {
		return c.r.tickets.get(ctx, c.j.assign.JobID, stale)
	}
	var sent upload.Sent
	err = c.do(protocol.StepUpload, func() (err error) {
		sent, err = c.r.uploads.Send(ctx, image, ticket, func(done, total int64) { c.Progress(protocol.StepUpload, done, total) })
		return err
	})
	if err != nil {
		return nil, err
	}
	var made protocol.Published
	err = c.do(protocol.StepPublish, func() (err error) {
		made, err = c.r.uploads.Publish(ctx, sent, ticket)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &protocol.Result{Capture: &protocol.CaptureResult{
		VersionID: made.VersionID, SHA256: sent.SHA256, Bytes: sent.Bytes, ReadBytes: volume.Bytes(),
		ProductName: volume.Windows.ProductName, ImageState: volume.Windows.ImageState,
	}}, nil
}

// do reports a step around its work.
func (c *capturing) do(s protocol.Step, work func() error) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if s != protocol.StepPreflight { // attempt.enter begins that one
		c.StepBegun(s)
	}
	if err := work(); err != nil {
		return err
	}
	c.StepDone(s)
	return nil
}

// source is what is captured, with how its use ends.
type source struct {
	capture.Source
	check func() error // whether it still is what was confirmed
	close func()
}

// open opens the device or the file that was confirmed.
func (c *capturing) open() (*source, error) {
	if c.build.Identity.Kind == protocol.KindFile {
		if err := c.enter(); err != nil {
			return nil, err
		}
		f, err := c.r.files.Open(c.build.Identity)
		if err != nil {
			return nil, err
		}
		return &source{f.Source, f.Check, func() { _ = f.Close() }}, nil
	}
	d, err := c.openToRead()
	if err != nil {
		return nil, err
	}
	return &source{capture.Source{ReaderAt: d, Bytes: d.Size(), SectorSize: d.SectorSize()}, d.Check, c.letGo}, nil
}

// look says what of the source is captured, and refuses what must not be.
func (c *capturing) look(src *source) (*capture.Volume, error) {
	if err := capture.Ready(); err != nil {
		return nil, err
	}
	globs, err := exclusion.Parse(c.options.Exclude)
	var bad *exclusion.Error
	if errors.As(err, &bad) {
		return nil, protocol.NewFault(protocol.FaultExclusion, "line", bad.Line, "text", bad.Text, "reason", bad.Reason)
	}
	v, err := capture.Look(src.Source, capture.Options{
		Partition: c.options.Partition, Exclude: globs,
		AnyState: slices.Contains(c.build.Overrides, protocol.FaultCaptureNotGeneralized),
	})
	if err == nil {
		c.Log(protocol.LogLine{Level: "info", Code: "capture_found", Params: map[string]string{
			"product": v.Windows.ProductName, "state": v.Windows.ImageState,
		}})
	}
	return v, err
}

// room gives a place for the copy and the image: an image is never much larger
// than what it is made of. Where there is not room for twice that, there may
// be enough all the same.
func (c *capturing) room(bytes int64) (*cache.Entry, error) {
	// An earlier attempt may still be cleaning up.
	name := fmt.Sprintf("%s-%d", c.BuildID, c.Attempt)
	work, err := c.r.cache.Work(name, 2*bytes)
	if err != nil && protocol.AsFault(err).Code == protocol.FaultCacheFull {
		return c.r.cache.Work(name, bytes)
	}
	return work, err
}

// pack makes the image. The source is let go as soon as it is copied.
func (c *capturing) pack(ctx context.Context, src *source, v *capture.Volume, work *cache.Entry, image string) error {
	file := filepath.Join(work.Path, capture.CopyName)
	total := 2 * v.Bytes() // read once, packed once
	err := v.Copy(ctx, file, func(done, _ int64) { c.Progress(protocol.StepCapture, done, total) })
	if err == nil {
		err = src.check()
	}
	if err != nil {
		return err
	}
	src.close()
	c.Log(protocol.LogLine{Level: "info", Code: "capture_copied"})
	return v.Pack(ctx, file, image, c.options.Notes, func(done, all int64) {
		if all > 0 {
			c.Progress(protocol.StepCapture, v.Bytes()+int64(float64(v.Bytes())*float64(done)/float64(all)), total)
		}
	})
}

// noSpace says how much the disk lacked.
func (c *capturing) noSpace(err error, bytes int64) error {
	if err = fulldisk.Wrap(err); !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return protocol.WrapFault(err, protocol.FaultCacheFull, "need_bytes", 2*bytes, "free_bytes", 0)
}

// letGo closes the device of an attempt that goes on without it.
func (at *attempt) letGo() {
	at.mu.Lock()
	d := at.device
	at.device = nil
	at.mu.Unlock()
	if d != nil {
		at.r.close(d)
	}
}

// meterStep is the step that the attempt is in.
func (at *attempt) meterStep() protocol.Step {
	at.mu.Lock()
	defer at.mu.Unlock()
	return at.meter.step
}
