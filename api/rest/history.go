package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

// historyRoutes are the last changes of things: what the audit log has of them,
// for whoever may see the thing.
func (s *REST) historyRoutes() {
	history(s, "image", "/images/{thing}/history", "image_history", "images", "An image's changes and those of its channels, newest first",
		s.console.GetImage, func(v api.Image) string { return v.ID })
	history(s, "image_version", "/versions/{thing}/history", "version_history", "versions", "A version's changes, newest first",
		s.console.GetVersion, func(v api.Version) string { return v.ID })
	history(s, "template", "/templates/{thing}/history", "template_history", "templates", "A template's changes, newest first",
		s.console.GetTemplate, func(v api.Template) string { return v.ID })
	history(s, "task_sequence", "/task-sequences/{thing}/history", "task_sequence_history", "task sequences", "A task sequence's changes, newest first",
		s.console.GetTaskSequence, func(v api.TaskSequence) string { return v.ID })
	history(s, "host", "/hosts/{thing}/history", "host_history", "hosts", "A host's changes, newest first",
		s.console.GetHost, func(v api.Host) string { return v.ID })
	history(s, "site", "/sites/{thing}/history", "site_history", "sites", "A site's changes, newest first",
		s.console.GetSite, func(v api.Site) string { return v.ID })
	history(s, "setting", "/settings/{thing}/history", "setting_history", "settings", "A setting's changes, newest first",
		s.console.GetSetting, func(v api.Setting) string { return v.Name })
	history(s, "webhook", "/webhooks/{thing}/history", "webhook_history", "webhooks", "A webhook's changes, newest first",
		s.console.GetWebhook, func(v api.Webhook) string { return v.ID })
	history(s, "connector", "/connectors/{thing}/history", "connector_history", "connectors", "A connector's changes, newest first",
		s.console.GetConnector, func(v api.Connector) string { return v.ID })
	history(s, "user", "/users/{thing}/history", "user_history", "users", "A person's changes, newest first",
		s.console.GetUser, func(v api.User) string { return v.ID })
	history(s, "token", "/tokens/{thing}/history", "token_history", "tokens", "A token's changes, newest first: of one's own, or anyone's for admins",
		s.console.GetToken, func(v api.Token) string { return v.ID })
	history(s, "stick_request", "/stick-requests/{thing}/history", "stick_request_history", "stick requests", "A request's changes, newest first",
		s.console.GetStickRequest, func(v api.StickRequest) string { return v.ID })
}

// history registers the history of a kind of things; find looks for the one that is
// meant, and id is what the audit log knows it by.
func history[T any](
	s *REST, kind, path, operation, tag, summary string, find func(context.Context, api.Actor, string) (T, error), id func(T) string,
) {
	type input struct {
		Paging
		Thing string `path:"thing" doc:"Its ID, or its name where it has one."`
	}
	register(s, get(path, operation, tag, summary), func(ctx context.Context, a api.Actor, in *input) (*listed[api.HistoryEntry], error) {
		thing, err := find(ctx, a, in.Thing)
		if err != nil {
			return nil, err
		}
		l, err := s.console.ListHistory(ctx, a, kind, id(thing), in.page())
		return pageOf(&in.Paging, l, err)
	})
}
