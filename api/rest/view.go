package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// viewRoutes are lists as people keep them.
func (s *REST) viewRoutes() {
	type of struct {
		List string `query:"list" doc:"Views of this list, such as 'jobs'; of all lists if left out."`
	}
	register(s, get("/views", "list_views", "views", "One's own views and everybody's, those first, by name"),
		func(ctx context.Context, a api.Actor, in *of) (*whole[api.View], error) {
			return itemsOf(s.console.ListViews(ctx, a, in.List))
		})

	type one struct {
		View string `path:"view" doc:"ID of a view."`
	}
	register(s, get("/views/{view}", "get_view", "views", "A view"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.View], error) {
			return viewFound(s.console.GetView(ctx, a, in.View))
		})

	type input struct{ Body wire.CreateView }
	op := create("/views", "create_view", "views", "Keep what a list is narrowed by, under a name")
	op.Description = "A view of everybody's is an admin's to make."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*made[api.View], error) {
		v, err := s.console.SaveView(ctx, a, api.SaveViewInput{List: in.Body.List, Name: in.Body.Name, Query: in.Body.Query, Shared: in.Body.Shared})
		return madeOf(v, "/views/"+v.ID, v.Revision, err)
	})

	type change struct {
		Match
		View string `path:"view" doc:"ID of a view."`
		Body wire.SaveView
	}
	register(s, put("/views/{view}", "save_view", "views", "Change a view: one's own, or as an admin everybody's"),
		func(ctx context.Context, a api.Actor, in *change) (*found[api.View], error) {
			return viewFound(s.console.SaveView(ctx, a, api.SaveViewInput{ID: in.View, Name: in.Body.Name, Query: in.Body.Query, Revision: in.revision}))
		})

	type forget struct {
		Match
		View string `path:"view" doc:"ID of a view."`
	}
	register(s, remove("/views/{view}", "delete_view", "views", "Forget a view: one's own, or as an admin everybody's"),
		func(ctx context.Context, a api.Actor, in *forget) (*struct{}, error) {
			return nil, s.console.DeleteView(ctx, a, in.View, in.revision)
		})
}

func viewFound(v api.View, err error) (*found[api.View], error) { return foundOf(v, v.Revision, err) }
