package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/stickpress/stickpress/store"
)

// AuditEntry is one change that somebody made, or a sign-in.
type AuditEntry struct {
	ID         string          `json:"id"`
	At         time.Time       `json:"at"`
	ActorKind  ActorKind       `json:"actor_kind"`
	ActorID    string          `json:"actor_id,omitempty"`
	ActorName  string          `json:"actor_name"`
	Action     string          `json:"action"`      // a UseCase; of a sign-in that failed with _failed behind it
	ObjectKind string          `json:"object_kind"` // "job", "image", …
	ObjectID   string          `json:"object_id"`
	Before     json.RawMessage `json:"before,omitempty"`
	After      json.RawMessage `json:"after,omitempty"`
	RequestID  string          `json:"request_id,omitempty"`
	Address    string          `json:"address,omitempty"`
}

// AuditFilter narrows ListAudit; empty fields do not.
type AuditFilter struct {
	ObjectKind string
	ObjectID   string // with ObjectKind
}

// ListAudit lists changes, newest first (admin).
func (c *Console) ListAudit(ctx context.Context, a Actor, f AuditFilter, p Page) (List[AuditEntry], error) {
	if err := allow(a, UseListAudit); err != nil {
		return List[AuditEntry]{}, err
	}
	before, err := after[store.AuditID](p)
	if err != nil {
		return List[AuditEntry]{}, err
	}
	rows, err := c.store.AuditLog(ctx, store.AuditFilter{
		ObjectKind: f.ObjectKind, ObjectID: f.ObjectID,
		Page: store.AuditPage{Before: before, Limit: p.limit() + 1},
	})
	if err != nil {
		return List[AuditEntry]{}, err
	}
	n := c.names()
	return listOf(p, rows, func(e *store.AuditEntry) (AuditEntry, error) {
		name, err := n.actor(ctx, e.ActorKind, e.ActorID)
		return AuditEntry{
			ID: e.ID.String(), At: e.At, ActorKind: ActorKind(e.ActorKind), ActorID: actorID(e.ActorKind, e.ActorID), ActorName: name,
			Action: e.Action, ObjectKind: e.ObjectKind, ObjectID: e.ObjectID, Before: e.Before, After: e.After,
			RequestID: e.RequestID, Address: e.Address,
		}, err
	}, func(e store.AuditEntry) string { return e.ID.String() })
}
