package agent

import (
	"context"
	"strconv"
	"sync"

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
	content, err := j.disk(im)
	rotten := protocol.NewFault(protocol.FaultImageCorrupt)
	if err != nil {
		if !rotten.Is(err) || g.refetch(ctx, im) != nil {
			j.fail(g.attempts, err)
			return
		}
		if content, err = j.disk(im); err != nil {
			j.fail(g.attempts, err)
			return
		}
	}
	sticks := j.readyForRaw(g.attempts)
	warnOfCopies(content.DiskID(), sticks)
	again := j.round(content, sticks, rotten)
	j.close(content)
	if len(again) == 0 {
		return
	}
	err = g.refetch(ctx, im)
	if err == nil {
		content, err = j.disk(im)
	}
	if err != nil {
		for _, s := range again {
			j.fail([]*attempt{s.at}, protocol.WrapFault(err, protocol.FaultImageCorrupt, "detail", err))
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

// disk opens the image.
func (j *job) disk(im *image) (*stick.Raw, error) {
	img := j.assign.Image
	spec := stick.RawSpec{
		Path: im.Path, SHA256: img.SHA256, Format: img.Format, Compression: img.Disk.Compression, DiskBytes: img.Disk.Bytes,
	}
	for _, r := range img.Disk.Mapped {
		spec.Mapped = append(spec.Mapped, volume.Extent(r))
	}
	return stick.OpenRaw(spec)
}

func (j *job) close(content *stick.Raw) {
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
		sticks = append(sticks, ready{at, d, stick.Target{
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
