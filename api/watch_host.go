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
	w := watching{
		pace: pace{socketsLeast, socketsPoll}, what: "hosts",
		topics: []string{store.TopicHosts, store.TopicJobs, store.TopicSticks},
	}
	return watch(ctx, c, w, func(ctx context.Context) ([]Host, error) {
		l, err := c.ListHosts(ctx, a, HostFilter{}, Page{Limit: MaxPage})
		return l.Items, err
	}), nil
}
