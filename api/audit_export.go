package api

import (
	"context"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/store"
)

// ExportAudit calls each with every change that the filter leaves, newest first
// (admin), and ends with the first error of each. What happens meanwhile is not
// in it: it begins with the newest one and goes back. The export itself is a
// line of the log. Faults: those of FieldInfo.Check, actor_unknown.
func (c *Console) ExportAudit(ctx context.Context, a Actor, f AuditFilter, each func(AuditEntry) error) error {
	query, err := c.auditQuery(ctx, a, f)
	if err != nil {
		return err
	}
	err = c.change(ctx, a, UseExportAudit, func(tx *store.Tx, by store.Actor) error {
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseExportAudit), ObjectKind: "audit", After: f})
	})
	if err != nil {
		return err
	}
	for query.Page.Limit = MaxPage; ; {
		rows, err := c.store.AuditLog(ctx, query)
		if err != nil {
			return err
		}
		n := c.names()
		if err := n.learn(ctx, a, rows); err != nil {
			return err
		}
		for i := range rows {
			e, err := auditOf(ctx, n, &rows[i])
			if err == nil {
				err = each(e)
			}
			if err != nil {
				return err
			}
		}
		if len(rows) < query.Page.Limit {
			return nil
		}
		query.Page.Before = rows[len(rows)-1].ID
	}
}

// AuditActions lists what lines of the audit log may say was done, by name.
func AuditActions() []string {
	var out []string
	for _, use := range []UseCase{
		UseSignIn, UseSignInCode, UseSignInService, UseRedeemSignInLink, UseChoosePassword,
		UseChangePassword, UseEnableTOTP, UseRenewRecoveryCodes, UseDisableTOTP,
	} {
		out = append(out, string(use)+failed)
	}
	for use := range permissions {
		if leavesLine(use) {
			out = append(out, string(use))
		}
	}
	slices.Sort(out)
	return out
}

// failed ends the action of what was refused for a wrong password, code or link.
const failed = "_failed"

// leavesLine reports whether a use case leaves a line of its own in the log: those
// that only read do not, nor do those that are a part of another one.
func leavesLine(use UseCase) bool {
	if slices.Contains([]UseCase{
		UseCheckTemplate, UseSignInCode, UseSignInService, UseOverride, UseCapture, UseIdentifyDevice, UseBeginPairing, UseEndPairing,
	}, use) {
		return false
	}
	for _, reads := range []string{"list_", "get_", "estimate_", "search"} {
		if strings.HasPrefix(string(use), reads) {
			return false
		}
	}
	return true
}
