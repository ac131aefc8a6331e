package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// WebhookState says whether a webhook is sent anything.
type WebhookState string

// The states of a webhook.
const (
	WebhookActive WebhookState = "active"
	WebhookPaused WebhookState = "paused"
)

// PauseCause says who stopped a webhook, and why.
type PauseCause string

// The causes.
const (
	PausedByAdmin PauseCause = "admin"
	PausedFailing PauseCause = "failing" // nothing was delivered for days
	PausedGone    PauseCause = "gone"    // its receiver answered 410 Gone
)

// Webhook is somebody who is told of events by HTTP.
type Webhook struct {
	ID             WebhookID
	URL            string
	Description    string
	Types          []string // of events, as the API spells them; none: all
	Sites          []SiteID // none: all
	State          WebhookState
	PauseCause     PauseCause // of WebhookPaused
	PausedAt       *time.Time
	FailingSince   *time.Time // the first failure since a success
	DeliveredAt    *time.Time // the newest success
	OldSecretUntil *time.Time // till then the secret before signs, too
	Since          uint64     // only what later transactions write is sent
	Revision       int64
	CreatedByKind  ActorKind
	CreatedByID    ActorID
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

const webhookColumns = `id, url, description, types, sites, state, pause_cause, paused_at, failing_since, delivered_at,
	old_secret_until, since, revision, created_by_kind, created_by_id, created_at, updated_at`

// Webhook finds a webhook, or fails with webhook_not_found.
func (r Reader) Webhook(ctx context.Context, id WebhookID) (Webhook, error) {
	return one[Webhook](ctx, r.db, "webhook", id,
		`SELECT `+webhookColumns+` FROM webhooks WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// WebhookFilter narrows Webhooks; empty fields do not.
type WebhookFilter struct {
	State  WebhookState
	Type   string // of events that it is sent
	Search string // what its URL or description holds, whatever its case
	Page   WebhookPage
}

// Webhooks lists webhooks, newest first.
func (r Reader) Webhooks(ctx context.Context, f WebhookFilter) ([]Webhook, error) {
	var w where
	w.text("state = @state", "state", string(f.State))
	w.text("(types = '{}' OR @type = ANY (types))", "type", f.Type)
	w.text("(lower(url) LIKE @search OR lower(description) LIKE @search)", "search", holding(f.Search))
	return byID[Webhook](ctx, r, "webhooks", "webhooks", webhookColumns, &w, f.Page)
}

// ActiveWebhooks lists all webhooks that are sent something.
func (r Reader) ActiveWebhooks(ctx context.Context) ([]Webhook, error) {
	return many[Webhook](ctx, r.db, "webhooks",
		`SELECT `+webhookColumns+` FROM webhooks WHERE state = 'active' ORDER BY id`, nil)
}

// StoppedWebhooks counts the webhooks that the console paused by itself.
func (r Reader) StoppedWebhooks(ctx context.Context) (int, error) {
	var n int
	err := r.db.QueryRow(ctx, `SELECT count(*) FROM webhooks WHERE pause_cause IN ('failing', 'gone')`).Scan(&n)
	return n, fail(err, "count webhooks")
}

// webhookSeal is what a webhook's secrets are bound to.
func webhookSeal(id WebhookID) string { return "webhook " + id.String() }

// NewWebhook is what a webhook is made of.
type NewWebhook struct {
	URL         string
	Description string
	Types       []string
	Sites       []SiteID
	Secret      string // sealed at rest
	By          Actor
}

// CreateWebhook adds a webhook, which is sent what happens from now on.
func (tx *Tx) CreateWebhook(ctx context.Context, n NewWebhook) (Webhook, error) {
	id, err := newID[webhookKind](tx)
	if err != nil {
		return Webhook{}, err
	}
	sealed, err := tx.keys.Seal([]byte(n.Secret), webhookSeal(id))
	if err != nil {
		return Webhook{}, err
	}
	if err := tx.startReading(ctx); err != nil {
		return Webhook{}, err
	}
	return one[Webhook](ctx, tx.tx, "webhook", id,
		`INSERT INTO webhooks (id, url, description, types, sites, state, sealed_secret, secret_key_id, created_by_kind, created_by_id, created_at, updated_at)
		VALUES (@id, @url, @description, @types, @sites, 'active', @box, @key, @by_kind, @by_id, @at, @at)
		RETURNING `+webhookColumns, pgx.NamedArgs{
			"id": id, "url": n.URL, "description": cleanText(n.Description), "types": append([]string{}, n.Types...),
			"sites": append([]SiteID{}, n.Sites...), "box": sealed.Box, "key": sealed.KeyID,
			"by_kind": n.By.Kind, "by_id": n.By.ID, "at": tx.at,
		})
}

// UpdateWebhook changes what an admin may change of a webhook; a stale revision
// is the fault stale.
func (tx *Tx) UpdateWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	return changed[Webhook](ctx, tx.tx, "webhooks", "webhook", w.ID,
		`UPDATE webhooks SET url = @url, description = @description, types = @types, sites = @sites, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+webhookColumns, pgx.NamedArgs{
			"id": w.ID, "revision": w.Revision, "url": w.URL, "description": cleanText(w.Description),
			"types": append([]string{}, w.Types...), "sites": append([]SiteID{}, w.Sites...), "at": tx.at,
		})
}

// PauseWebhook stops a webhook, which misses what happens meanwhile; a stale
// revision is the fault stale.
func (tx *Tx) PauseWebhook(ctx context.Context, id WebhookID, revision int64, cause PauseCause) (Webhook, error) {
	return changed[Webhook](ctx, tx.tx, "webhooks", "webhook", id,
		`UPDATE webhooks SET state = 'paused', pause_cause = @cause, paused_at = @at, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+webhookColumns, pgx.NamedArgs{"id": id, "revision": revision, "cause": cause, "at": tx.at})
}

// ResumeWebhook has a webhook sent what happens from now on; a stale revision is
// the fault stale.
func (tx *Tx) ResumeWebhook(ctx context.Context, id WebhookID, revision int64) (Webhook, error) {
	if err := tx.startReading(ctx); err != nil {
		return Webhook{}, err
	}
	return changed[Webhook](ctx, tx.tx, "webhooks", "webhook", id,
		`UPDATE webhooks SET state = 'active', pause_cause = '', paused_at = NULL, failing_since = NULL,
			since = pg_current_xact_id(), revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+webhookColumns, pgx.NamedArgs{"id": id, "revision": revision, "at": tx.at})
}

// DeleteWebhook forgets a webhook with all that was sent to it; a stale
// revision is the fault stale.
func (tx *Tx) DeleteWebhook(ctx context.Context, id WebhookID, revision int64) (Webhook, error) {
	return changed[Webhook](ctx, tx.tx, "webhooks", "webhook", id,
		`DELETE FROM webhooks WHERE id = @id AND revision = @revision
		RETURNING `+webhookColumns, pgx.NamedArgs{"id": id, "revision": revision})
}

// RotateWebhookSecret puts a secret in the place of another, which goes on
// signing beside it until a time; a stale revision is the fault stale.
func (tx *Tx) RotateWebhookSecret(ctx context.Context, id WebhookID, revision int64, secret string, until time.Time) (Webhook, error) {
	sealed, err := tx.keys.Seal([]byte(secret), webhookSeal(id))
	if err != nil {
		return Webhook{}, err
	}
	return changed[Webhook](ctx, tx.tx, "webhooks", "webhook", id,
		`UPDATE webhooks SET sealed_old_secret = sealed_secret, old_secret_key_id = secret_key_id, old_secret_until = @until,
			sealed_secret = @box, secret_key_id = @key, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+webhookColumns, pgx.NamedArgs{
			"id": id, "revision": revision, "box": sealed.Box, "key": sealed.KeyID, "until": until, "at": tx.at,
		})
}

// WebhookSecrets are the secrets that sign now, the newest first.
func (r Reader) WebhookSecrets(ctx context.Context, id WebhookID, now time.Time) ([]string, error) {
	type row struct {
		SealedSecret    []byte
		SecretKeyID     string
		SealedOldSecret []byte
		OldSecretKeyID  string
		OldSecretUntil  *time.Time
	}
	x, err := one[row](ctx, r.db, "webhook", id,
		`SELECT sealed_secret, secret_key_id, sealed_old_secret, old_secret_key_id, old_secret_until FROM webhooks WHERE id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, err
	}
	sealed := []Sealed{{KeyID: x.SecretKeyID, Box: x.SealedSecret}}
	if x.OldSecretUntil != nil && now.Before(*x.OldSecretUntil) {
		sealed = append(sealed, Sealed{KeyID: x.OldSecretKeyID, Box: x.SealedOldSecret})
	}
	var out []string
	for _, s := range sealed {
		plain, err := r.keys.Open(s, webhookSeal(id))
		if err != nil {
			return nil, err
		}
		out = append(out, string(plain))
	}
	return out, nil
}

// startReading moves the reader to the end of the feed if nobody has read it
// for a while, since no webhook was active. It comes before a webhook becomes
// active.
func (tx *Tx) startReading(ctx context.Context) error {
	// The lock first: what the second statement sees must not be older.
	if _, err := tx.tx.Exec(ctx, `SELECT FROM webhook_reader FOR UPDATE`); err != nil {
		return fail(err, "lock the webhooks' reader")
	}
	_, err := tx.tx.Exec(ctx,
		`UPDATE webhook_reader SET xact = pg_current_xact_id(), stream = 0, event = 0
		WHERE NOT EXISTS (SELECT FROM webhooks WHERE state = 'active')`)
	return fail(err, "move the webhooks' reader")
}

// LockWebhookReader returns how far the feed was read for webhooks and keeps
// other replicas from reading it until the end of the transaction; ok is false
// if one does just now.
func (tx *Tx) LockWebhookReader(ctx context.Context) (at Cursor, ok bool, err error) {
	type row struct {
		Xact   uint64
		Stream Stream
		Event  int64
	}
	rows, err := many[row](ctx, tx.tx, "webhook reader", `SELECT xact, stream, event FROM webhook_reader FOR UPDATE SKIP LOCKED`, nil)
	if err != nil || len(rows) == 0 {
		return Cursor{}, false, err
	}
	return Cursor{Xact: rows[0].Xact, Stream: rows[0].Stream, ID: rows[0].Event}, true, nil
}

// MoveWebhookReader says how far the feed was read.
func (tx *Tx) MoveWebhookReader(ctx context.Context, at Cursor) error {
	_, err := tx.tx.Exec(ctx, `UPDATE webhook_reader SET xact = @xact::xid8, stream = @stream, event = @event`,
		pgx.NamedArgs{"xact": at.Xact, "stream": at.Stream, "event": at.ID})
	return fail(err, "move the webhooks' reader")
}
