package rest

import (
	"github.com/stickpress/stickpress/api"
)

func (s *REST) auditRoutes() {
	list(s, get("/audit", "list_audit", "audit", "Changes and who made them, newest first (admin)"), api.AuditFields, s.console.ListAudit)
}
