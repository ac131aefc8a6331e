package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

func (s *REST) overviewRoutes() {
	register(s, get("/overview", "get_overview", "overview", "What runs, what failed, who is there"),
		func(ctx context.Context, a api.Actor, _ *struct{}) (*plain[api.Overview], error) {
			return plainOf(s.console.GetOverview(ctx, a))
		})
}
