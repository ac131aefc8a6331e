package agent

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/stickpress/stickpress/agent/cache"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

// errNobody ends the work of a job when none of its attempts is left.
var errNobody = errors.New("every stick of the job has ended")

// job is the accepted part of one assignment.
type job struct {
	r        *runner
	assign   *protocol.Assign
	attempts []*attempt
}

// group is the sticks of a job that share one master.
type group struct {
	job      *job
	spec     stick.Spec
	attempts []*attempt
}

// run brings all attempts to their end.
func (j *job) run() {
	ctx, cancel := context.WithCancelCause(j.r.hard)
	defer cancel(nil)
	defer j.r.tickets.forget(j.assign.JobID)
	left := new(atomic.Int64)
	left.Store(int64(len(j.attempts)))
	for _, at := range j.attempts {
		context.AfterFunc(at.ctx, func() {
			if left.Add(-1) == 0 {
				cancel(errNobody)
			}
		})
	}
	// An attempt ends in a goroutine of its context when it is cancelled:
	// the job is over when all ends are written.
	defer func() {
		for _, at := range j.attempts {
			<-at.done
		}
	}()

	switch kind := j.assign.Kind.OrPress(); kind {
	case protocol.JobPress:
		j.press(ctx)
	case protocol.JobRaw:
		j.raw(ctx)
	case protocol.JobWipe:
		j.wipe()
	case protocol.JobVerify:
		j.verify()
	case protocol.JobCapture:
		j.capture()
	default:
		j.fail(j.attempts, protocol.NewFault(protocol.FaultKind, "kind", kind))
	}
}

// press brings all attempts of a JobPress to their end.
func (j *job) press(ctx context.Context) {
	groups := j.preflight()
	if len(groups) == 0 {
		return
	}
	image, err := j.fetch(ctx, j.attempts)
	if err != nil {
		j.fail(j.attempts, err)
		return
	}
	var presses sync.WaitGroup
	for _, g := range groups {
		m, err := g.master(ctx, image)
		if err != nil {
			j.fail(g.attempts, err)
			continue
		}
		presses.Go(func() { g.press(ctx, m, image) })
	}
	presses.Wait()
	image.Release()
}

// fail ends those that have not ended. Work that stopped because nobody was
// left, or because the process stops, is their own contexts' matter.
func (j *job) fail(attempts []*attempt, err error) {
	for _, at := range attempts {
		if cause := context.Cause(at.ctx); cause != nil {
			at.fail(cause)
		} else {
			at.fail(err)
		}
	}
}

// preflight opens every stick and sorts them by the master that they need.
// One that is refused ends alone.
func (j *job) preflight() (groups []*group) {
	specs := make([]*stick.Spec, len(j.attempts))
	var all sync.WaitGroup
	for i, at := range j.attempts {
		all.Go(func() {
			spec, err := j.check(at)
			if err != nil {
				j.fail([]*attempt{at}, err)
				return
			}
			specs[i] = &spec
		})
	}
	all.Wait()
	for i, at := range j.attempts {
		if specs[i] == nil {
			continue
		}
		n := slices.IndexFunc(groups, func(g *group) bool { return g.spec == *specs[i] })
		if n < 0 {
			n = len(groups)
			groups = append(groups, &group{job: j, spec: *specs[i]})
		}
		groups[n].attempts = append(groups[n].attempts, at)
	}
	return groups
}

// check opens one stick without changing it, and says which master it needs.
func (j *job) check(at *attempt) (stick.Spec, error) {
	rec := &j.assign.Recipe
	spec := stick.Spec{
		ImageSHA256: j.assign.Image.SHA256, Edition: rec.Edition, Layout: rec.Layout,
		BootSignature: rec.BootSignature, PortableOperatingSystem: rec.PortableOperatingSystem,
	}
	d, err := at.openToFill()
	if err != nil {
		return spec, err
	}
	spec.SectorSize = d.SectorSize()
	if spec.Layout == protocol.LayoutMBRDual {
		if spec.SectorSize != 512 && !slices.Contains(at.build.Overrides, protocol.FaultSectorSize) {
			return spec, protocol.NewFault(protocol.FaultSectorSize, "layout", spec.Layout, "sector_size", spec.SectorSize)
		}
		// The content ends within the class; Windows cannot grow beyond this.
		if usable := int64(spec.SectorSize) << 32; d.Size() > usable {
			at.Checked(protocol.NewCheck(protocol.CheckTable, protocol.VerdictWarn, "device_bytes", d.Size(), "usable_bytes", usable))
		}
	}
	if spec.CapacityClass, err = j.r.engine.Class(d.Size()); err != nil {
		return spec, err
	}
	at.StepDone(protocol.StepPreflight)
	return spec, nil
}

// alive lists the attempts that go on.
func alive(attempts []*attempt) (out []*attempt) {
	for _, at := range attempts {
		if at.alive() {
			out = append(out, at)
		}
	}
	return out
}

