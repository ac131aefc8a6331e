package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/store"
)

// How often hosts' sockets are looked at: at most, and at least without being
// woken, for what nobody tells (a host that falls silent).
const (
	socketsLeast = 500 * time.Millisecond
	socketsPoll  = 10 * time.Second
)

// WatchHosts sends the enrolled hosts of the actor's sites, at most MaxPage by
// name, as they are now and again whenever something may have been plugged in,
// pulled out or taken by a job at one of them. The channel closes when ctx or Run
// ends, or when they cannot be read any more.
func (c *Console) WatchHosts(ctx context.Context, a Actor) (<-chan []Host, error) {
	if err := allow(a, UseListHosts); err != nil {
		return nil, err
	}
	out := make(chan []Host)
	go func() {
		defer close(out)
		ctx, stop := c.whileRunning(ctx)
		defer stop()
		changed := c.store.Watch(ctx, store.TopicHosts, store.TopicJobs, store.TopicSticks)
		<-changed // its first value says to begin by reading
		poll := time.NewTicker(socketsPoll)
		defer poll.Stop()
		for {
			now, err := c.ListHosts(ctx, a, HostFilter{}, Page{Limit: MaxPage})
			if err != nil {
				if ctx.Err() == nil {
					c.log.WarnContext(ctx, "watching hosts ended", "error", err)
				}
				return
			}
			select {
			case out <- now.Items:
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
