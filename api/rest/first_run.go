package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// firstRunRoutes are how far the set-up of a new console is.
func (s *REST) firstRunRoutes() {
	register(s, get("/first-run", "get_first_run", "settings", "How far the set-up of a new console is"),
		func(ctx context.Context, a api.Actor, _ *struct{}) (*found[api.FirstRun], error) {
			return s.firstRun(ctx, a)
		})

	type mark struct{ Body wire.MarkFirstRun }
	op := action("/first-run/marks", "save_first_run", "settings", "Say that a step of the set-up was seen to, or is skipped")
	register(s, op, func(ctx context.Context, a api.Actor, in *mark) (*found[api.FirstRun], error) {
		if err := s.console.MarkFirstRunStep(ctx, a, in.Body.Step, in.Body.Mark); err != nil {
			return nil, err
		}
		return s.firstRun(ctx, a)
	})

	op = action("/first-run/completions", "finish_first_run", "settings", "Lock the set-up for good")
	op.Description = "No step may be open. What the set-up made is changed in its own place."
	register(s, op, func(ctx context.Context, a api.Actor, _ *struct{}) (*found[api.FirstRun], error) {
		if err := s.console.FinishFirstRun(ctx, a); err != nil {
			return nil, err
		}
		return s.firstRun(ctx, a)
	})
}

func (s *REST) firstRun(ctx context.Context, a api.Actor) (*found[api.FirstRun], error) {
	v, err := s.console.GetFirstRun(ctx, a)
	return foundOf(v, v.Revision, err)
}