// step reports the begin of a step to all, and its end if do succeeds.
func step(attempts []*attempt, s protocol.Step, do func() error) error {
	for _, at := range alive(attempts) {
		at.StepBegun(s)
	}
	if err := do(); err != nil {
		return err
	}
	for _, at := range alive(attempts) {
		at.StepDone(s)
	}
	return nil
}

// progress reports to all that go on.
func progress(attempts []*attempt, s protocol.Step) func(done, total int64) {
	return func(done, total int64) {
		for _, at := range attempts {
			at.Progress(s, done, total)
		}
	}
}

// image is the cached file of a job; it may be fetched anew.
type image struct {
	mu sync.Mutex
	*cache.Entry
	lost error // why a rotten one could not be fetched anew
}

// now is the file as it is by now, or why there is none.
func (im *image) now() (*cache.Entry, error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.Entry, im.lost
}

// fetch brings the image into the cache. Only this waits for the server, so
// only this is given up when the agent stops.
func (j *job) fetch(ctx context.Context, attempts []*attempt) (*image, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(j.r.soft, func() { cancel(context.Cause(j.r.soft)) })
	defer stop()
	im := new(image)
	return im, step(attempts, protocol.StepFetch, func() (err error) {
		im.Entry, err = j.r.cache.Fetch(ctx, cache.Request{
			SHA256: j.assign.Image.SHA256,
			Bytes:  j.assign.Image.Bytes,
			// A master is made of an image with checksums of its own; a disk
			// image is written as it lies there.
			Verify: j.assign.Kind == protocol.JobRaw,
			Ticket: func(ctx context.Context, stale string) (string, error) {
				return j.r.tickets.get(ctx, j.assign.JobID, stale)
			},
			Progress: progress(attempts, protocol.StepFetch),
		})
		return err
	})
}

// master is a prepared master and its place in the cache.
type master struct {
	*stick.Master
	entry *cache.Entry
}

// release gives the master's files back to the cache.
func (m *master) release(r *runner) {
	if err := m.Close(); err != nil {
		r.log.Warn("could not close a master", "err", err)
	}
	m.entry.Release()
}

// master makes the group's master, or finds it.
func (g *group) master(ctx context.Context, im *image) (m master, err error) {
	if m.entry, err = g.job.r.cache.Master(g.spec.Digest()); err != nil {
		return m, err
	}
	err = step(g.attempts, protocol.StepMaster, func() error {
		m.Master, err = g.prepare(ctx, m.entry.Path, im)
		return err
	})
	if err != nil {
		m.entry.Release()
	}
	return m, err
}

// prepare has the master made in dir. What can be repaired is tried a second
// time: an image that rotted in the cache, a full disk with something to
// evict.
func (g *group) prepare(ctx context.Context, dir string, im *image) (*stick.Master, error) {
	r := g.job.r
	var used *cache.Entry
	try := func() (*stick.Master, error) {
		spec := g.spec
		var err error
		if used, err = im.now(); err != nil {
			return nil, err
		}
		spec.ImagePath = used.Path
		return r.engine.Prepare(ctx, dir, spec, progress(g.attempts, protocol.StepMaster))
	}
	m, err := try()
	if err == nil || ctx.Err() != nil {
		return m, err
	}
	now, lost := im.now()
	var f *protocol.Fault
	switch errors.As(err, &f); {
	case lost != nil:
		return nil, lost
	case now != used: // another master of the job found it rotten
	case errors.Is(err, syscall.ENOSPC), f != nil && f.Code == protocol.FaultCacheFull:
		if full := r.cache.MakeRoom(g.need(f)); full != nil {
			return nil, full
		}
	case f != nil && f.Code == protocol.FaultImageCorrupt, used.Gone():
		if err := g.refetch(ctx, im, used, err); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	return try()
}

// need is how many bytes a master lacked. Where f does not say: applied, an
// image takes two to three times its bytes.
func (g *group) need(f *protocol.Fault) int64 {
	if f != nil {
		if n, err := strconv.ParseInt(f.Params["need_bytes"], 10, 64); err == nil {
			return n
		}
	}
	return 3 * g.job.assign.Image.Bytes
}

// refetch replaces the image that was used and found rotten, unless that was
// done meanwhile. An error is what to report: why, if it is the image that was
// assigned, else what keeps it from being fetched.
func (g *group) refetch(ctx context.Context, im *image, used *cache.Entry, why error) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.lost != nil || im.Entry != used {
		return im.lost
	}
	if r := g.job.r; !used.Gone() { // else another job has found out
		err := r.cache.Verify(ctx, used)
		if err == nil {
			return why
		}
		r.log.Error("an image in the cache was damaged and is fetched again", "err", err)
	}
	im.Release()
	next, err := g.job.fetch(ctx, g.attempts)
	if err != nil {
		im.lost = err
		return err
	}
	im.Entry = next.Entry
	return nil
}
