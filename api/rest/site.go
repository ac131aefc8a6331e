package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) siteRoutes() {
	list(s, get("/sites", "list_sites", "sites", "Sites by name"), api.ShelfFields, s.console.ListSites)

	type one struct {
		Site string `path:"site" doc:"ID or name of a site."`
	}
	register(s, get("/sites/{site}", "get_site", "sites", "A site"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.Site], error) {
			return siteFound(s.console.GetSite(ctx, a, in.Site))
		})

	type input struct{ Body wire.SaveSite }
	register(s, create("/sites", "create_site", "sites", "Open a new site"),
		func(ctx context.Context, a api.Actor, in *input) (*made[api.Site], error) {
			v, err := s.console.SaveSite(ctx, a, api.SaveSiteInput{Name: in.Body.Name, Default: in.Body.Default})
			return madeOf(v, "/sites/"+v.ID, v.Revision, err)
		})

	type change struct {
		Match
		Site string `path:"site" doc:"ID or name of a site."`
		Body wire.SaveSite
	}
	register(s, put("/sites/{site}", "save_site", "sites", "Rename a site, or make it the default one"),
		func(ctx context.Context, a api.Actor, in *change) (*found[api.Site], error) {
			return siteFound(s.console.SaveSite(ctx, a, api.SaveSiteInput{ID: in.Site, Name: in.Body.Name, Default: in.Body.Default, Revision: in.revision}))
		})

	type shut struct {
		MayMatch
		Site string `path:"site" doc:"ID or name of a site."`
		Body *wire.Reason
	}
	op := action("/sites/{site}/retirements", "retire_site", "sites", "Close a site")
	op.Description = "What happened there stays known. One with hosts or unfinished jobs is not closed, nor is the default one."
	register(s, op, func(ctx context.Context, a api.Actor, in *shut) (*found[api.Site], error) {
		return siteFound(s.console.RetireSite(ctx, a, api.RetireInput{ID: in.Site, Reason: reasonOf(in.Body), Revision: in.revision}))
	})
	register(s, action("/sites/{site}/restorations", "restore_site", "sites", "Open a closed site again"),
		func(ctx context.Context, a api.Actor, in *shut) (*found[api.Site], error) {
			return siteFound(s.console.RetireSite(ctx, a, api.RetireInput{ID: in.Site, Back: true, Reason: reasonOf(in.Body), Revision: in.revision}))
		})
}

func siteFound(v api.Site, err error) (*found[api.Site], error) { return foundOf(v, v.Revision, err) }
