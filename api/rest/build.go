package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

func (s *REST) buildRoutes() {
	list(s, get("/builds", "list_builds", "builds", "Builds of all jobs, newest first"), api.BuildFields, s.console.ListBuilds)

	type one struct {
		Build string `path:"build" doc:"ID of a build."`
	}
	register(s, get("/builds/{build}", "get_build", "builds", "A build with its steps and attempts"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.JobBuild], error) {
			b, err := s.console.GetBuild(ctx, a, in.Build)
			return foundOf(b, b.Revision, err)
		})

	s.buildEvents("history", "build_history", "A build's events, oldest first", s.console.BuildEvents)
	s.buildEvents("log", "build_log", "What the host said about a build, oldest first", s.console.BuildLog)
}

// buildEvents registers GET /builds/{build}/<what>.
func (s *REST) buildEvents(what, id, summary string, find func(context.Context, api.Actor, string, int64) ([]api.JobEvent, error)) {
	type input struct {
		Paging
		Build string `path:"build" doc:"ID of a build."`
	}
	op := get("/builds/{build}/"+what, id, "builds", summary)
	op.Description = "The cursor is the seq of the last event that was seen."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*listed[api.JobEvent], error) {
		after, err := in.seq()
		if err != nil {
			return nil, err
		}
		events, err := find(ctx, a, in.Build, after)
		return historyOf(&in.Paging, events, func(e *api.JobEvent) int64 { return e.Seq }, err)
	})
}
