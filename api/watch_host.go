package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/store"
)

// How often a host's sockets are looked at: at most, and at least without being
// woken, for what nobody tells (a host that falls silent).
const (
	socketsLeast = 500 * time.Millisecond
	socketsPoll  = 10 * time.Second
)

// WatchHostDevices sends the host as it is now and again whenever something may
// have been plugged in, pulled out or taken by a job. The channel closes when
// ctx or Run ends, or when the host cannot be read any more.
// Faults: host_not_found.
func (c *Console) WatchHostDevices(ctx context.Context, a Actor, ref string) (<-chan Host, error) {
	h, err := c.GetHost(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	id, err := parse[store.HostID]("host", h.ID)
	if err != nil {
		return nil, err
	}
	out := make(chan Host)
	go func() {
		defer close(out)
		ctx, stop := c.whileRunning(ctx)
		defer stop()
		changed := c.store.Watch(ctx, store.TopicHost(id), store.TopicHosts, store.TopicJobs)
		<-changed // its first value says to begin by reading
		poll := time.NewTicker(socketsPoll)
		defer poll.Stop()
		for {
			now, err := c.GetHost(ctx, a, h.ID)
			if err != nil {
				if ctx.Err() == nil {
					c.log.WarnContext(ctx, "watching a host ended", "host_id", h.ID, "error", err)
				}
				return
			}
			select {
			case out <- now:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(socketsLeast):
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			case <-poll.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
