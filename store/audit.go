package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	SiteID     SiteID // of the object, zero for what all sites share
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

// AuditKinds are the kinds of things that entries are about, by name.
var AuditKinds = []string{
	"audit", "blob", "build", "channel", "connector", "console", "host", "image", "image_version", "job", "pairing", "setting", "site", "stick",
	"stick_request", "task_sequence", "template", "token", "user", "view", "webhook",
}

const auditColumns = `id, actor_kind, actor_id, request_id, address, action, object_kind, object_id, site_id, before, after, at`

// siteOf finds the site of what an entry is about, in SQL, by the kind of it:
// of hosts and what belongs to them. What it does not know has none, so that
// nobody who is limited to sites reads it.
var siteOf = map[string]string{
	"site":          `(SELECT id FROM sites WHERE id = @object)`,
	"host":          `(SELECT site_id FROM hosts WHERE id = @object)`,
	"stick_request": `(SELECT site_id FROM stick_requests WHERE id = @object)`,
	"job":           `(SELECT site_id FROM jobs WHERE id = @object)`,
	"build":         `(SELECT h.site_id FROM builds b JOIN hosts h ON h.id = b.host_id WHERE b.id = @object)`,
	"stick":         `(SELECT h.site_id FROM sticks s JOIN hosts h ON h.id = s.host_id WHERE s.id = @object)`,
}

// Audit adds a line to the audit log, in the transaction of what it tells of.
func (tx *Tx) Audit(_ context.Context, n NewAudit) error {
	if !slices.Contains(AuditKinds, n.ObjectKind) {
		return fmt.Errorf("audit: %q is no kind of things", n.ObjectKind)
	}
	tx.objects = append(tx.objects, n.ObjectID)
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
	tx.tx.later(
		`INSERT INTO audit (`+auditColumns+`)
		VALUES (@id, @actor_kind, @actor_id, @request_id, @address, @action, @object_kind, @object_id,
			`+or(siteOf[n.ObjectKind], "NULL::uuid")+`, @before, @after, @at)`,
		pgx.NamedArgs{
			"id": id, "actor_kind": n.By.Kind, "actor_id": n.By.ID,
			"request_id": cleanText(n.By.RequestID), "address": cleanText(n.By.Address),
			"action": n.Action, "object_kind": n.ObjectKind, "object_id": n.ObjectID, "object": objectKey(n.ObjectKind, n.ObjectID),
			"before": before, "after": after, "at": tx.at,
		})
	return nil
}

// objectKey is the key of an object from its text form; what has none is about
// no site.
func objectKey(kind, text string) ActorID {
	var id [16]byte
	var err error
	switch kind {
	case "site":
		id, err = ParseID[SiteID](text)
	case "host":
		id, err = ParseID[HostID](text)
	case "stick_request":
		id, err = ParseID[RequestID](text)
	case "job":
		id, err = ParseID[JobID](text)
	case "build":
		id, err = ParseID[BuildID](text)
	case "stick":
		id, err = ParseID[StickID](text)
	}
	if err != nil {
		return ActorID{}
	}
	return id
}

// AuditFilter narrows AuditLog; empty fields do not.
type AuditFilter struct {
	// Sites leaves what is about these sites, and what Self did.
	Sites      []SiteID
	Self       ActorID
	ActorKind  ActorKind
	ActorID    ActorID
	Actions    []string
	ObjectKind string
	ObjectID   string
	From       time.Time // inclusive
	Until      time.Time // exclusive
	Page       AuditPage
}

// AuditLog lists audit entries, newest first.
func (r Reader) AuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	var w where
	w.text("object_kind = @kind", "kind", f.ObjectKind)
	w.text("object_id = @object", "object", f.ObjectID)
	w.text("actor_kind = @actor_kind", "actor_kind", string(f.ActorKind))
	if !f.ActorID.IsZero() {
		w.and("actor_id = @actor", "actor", f.ActorID)
	}
	if len(f.Actions) > 0 {
		w.and("action = ANY (@actions)", "actions", f.Actions)
	}
	equal(&w, "id >= @from", "from", firstID[auditKind](f.From))
	equal(&w, "id < @until", "until", firstID[auditKind](f.Until))
	if len(f.Sites) > 0 {
		w.and("(site_id = ANY (@sites) OR actor_id = @self)", "sites", f.Sites)
		w.args["self"] = f.Self
	}
	return byID[AuditEntry](ctx, r, "audit log", "audit", auditColumns, &w, f.Page)
}

// Object names what an audit entry is about.
type Object struct{ Kind, ID string }

// History lists the last audit entries of some objects but those of some actions,
// newest first.
func (r Reader) History(ctx context.Context, objects []Object, but []string, p AuditPage) ([]AuditEntry, error) {
	var kinds, ids []string
	for _, o := range objects {
		kinds, ids = append(kinds, o.Kind), append(ids, o.ID)
	}
	return many[AuditEntry](ctx, r.db, "history",
		`SELECT `+auditColumns+` FROM audit
		WHERE (object_kind, object_id) IN (SELECT * FROM unnest(@kinds::text[], @ids::text[])) AND action <> ALL (@but)
			AND (@before::uuid IS NULL OR id < @before)
		ORDER BY id DESC LIMIT @limit`, p.args(pgx.NamedArgs{"but": but, "kinds": kinds, "ids": ids}))
}
