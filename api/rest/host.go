package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) hostRoutes() {
	list(s, get("/hosts", "list_hosts", "hosts", "Imaging hosts by name, with their devices"), api.HostFields, s.console.ListHosts)

	type one struct {
		Host string `path:"host" doc:"ID or name of a host."`
	}
	register(s, get("/hosts/{host}", "get_host", "hosts", "An imaging host with its devices"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.Host], error) {
			h, err := s.console.GetHost(ctx, a, in.Host)
			return foundOf(h, h.Revision, err)
		})

	type enrol struct{ Body *wire.CreateEnrolment }
	op := secret(create("/enrolments", "create_enrolment", "hosts", "Make a single-use token for 'stickpress-agent enroll'"), "token")
	register(s, op, func(ctx context.Context, a api.Actor, in *enrol) (*plain[api.Enrolment], error) {
		var e api.CreateEnrolmentInput
		if in.Body != nil {
			e = api.CreateEnrolmentInput{SiteID: in.Body.SiteID, TTL: wire.Duration(in.Body.TTLSeconds)}
		}
		return plainOf(s.console.CreateEnrolment(ctx, a, e))
	})

	s.changeHost("revocations", "revoke_host", "End a host's right to connect, at once", s.console.RevokeHost)
	s.changeHost("losses", "declare_host_lost", "Say that a host will not come back: its unfinished builds fail", s.console.DeclareHostLost)
}

// changeHost registers POST /hosts/{host}/<noun>.
func (s *REST) changeHost(noun, id, summary string, change func(context.Context, api.Actor, api.ChangeHostInput) (api.Host, error)) {
	type input struct {
		MayMatch
		Host string `path:"host" doc:"ID of a host."`
		Body *wire.Reason
	}
	register(s, action("/hosts/{host}/"+noun, id, "hosts", summary),
		func(ctx context.Context, a api.Actor, in *input) (*found[api.Host], error) {
			h, err := change(ctx, a, api.ChangeHostInput{ID: in.Host, Reason: reasonOf(in.Body), Revision: in.revision})
			return foundOf(h, h.Revision, err)
		})
}
