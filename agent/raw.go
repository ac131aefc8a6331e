package agent

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"syscall"

	"github.com/stickpress/stickpress/agent/cache"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/volume"
)

// raw brings all attempts of a JobRaw to their end: one disk image onto all
// sticks in one pass. An image that rotted in the cache is fetched again, once.
func (j *job) raw(ctx context.Context) {
	if j.assign.Image.Disk == nil {
		j.fail(j.attempts, protocol.NewFault(protocol.FaultKind, "kind", protocol.JobRaw))
		return
	}
	g := &group{job: j, attempts: j.openAll()}
	if len(g.attempts) == 0 {
		return
	}
	im, err := j.fetch(ctx, g.attempts)
	if err != nil {
		j.fail(g.attempts, err)
		return
	}
	defer func() { im.Release() }()
	content, err := g.disk(ctx, im)
	rotten := protocol.NewFault(protocol.FaultImageCorrupt)
	if rotten.Is(err) {
		if err = g.refetch(ctx, im, im.Entry, err); err == nil {
			content, err = g.disk(ctx, im)
		}
	}
	if err != nil {
		j.fail(g.attempts, err)
		return
	}
	sticks := j.readyForRaw(g.attempts)
	warnOfCopies(content.DiskID(), sticks)
	again := j.round(content, sticks, rotten)
	j.close(content)
	if len(again) == 0 {
		return
	}
	if err = g.refetch(ctx, im, im.Entry, again[0].why); err == nil {
		content, err = g.disk(ctx, im)
	}
	if err != nil {
		for _, s := range again {
			j.fail([]*attempt{s.at}, err)
		}
		return
	}
	j.round(content, again, nil)
	j.close(content)
}

// openAll opens every stick; one that is refused ends alone.
func (j *job) openAll() []*attempt {
	var all sync.WaitGroup
	for _, at := range j.attempts {
		all.Go(func() {
			if _, err := at.openToFill(); err != nil {
				j.fail([]*attempt{at}, err)
				return
			}
			at.StepDone(protocol.StepPreflight)
		})
	}
	all.Wait()
	return alive(j.attempts)
}

// rawContent is a disk image and its place in the cache, if it was expanded.
type rawContent struct {
	*stick.Raw
	entry *cache.Entry
}

// Close releases both.
func (c *rawContent) Close() error {
	err := c.Raw.Close()
	if c.entry != nil {
		c.entry.Release()
	}
	return err
}

// disk opens the image. One that would take too much memory to decode while it
// is written is expanded first.
func (g *group) disk(ctx context.Context, im *image) (*rawContent, error) {
	img := g.job.assign.Image
	spec := stick.RawSpec{
		Path: im.Path, SHA256: img.SHA256, Format: img.Format, Compression: img.Disk.Compression, DiskBytes: img.Disk.Bytes,
	}
	for _, r := range img.Disk.Mapped {
		spec.Mapped = append(spec.Mapped, volume.Extent(r))
	}
	c := new(rawContent)
	large, err := spec.Large()
	if err == nil && large {
		err = g.expand(ctx, c, &spec)
	}
	if err == nil {
		c.Raw, err = stick.OpenRaw(spec)
	}
	if err != nil {
		if c.entry != nil {
			c.entry.Release()
		}
		return nil, err
	}
	return c, nil
}

// expand has the image expanded into the cache. One is at a time: its decoder
// takes more memory than a press does.
func (g *group) expand(ctx context.Context, c *rawContent, spec *stick.RawSpec) (err error) {
	r := g.job.r
	if c.entry, err = r.cache.Master("disk-" + spec.SHA256); err != nil {
		return err
	}
	return step(g.attempts, protocol.StepFetch, func() error {
		select {
		case r.expanding <- struct{}{}:
			defer func() { <-r.expanding }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		try := func() error {
			expanded, err := r.expand(ctx, c.entry.Path, *spec, progress(g.attempts, protocol.StepFetch))
			if err == nil {
				*spec = expanded
			}
			return err
		}
		err := try()
		if errors.Is(err, syscall.ENOSPC) {
			if err := r.cache.MakeRoom(spec.DiskBytes); err != nil {
				return err
			}
			if err = try(); errors.Is(err, syscall.ENOSPC) { // others write to that disk, too
				return r.cache.Full(err, spec.DiskBytes)
			}
		}
		return err
	})
}

func (j *job) close(content *rawContent) {
	if err := content.Close(); err != nil {
		j.r.log.Warn("could not close a disk image", "err", err)
	}
}

// readyForRaw checks every stick again.
func (j *job) readyForRaw(attempts []*attempt) (sticks []ready) {
	for _, at := range attempts {
		d := at.press()
		if d == nil {
			continue
		}
		err := context.Cause(at.ctx)
		if err == nil {
			err = d.Check()
		}
		if err != nil {
			at.fail(err)
			continue
		}
		sticks = append(sticks, ready{at: at, device: d, target: stick.Target{
			Device: d, EraseFirst: j.assign.Options.EraseFirst, Context: at.ctx, Report: at,
			Demands: at.demands(&j.assign.Recipe),
		}})
	}
	return sticks
}

// warnOfCopies says that the sticks cannot be told apart by a computer.
func warnOfCopies(id string, sticks []ready) {
	if id == "" || len(sticks) < 2 {
		return
	}
	for _, s := range sticks {
		s.at.Log(protocol.LogLine{Level: "warn", Code: "disk_id_shared", Params: map[string]string{
			"disk_id": id, "sticks": strconv.Itoa(len(sticks)),
		}})
	}
}
