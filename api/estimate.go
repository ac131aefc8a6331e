package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// EstimateInput is a job that may be queued.
type EstimateInput struct {
	Kind         protocol.JobKind // empty means protocol.JobPress
	Host         string           // ID or name
	TaskSequence string           // ID or name, of JobPress; empty means the default
	Version      string           // ID, of JobRaw
	Bytes        []int64          // the sizes of its sticks
	// Wipe is how a JobWipe does it; nil is in any way.
	Wipe *protocol.WipeOptions
}

// Estimate is how long a job will take by what such builds took. The sticks of
// a job are written at once: the slowest kind of them counts.
type Estimate struct {
	Builds int           `json:"builds"` // that it is made from; 0: nothing is known
	Low    time.Duration `json:"-"`      // one of ten was faster
	High   time.Duration `json:"-"`      // one of ten was slower
}

// EstimateJob looks at the verified builds of the host of the same kind, the
// same task sequence (of a disk image: the same version; of a wipe: the same way
// to do it) and the same capacity class. Where it has none of one of the classes, nothing is known.
// Faults: host_not_found, task_sequence_not_found, image_version_not_found.
func (c *Console) EstimateJob(ctx context.Context, a Actor, in EstimateInput) (Estimate, error) {
	if err := allow(a, UseEstimateJob); err != nil {
		return Estimate{}, err
	}
	host, err := findHost(ctx, c.store.Reader, a, in.Host)
	if err != nil {
		return Estimate{}, err
	}
	f := store.TimesFilter{HostID: host.ID, Kind: in.Kind.OrPress()}
	switch f.Kind { //nolint:exhaustive // the others depend on the stick alone
	case protocol.JobPress:
		s, err := findSequence(ctx, c.store.Reader, in.TaskSequence)
		if err != nil {
			return Estimate{}, err
		}
		f.SequenceID = s.ID
	case protocol.JobWipe:
		f.Wipe = in.Wipe
	case protocol.JobRaw:
		if f.VersionID, err = parse[store.VersionID]("image_version", in.Version); err != nil {
			return Estimate{}, err
		}
	}
	var out Estimate
	known := map[int64]bool{}
	for _, bytes := range in.Bytes {
		class := CapacityClass(bytes)
		if known[class] {
			continue
		}
		known[class] = true
		f.Least, f.Below = class, nextClass(class)
		t, err := c.store.BuildTimes(ctx, f)
		if err != nil {
			return Estimate{}, err
		}
		if t.Count == 0 {
			return Estimate{}, nil
		}
		out.Builds += t.Count
		out.Low, out.High = max(out.Low, t.Low()), max(out.High, t.High())
	}
	return out, nil
}

// nextClass is where a capacity class ends, 0 for the greatest.
func nextClass(class int64) int64 {
	for _, c := range capacityClasses {
		if c > class {
			return c
		}
	}
	return 0
}

// LastJob returns the newest job of a kind that the actor queued.
// Faults: job_not_found.
func (c *Console) LastJob(ctx context.Context, a Actor, kind protocol.JobKind) (Job, error) {
	if err := allow(a, UseGetJob); err != nil {
		return Job{}, err
	}
	by, err := a.by()
	if err != nil {
		return Job{}, err
	}
	if by.ID.IsZero() {
		return Job{}, store.NotFound("job", kind)
	}
	j, err := c.store.NewestJobBy(ctx, by.ID, kind)
	if err == nil && !a.InSite(j.SiteID.String()) {
		err = store.NotFound("job", kind)
	}
	if err != nil {
		return Job{}, err
	}
	return c.jobOf(ctx, c.names(), &j)
}
