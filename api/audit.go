package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/stickpress/stickpress/api/fault"
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
	// Names are what the IDs in it are called now: of things that are there, and
	// that the reader may know of.
	Names map[string]string `json:"names,omitempty"`
}

// AuditFilter narrows ListAudit; empty fields do not.
type AuditFilter struct {
	Actor      string `json:"actor,omitempty"` // an ID ("user_…", "token_…", "host_…"), a person's login, or "system" or "anonymous"
	Action     string `json:"action,omitempty"`
	ObjectKind string `json:"object_kind,omitempty"`
	ObjectID   string `json:"object_id,omitempty"` // with ObjectKind
	From       string `json:"from,omitempty"`      // RFC 3339, inclusive; or the first day that counts, in UTC
	Until      string `json:"until,omitempty"`     // RFC 3339, exclusive; or the last day that counts, in UTC
}

// AuditFields are the fields of an AuditFilter.
var AuditFields = []Field[AuditFilter]{
	{FieldInfo{Name: "actor", Kind: FieldText, Doc: "ID of a person, token or host, a person's login, or 'system' or 'anonymous'."}, func(f *AuditFilter) *string { return &f.Actor }},
	{FieldInfo{Name: "action", Kind: FieldChoice, Values: AuditActions(), Doc: "What was done, such as 'queue_job'; of a sign-in that was refused with _failed behind it."}, func(f *AuditFilter) *string { return &f.Action }},
	{FieldInfo{Name: "object_kind", Kind: FieldChoice, Values: store.AuditKinds, Doc: "What it was done to, such as 'job' or 'image'."}, func(f *AuditFilter) *string { return &f.ObjectKind }},
	{FieldInfo{Name: "object_id", Kind: FieldText, Doc: "ID of what it was done to, with object_kind."}, func(f *AuditFilter) *string { return &f.ObjectID }},
	{FieldInfo{Name: "from", Kind: FieldTime, Doc: "Not before this moment, or this day in UTC."}, func(f *AuditFilter) *string { return &f.From }},
	{FieldInfo{Name: "until", Kind: FieldTime, Doc: "Before this moment, or to the end of this day in UTC."}, func(f *AuditFilter) *string { return &f.Until }},
}

// ListAudit lists changes, newest first (admin): to an admin of some sites
// those of hosts, jobs and sticks there, and what they did themselves.
// Faults: those of FieldInfo.Check, actor_unknown.
func (c *Console) ListAudit(ctx context.Context, a Actor, f AuditFilter, p Page) (List[AuditEntry], error) {
	if err := allow(a, UseListAudit); err != nil {
		return List[AuditEntry]{}, err
	}
	query, err := c.auditQuery(ctx, a, f)
	if err != nil {
		return List[AuditEntry]{}, err
	}
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.AuditID](p); err != nil {
		return List[AuditEntry]{}, err
	}
	rows, err := c.store.AuditLog(ctx, query)
	if err != nil {
		return List[AuditEntry]{}, err
	}
	n := c.names()
	if err := n.learn(ctx, a, rows); err != nil {
		return List[AuditEntry]{}, err
	}
	return listOf(p, rows, func(e *store.AuditEntry) (AuditEntry, error) { return auditOf(ctx, n, e) },
		func(e store.AuditEntry) string { return e.ID.String() })
}

// auditQuery is a filter as the store asks, within the actor's sites.
func (c *Console) auditQuery(ctx context.Context, a Actor, f AuditFilter) (store.AuditFilter, error) {
	q := store.AuditFilter{ObjectKind: f.ObjectKind, ObjectID: f.ObjectID, From: timeOf(f.From, false), Until: timeOf(f.Until, true)}
	if err := checkFilter(AuditFields, &f); err != nil {
		return q, err
	}
	if f.Action != "" {
		q.Actions = []string{f.Action}
	}
	var err error
	if q.Sites, err = a.sites(); err != nil {
		return q, err
	}
	if a.Limited() {
		by, err := a.by()
		if err != nil {
			return q, err
		}
		q.Self = by.ID
	}
	if f.Actor != "" {
		q.ActorKind, q.ActorID, err = c.auditActor(ctx, a, f.Actor)
	}
	return q, err
}

// auditActor finds whose lines are asked for. Faults: actor_unknown.
func (c *Console) auditActor(ctx context.Context, a Actor, text string) (store.ActorKind, store.ActorID, error) {
	kind, id, err := store.ParseActor(text)
	if err == nil {
		return kind, id, nil
	}
	u, missing := findUserByLogin(ctx, c.store.Reader, a, text)
	switch {
	case missing == nil:
		return store.ActorUser, store.ActorID(u.ID), nil
	case isNotFound(missing, "user"):
		return "", store.ActorID{}, fault.Wrap(err, fault.KindInvalid, CodeActorUnknown, "actor", text).At("actor")
	}
	return "", store.ActorID{}, missing
}

func auditOf(ctx context.Context, n *names, e *store.AuditEntry) (AuditEntry, error) {
	name, err := n.actor(ctx, e.ActorKind, e.ActorID)
	return AuditEntry{
		ID: e.ID.String(), At: e.At, ActorKind: ActorKind(e.ActorKind), ActorID: actorID(e.ActorKind, e.ActorID), ActorName: name,
		Action: e.Action, ObjectKind: e.ObjectKind, ObjectID: e.ObjectID, Before: e.Before, After: e.After,
		RequestID: e.RequestID, Address: e.Address, Names: n.in(e),
	}, err
}
