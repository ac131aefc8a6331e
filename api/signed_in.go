package api

import (
	"context"
	"slices"
	"time"

	"github.com/stickpress/stickpress/store"
)

// stillPoll is how often an open stream asks whether its person is still
// signed in, without being told that something changed.
const stillPoll = 30 * time.Second

// WhileSignedIn is ctx that also ends when the actor's session does, or when
// their role or sites are no longer what they were: a page that stays open must
// not show what a new one would not.
func (c *Console) WhileSignedIn(ctx context.Context, a Actor) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	id, err := store.ParseID[store.UserID](a.UserID)
	if err != nil || a.SessionID == "" {
		return ctx, stop
	}
	changed := c.store.Watch(ctx, store.TopicUser(id))
	go func() {
		defer stop()
		poll := time.NewTicker(stillPoll)
		defer poll.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			case <-poll.C:
			}
			now, err := c.ActorForSession(ctx, a, a.SessionID)
			switch {
			case err == nil && now.Role == a.Role && slices.Equal(now.Sites, a.Sites):
			case err != nil && !isSignedOut(err): // the database is away, say
			default:
				return
			}
		}
	}()
	return ctx, stop
}
