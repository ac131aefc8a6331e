package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// Overview is the first page: what runs, what failed, who is there.
type Overview struct {
	HostsOnline    int       `json:"hosts_online"`
	HostsTotal     int       `json:"hosts_total"` // revoked ones not counted
	JobsQueued     int       `json:"jobs_queued"`
	JobsRunning    int       `json:"jobs_running"`
	SticksVerified int       `json:"sticks_verified"` // that carry a verified version now
	Running        []Job     `json:"running"`         // unfinished, newest first, at most 20
	Failures       []Failure `json:"failures"`        // newest first, at most 10
	At             time.Time `json:"at"`
}

// Failure is one build that failed.
type Failure struct {
	JobID     string          `json:"job_id"`
	BuildID   string          `json:"build_id"`
	StickID   string          `json:"stick_id"`
	ImageName string          `json:"image_name"`
	Version   string          `json:"version"`
	HostID    string          `json:"host_id"`
	HostName  string          `json:"host_name"`
	Port      string          `json:"port"`
	Serial    string          `json:"serial"`
	Fault     *protocol.Fault `json:"fault"`
	At        time.Time       `json:"at"`
}

const (
	overviewRunning  = 20
	overviewFailures = 10
)

// GetOverview returns the overview as it is now. The numbers are of the whole
// console, the lists of the actor's sites.
func (c *Console) GetOverview(ctx context.Context, a Actor) (Overview, error) {
	if err := allow(a, UseGetOverview); err != nil {
		return Overview{}, err
	}
	out := Overview{At: c.store.Now(), Failures: []Failure{}}
	sites, err := a.sites()
	if err != nil {
		return out, err
	}
	for page := (store.ByName{Limit: MaxPage}); ; {
		hosts, err := c.store.Hosts(ctx, store.HostFilter{Sites: sites, State: store.HostEnrolled, Page: page})
		if err != nil {
			return out, err
		}
		for i := range hosts {
			out.HostsTotal++
			if hosts[i].Online(out.At, c.offline) {
				out.HostsOnline++
			}
		}
		if len(hosts) < page.Limit {
			break
		}
		page.After = hosts[len(hosts)-1].Name
	}
	counts, err := c.store.Counts(ctx)
	if err != nil {
		return out, err
	}
	out.JobsQueued, out.JobsRunning, out.SticksVerified = counts.JobsQueued, counts.JobsRunning, counts.SticksVerified
	running, err := c.ListJobs(ctx, a, JobFilter{Active: true}, Page{Limit: overviewRunning})
	if err != nil {
		return out, err
	}
	out.Running = running.Items
	out.Failures, err = c.failures(ctx, a)
	return out, err
}

// failures lists the newest builds that failed.
func (c *Console) failures(ctx context.Context, a Actor) ([]Failure, error) {
	builds, err := c.store.Builds(ctx, store.BuildFilter{
		States: []store.BuildState{store.BuildFailed}, Page: store.BuildPage{Limit: 5 * overviewFailures},
	})
	if err != nil {
		return nil, err
	}
	n := c.names()
	jobs := map[store.JobID]store.Job{}
	out := []Failure{}
	for i := range builds {
		b := &builds[i]
		j, ok := jobs[b.JobID]
		if !ok {
			if j, err = c.store.Job(ctx, b.JobID); err != nil {
				return nil, err
			}
			jobs[b.JobID] = j
		}
		if !a.InSite(j.SiteID.String()) {
			continue
		}
		f, err := failureOf(ctx, n, &j, b)
		if err != nil {
			return nil, err
		}
		if out = append(out, f); len(out) == overviewFailures {
			break
		}
	}
	return out, nil
}

func failureOf(ctx context.Context, n *names, j *store.Job, b *store.Build) (Failure, error) {
	v, err := n.version(ctx, j.ImageVersionID)
	if err != nil {
		return Failure{}, err
	}
	f := Failure{
		JobID: b.JobID.String(), BuildID: b.ID.String(), StickID: b.StickID.String(), Version: v.Version, HostID: b.HostID.String(),
		Port: b.Device.Port, Serial: b.Device.Serial, Fault: b.Fault,
	}
	if b.EndedAt != nil {
		f.At = *b.EndedAt
	}
	if f.ImageName, err = n.image(ctx, v.ImageID); err != nil {
		return Failure{}, err
	}
	f.HostName, err = n.host(ctx, b.HostID)
	return f, err
}
