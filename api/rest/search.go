package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

func (s *REST) searchRoutes() {
	type input struct {
		Text string `query:"q" maxLength:"100" doc:"An ID, or a part of a name, reference, holder or serial; the newest things if left out."`
	}
	op := get("/search", "search", "overview", "Jobs, sticks, hosts and images, a few of each")
	op.Description = "Of jobs and sticks that are not among the newest few thousand only the whole reference, serial or holder is found: the lists have filters for more."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*whole[api.Found], error) {
		return itemsOf(s.console.Search(ctx, a, in.Text))
	})
}
