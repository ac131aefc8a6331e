package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

func (s *REST) auditRoutes() {
	type list struct {
		Paging
		ObjectKind string `query:"object_kind" doc:"Such as job or image."`
		ObjectID   string `query:"object_id" doc:"With object_kind."`
	}
	register(s, get("/audit", "list_audit", "audit", "Changes and who made them, newest first (admin)"),
		func(ctx context.Context, a api.Actor, in *list) (*listed[api.AuditEntry], error) {
			l, err := s.console.ListAudit(ctx, a, api.AuditFilter{ObjectKind: in.ObjectKind, ObjectID: in.ObjectID}, in.page())
			return pageOf(&in.Paging, l, err)
		})
}
