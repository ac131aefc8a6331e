package api

import (
	"context"
	"slices"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// stillPoll is how often an open stream asks whether its reader may still see
// it, without being told that something changed.
const stillPoll = 30 * time.Second

// WhileSignedIn is ctx that also ends when the actor's session does, or the
// token, or when their role or sites are no longer what they were: what stays
// open must not show what a new request would not.
func (c *Console) WhileSignedIn(ctx context.Context, a Actor) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	id, err := store.ParseID[store.UserID](a.UserID)
	if err != nil || a.SessionID == "" && a.TokenID == "" {
		return ctx, stop
	}
	changed := c.store.Watch(ctx, store.TopicUser(id))
	go func() {
		defer stop()
		poll := time.NewTicker(stillPoll)
		defer poll.Stop()
		for { // at once, too: something may have changed since the request began
			now, err := c.again(ctx, a)
			switch {
			case err == nil && now.Role == a.Role && slices.Equal(now.Sites, a.Sites):
			case err != nil && fault.From(err).Kind != fault.KindUnauthenticated: // the database is away, say
			default:
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			case <-poll.C:
			}
		}
	}()
	return ctx, stop
}

// again is the actor of a session or a token as they are now.
func (c *Console) again(ctx context.Context, a Actor) (Actor, error) {
	if a.TokenID == "" {
		return c.ActorForSession(ctx, a, a.SessionID)
	}
	id, err := parse[store.TokenID]("token", a.TokenID)
	if err != nil {
		return Actor{}, err
	}
	t, u, err := c.store.APITokenInForce(ctx, id, c.now())
	if err != nil {
		return Actor{}, err
	}
	return tokenActor(a, &t, &u)
}
