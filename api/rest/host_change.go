package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// updateHost is how a host is called and where it stands.
func (s *REST) updateHost() {
	type input struct {
		Match
		Host string `path:"host" doc:"ID or name of a host."`
		Body wire.UpdateHost
	}
	op := put("/hosts/{host}", "update_host", "hosts", "Rename a host, or move it to another site")
	op.Description = "Jobs stay with the site at which they were queued."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*found[api.Host], error) {
		h, err := s.console.UpdateHost(ctx, a, api.UpdateHostInput{ID: in.Host, Name: in.Body.Name, SiteID: in.Body.Site, Revision: in.revision})
		return foundOf(h, h.Revision, err)
	})
}
