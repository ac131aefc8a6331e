package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// AuditEntry is one line of the audit log: who did what to what. Before and
// After are JSON without secrets, or nil.
type AuditEntry struct {
	ID         AuditID
	ActorKind  ActorKind
	ActorID    ActorID
	RequestID  string
	Address    string
	Action     string // "job.cancel"
	ObjectKind string // "job"
	ObjectID   string // text form of its ID
	Before     json.RawMessage
	After      json.RawMessage
	At         time.Time
}

// NewAudit is what an audit entry is made of. Before and After are encoded as
// JSON; nil is nothing.
type NewAudit struct {
	By         Actor
	Action     string
	ObjectKind string
	ObjectID   string
	Before     any
	After      any
}

const auditColumns = `id, actor_kind, actor_id, request_id, address, action, object_kind, object_id, before, after, at`

// Audit adds a line to the audit log, in the transaction of what it tells of.
func (tx *Tx) Audit(ctx context.Context, n NewAudit) error {
	id, err := newID[auditKind](tx)
	if err != nil {
		return err
	}
	before, err := optionalJSON(n.Before)
	if err != nil {
		return err
	}
	after, err := optionalJSON(n.After)
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(ctx,
		`INSERT INTO audit (`+auditColumns+`)
		VALUES (@id, @actor_kind, @actor_id, @request_id, @address, @action, @object_kind, @object_id, @before, @after, @at)`,
		pgx.NamedArgs{
			"id": id, "actor_kind": n.By.Kind, "actor_id": n.By.ID,
			"request_id": cleanText(n.By.RequestID), "address": cleanText(n.By.Address),
			"action": n.Action, "object_kind": n.ObjectKind, "object_id": n.ObjectID,
			"before": before, "after": after, "at": tx.at,
		})
	return fail(err, "write the audit log")
}

// AuditFilter narrows AuditLog; empty fields do not.
type AuditFilter struct {
	ObjectKind string
	ObjectID   string
	Page       AuditPage
}

// AuditLog lists audit entries, newest first.
func (r Reader) AuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	return many[AuditEntry](ctx, r.db, "audit log",
		`SELECT `+auditColumns+` FROM audit
		WHERE (@kind = '' OR object_kind = @kind) AND (@object = '' OR object_id = @object)
			AND (@before::uuid IS NULL OR id < @before)
		ORDER BY id DESC LIMIT @limit`,
		f.Page.args(pgx.NamedArgs{"kind": f.ObjectKind, "object": f.ObjectID}))
}

// Object names what an audit entry is about.
type Object struct{ Kind, ID string }

// History lists the last audit entries of some objects, newest first.
func (r Reader) History(ctx context.Context, objects []Object, limit int) ([]AuditEntry, error) {
	var kinds, ids []string
	for _, o := range objects {
		kinds, ids = append(kinds, o.Kind), append(ids, o.ID)
	}
	return many[AuditEntry](ctx, r.db, "history",
		`SELECT `+auditColumns+` FROM audit
		WHERE (object_kind, object_id) IN (SELECT * FROM unnest(@kinds::text[], @ids::text[]))
		ORDER BY id DESC LIMIT @limit`, pgx.NamedArgs{"kinds": kinds, "ids": ids, "limit": pageSize(limit)})
}
