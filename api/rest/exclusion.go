package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) exclusionRoutes() {
	register(s, get("/capture-exclusions", "get_exclusions", "jobs", "What captures leave out where their job says nothing of it"),
		func(ctx context.Context, a api.Actor, _ *struct{}) (*found[api.Exclusions], error) {
			x, err := s.console.GetExclusions(ctx, a)
			return foundOf(x, x.Revision, err)
		})

	type change struct {
		Match
		Body wire.SaveExclusions
	}
	register(s, put("/capture-exclusions", "save_exclusions", "jobs", "Change what captures leave out"),
		func(ctx context.Context, a api.Actor, in *change) (*found[api.Exclusions], error) {
			x, err := s.console.SaveExclusions(ctx, a, api.SaveExclusionsInput{List: in.Body.List, Revision: in.revision})
			return foundOf(x, x.Revision, err)
		})
}
