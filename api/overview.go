package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// Overview is the first page: what runs, what failed, who is there, and how it
// went lately. All of it but the room on disks is of the actor's sites.
type Overview struct {
	HostsOnline     int        `json:"hosts_online"`
	HostsTotal      int        `json:"hosts_total"` // revoked ones not counted
	Hosts           HostCounts `json:"hosts"`
	JobsQueued      int        `json:"jobs_queued"`
	JobsRunning     int        `json:"jobs_running"`
	SticksQueued    int        `json:"sticks_queued"`     // that wait for their host
	SticksRunning   int        `json:"sticks_running"`    // that a host holds
	RequestsOpen    int        `json:"requests_open"`     // of tickets; 0 for whom they are no business of
	SticksVerified  int        `json:"sticks_verified"`   // that carry a verified version now
	Running         []Job      `json:"running"`           // unfinished, newest first, at most 20
	Failures        []Failure  `json:"failures"`          // of the last StatisticDays, newest first, at most 10
	LostSticks      []Stick    `json:"lost_sticks"`       // with something left to be disabled, newest first, at most 5
	SticksToDisable int        `json:"sticks_to_disable"` // how many there are of them
	Statistic       Statistic  `json:"statistic"`
	Caches          []Cache    `json:"caches"` // of the hosts that have one, by name
	At              time.Time  `json:"at"`
}

// HostCounts are the enrolled hosts by what they are up to; each is counted
// once.
type HostCounts struct {
	Online       int `json:"online"`
	Offline      int `json:"offline"`
	New          int `json:"new"`           // enrolled, never connected
	UpdateNeeded int `json:"update_needed"` // their agents speak no protocol of ours
}

// Cache is how full a host's cache of images and masters is.
type Cache struct {
	HostID   string `json:"host_id"`
	HostName string `json:"host_name"`
	Bytes    int64  `json:"bytes"`
	Limit    int64  `json:"limit"`
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
	overviewLost     = 5
)

// GetOverview returns the overview as it is now. Its statistic may be older,
// see Statistic.At.
func (c *Console) GetOverview(ctx context.Context, a Actor) (Overview, error) {
	if err := allow(a, UseGetOverview); err != nil {
		return Overview{}, err
	}
	out := Overview{At: c.store.Now()}
	sites, err := a.sites()
	if err != nil {
		return out, err
	}
	if err := c.addHosts(ctx, sites, &out); err != nil {
		return out, err
	}
	live, err := c.store.LiveCounts(ctx, sites)
	if err != nil {
		return out, err
	}
	out.JobsQueued, out.JobsRunning = live.JobsQueued, live.JobsRunning
	out.SticksQueued, out.SticksRunning = live.BuildsQueued, live.BuildsLive
	if out.RequestsOpen, err = c.CountOpenStickRequests(ctx, a); err != nil {
		return out, err
	}
	running, err := c.ListJobs(ctx, a, JobFilter{State: StateActive}, Page{Limit: overviewRunning})
	if err != nil {
		return out, err
	}
	out.Running = running.Items
	if out.Failures, err = c.failures(ctx, sites); err != nil {
		return out, err
	}
	lost, err := c.ListSticks(ctx, a, StickFilter{Tasks: tasksOpen}, Page{Limit: overviewLost})
	if err != nil {
		return out, err
	}
	out.LostSticks = lost.Items
	if out.SticksToDisable, err = c.OpenStickTasks(ctx, a); err != nil {
		return out, err
	}
	out.Statistic, err = c.statistic(ctx, sites)
	out.SticksVerified = out.Statistic.SticksVerified
	return out, err
}

// addHosts counts the hosts by what they are up to.
func (c *Console) addHosts(ctx context.Context, sites []store.SiteID, out *Overview) error {
	hosts, err := c.store.HostPresences(ctx, sites)
	if err != nil {
		return err
	}
	out.HostsTotal, out.Caches = len(hosts), []Cache{}
	for i := range hosts {
		p := &hosts[i]
		h := store.Host{
			State: p.State, ConnectedAt: p.ConnectedAt, DisconnectedAt: p.DisconnectedAt, LastSeenAt: p.LastSeenAt,
			ProtocolMin: p.ProtocolMin, ProtocolMax: p.ProtocolMax,
		}
		switch {
		case outdated(&h):
			out.Hosts.UpdateNeeded++
		case h.Online(out.At, c.offline):
			out.Hosts.Online++
		case h.ConnectedAt == nil:
			out.Hosts.New++
		default:
			out.Hosts.Offline++
		}
		if p.CacheLimit > 0 {
			out.Caches = append(out.Caches, Cache{HostID: p.ID.String(), HostName: p.Name, Bytes: p.CacheBytes, Limit: p.CacheLimit})
		}
	}
	out.HostsOnline = out.Hosts.Online
	return nil
}

// failures lists the newest builds that failed.
func (c *Console) failures(ctx context.Context, sites []store.SiteID) ([]Failure, error) {
	builds, err := c.store.FailedBuilds(ctx, sites, c.store.Now().AddDate(0, 0, -StatisticDays), overviewFailures)
	if err != nil {
		return nil, err
	}
	n := c.names()
	jobs := map[store.JobID]store.Job{}
	out := make([]Failure, 0, len(builds))
	for i := range builds {
		b := &builds[i]
		j, ok := jobs[b.JobID]
		if !ok {
			if j, err = c.store.Job(ctx, b.JobID); err != nil {
				return nil, err
			}
			jobs[b.JobID] = j
		}
		f, err := failureOf(ctx, n, &j, b)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
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
