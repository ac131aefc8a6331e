package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

// historyRoutes are the last changes of things: what the audit log has of them,
// for whoever may see the thing.
func (s *REST) historyRoutes() {
	s.history("image", "/images/{thing}/history", "image_history", "images", "An image's changes and those of its channels, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetImage(ctx, a, ref)
			return v.ID, err
		})
	s.history("image_version", "/versions/{thing}/history", "version_history", "versions", "A version's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetVersion(ctx, a, ref)
			return v.ID, err
		})
	s.history("template", "/templates/{thing}/history", "template_history", "templates", "A template's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetTemplate(ctx, a, ref)
			return v.ID, err
		})
	s.history("task_sequence", "/task-sequences/{thing}/history", "task_sequence_history", "task sequences", "A task sequence's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetTaskSequence(ctx, a, ref)
			return v.ID, err
		})
	s.history("host", "/hosts/{thing}/history", "host_history", "hosts", "A host's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetHost(ctx, a, ref)
			return v.ID, err
		})
	s.history("site", "/sites/{thing}/history", "site_history", "sites", "A site's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetSite(ctx, a, ref)
			return v.ID, err
		})
	s.history("setting", "/settings/{thing}/history", "setting_history", "settings", "A setting's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetSetting(ctx, a, ref)
			return v.Name, err
		})
	s.history("webhook", "/webhooks/{thing}/history", "webhook_history", "webhooks", "A webhook's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetWebhook(ctx, a, ref)
			return v.ID, err
		})
	s.history("connector", "/connectors/{thing}/history", "connector_history", "connectors", "A connector's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetConnector(ctx, a, ref)
			return v.ID, err
		})
	s.history("user", "/users/{thing}/history", "user_history", "users", "A person's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetUser(ctx, a, ref)
			return v.ID, err
		})
	s.history("token", "/tokens/{thing}/history", "token_history", "tokens", "A token's changes, newest first: of one's own, or anyone's for admins",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetToken(ctx, a, ref)
			return v.ID, err
		})
	s.history("stick_request", "/stick-requests/{thing}/history", "stick_request_history", "stick requests", "A request's changes, newest first",
		func(ctx context.Context, a api.Actor, ref string) (string, error) {
			v, err := s.console.GetStickRequest(ctx, a, ref)
			return v.ID, err
		})
}

// history registers the history of a kind of things; find says which one is
// meant.
func (s *REST) history(kind, path, id, tag, summary string, find func(context.Context, api.Actor, string) (string, error)) {
	type input struct {
		Paging
		Thing string `path:"thing" doc:"Its ID, or its name where it has one."`
	}
	register(s, get(path, id, tag, summary), func(ctx context.Context, a api.Actor, in *input) (*listed[api.HistoryEntry], error) {
		thing, err := find(ctx, a, in.Thing)
		if err != nil {
			return nil, err
		}
		l, err := s.console.ListHistory(ctx, a, kind, thing, in.page())
		return pageOf(&in.Paging, l, err)
	})
}
