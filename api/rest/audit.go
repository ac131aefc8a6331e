package rest

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/api"
)

func (s *REST) auditRoutes() {
	type list struct {
		Paging
		ObjectKind string    `query:"object_kind" doc:"Such as job or image."`
		ObjectID   string    `query:"object_id" doc:"With object_kind."`
		Actor      string    `query:"actor" doc:"ID of a person, token or host, or 'system' or 'anonymous'."`
		Action     string    `query:"action" doc:"Such as queue_job."`
		From       time.Time `query:"from" doc:"Not before this moment."`
		Until      time.Time `query:"until" doc:"Before this moment."`
	}
	register(s, get("/audit", "list_audit", "audit", "Changes and who made them, newest first (admin)"),
		func(ctx context.Context, a api.Actor, in *list) (*listed[api.AuditEntry], error) {
			l, err := s.console.ListAudit(ctx, a, api.AuditFilter{
				Actor: in.Actor, Action: in.Action, ObjectKind: in.ObjectKind, ObjectID: in.ObjectID, From: in.From, Until: in.Until,
			}, in.page())
			return pageOf(&in.Paging, l, err)
		})
}
