package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook"
	"github.com/stickpress/stickpress/store"
)

// Webhook is somebody who is told of events by HTTP, without its secret.
type Webhook struct {
	ID          string   `json:"id"`
	URL         string   `json:"url"`
	Description string   `json:"description"`
	Types       []string `json:"types" doc:"Of the events that it is sent; none: all."`
	Sites       []string `json:"sites" doc:"IDs of the sites whose events it is sent; none: all."`
	State       string   `json:"state" enum:"active,paused"`
	PauseCause  string   `json:"pause_cause,omitempty" enum:"admin,failing,gone" doc:"Who paused it: an admin, or the console, since nothing was delivered for three days or the receiver answered 410."`

	PausedAt     *time.Time `json:"paused_at,omitempty"`
	FailingSince *time.Time `json:"failing_since,omitempty" doc:"The first failure since the last success."`
	DeliveredAt  *time.Time `json:"delivered_at,omitempty" doc:"The last success."`
	// OldSecretUntil is until when the secret before signs, too.
	OldSecretUntil *time.Time `json:"old_secret_until,omitempty" doc:"Until then the secret before the last rotation signs, too."`
	CreatedAt      time.Time  `json:"created_at"`
	Revision       int64      `json:"revision"`
}

// The states of a webhook, and why it is paused.
const (
	WebhookActive = string(store.WebhookActive)
	WebhookPaused = string(store.WebhookPaused)
	PausedByAdmin = string(store.PausedByAdmin)
	PausedFailing = string(store.PausedFailing)
	PausedGone    = string(store.PausedGone)
)

// NewWebhook is a webhook with its new secret, which is shown only once.
type NewWebhook struct {
	Webhook
	Secret string `json:"secret" doc:"Signs every message; shown only now."`
}

const (
	maxWebhooks    = 100
	maxDescription = 300 // characters
	// usualOverlap is how long a replaced secret goes on signing, maxOverlap the
	// longest.
	usualOverlap = 24 * time.Hour
	maxOverlap   = 7 * 24 * time.Hour
)

// WebhookFilter narrows ListWebhooks; empty fields do not.
type WebhookFilter struct {
	State  string
	Type   string // of events that it is sent
	Search string // what its URL or description holds, whatever its case
}

// WebhookFields are the fields of a WebhookFilter.
var WebhookFields = []Field[WebhookFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "What the URL or the description holds, whatever its case."}, func(f *WebhookFilter) *string { return &f.Search }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{WebhookActive, WebhookPaused}, Doc: "Whether it is sent anything."}, func(f *WebhookFilter) *string { return &f.State }},
	{FieldInfo{Name: "type", Kind: FieldChoice, Values: eventNames(), Doc: "A type of events that it is sent."}, func(f *WebhookFilter) *string { return &f.Type }},
}

func eventNames() []string {
	names := make([]string, 0, len(EventKinds))
	for _, k := range EventKinds {
		names = append(names, k.Type)
	}
	return names
}

// ListWebhooks lists webhooks, newest first (admin). Faults: those of checkFilter.
func (c *Console) ListWebhooks(ctx context.Context, a Actor, f WebhookFilter, p Page) (List[Webhook], error) {
	if err := allow(a, UseListWebhooks); err != nil {
		return List[Webhook]{}, err
	}
	if err := checkFilter(WebhookFields, &f); err != nil {
		return List[Webhook]{}, err
	}
	query := store.WebhookFilter{State: store.WebhookState(f.State), Type: f.Type, Search: f.Search}
	var err error
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.WebhookID](p); err != nil {
		return List[Webhook]{}, err
	}
	rows, err := c.store.Webhooks(ctx, query)
	if err != nil {
		return List[Webhook]{}, err
	}
	return listOf(p, rows, func(w *store.Webhook) (Webhook, error) { return c.webhookOf(w), nil },
		func(w store.Webhook) string { return w.ID.String() })
}

// GetWebhook returns a webhook (admin). Faults: webhook_not_found.
func (c *Console) GetWebhook(ctx context.Context, a Actor, id string) (Webhook, error) {
	if err := allow(a, UseGetWebhook); err != nil {
		return Webhook{}, err
	}
	w, err := findWebhook(ctx, c.store.Reader, id)
	if err != nil {
		return Webhook{}, err
	}
	return c.webhookOf(&w), nil
}

// StoppedWebhooks counts the webhooks that the console paused by itself, for
// those who may see them; 0 for others.
func (c *Console) StoppedWebhooks(ctx context.Context, a Actor) (int, error) {
	if allow(a, UseListWebhooks) != nil {
		return 0, nil
	}
	return c.store.StoppedWebhooks(ctx)
}

// SaveWebhookInput is a new webhook, or what changes of one.
type SaveWebhookInput struct {
	ID          string // empty for a new one
	URL         string
	Description string
	Types       []string // none: all
	Sites       []string // IDs; none: all
	Revision    int64    // as seen; 0 does not check
}

// cleanWebhook checks what was typed, all of it. Faults: event_type_unknown,
// site_not_found, text_too_long, and those of outbound.Client.Check.
func (c *Console) cleanWebhook(ctx context.Context, in *SaveWebhookInput) (store.Webhook, error) {
	w := store.Webhook{URL: strings.TrimSpace(in.URL), Description: strings.TrimSpace(in.Description)}
	_, types := eventTypes(in.Types)
	w.Types = slices.Compact(slices.Sorted(slices.Values(in.Types)))
	var sites error
	w.Sites, sites = knownSites(ctx, c.store.Reader, in.Sites)
	return w, fault.All(c.checkOutbound(ctx, "url", w.URL), tooLong("description", w.Description, maxDescription), types, sites)
}

// CreateWebhook has somebody told of what happens from now on (admin). The
// secret is shown this once. Faults: webhooks_too_many, and those of
// cleanWebhook.
func (c *Console) CreateWebhook(ctx context.Context, a Actor, in SaveWebhookInput) (NewWebhook, error) {
	if err := allow(a, UseSaveWebhook); err != nil {
		return NewWebhook{}, err
	}
	clean, err := c.cleanWebhook(ctx, &in)
	if err != nil {
		return NewWebhook{}, err
	}
	secret, err := webhook.NewSecret(c.rand)
	if err != nil {
		return NewWebhook{}, err
	}
	var out NewWebhook
	err = c.change(ctx, a, UseSaveWebhook, func(tx *store.Tx, by store.Actor) error {
		all, err := tx.Webhooks(ctx, store.WebhookFilter{Page: store.WebhookPage{Limit: maxWebhooks}})
		if err != nil {
			return err
		}
		if len(all) >= maxWebhooks {
			return fault.New(fault.KindConflict, CodeWebhooksTooMany, "most", maxWebhooks)
		}
		w, err := tx.CreateWebhook(ctx, store.NewWebhook{
			URL: clean.URL, Description: clean.Description, Types: clean.Types, Sites: clean.Sites, Secret: secret, By: by,
		})
		if err != nil {
			return err
		}
		out = NewWebhook{Webhook: c.webhookOf(&w), Secret: secret}
		return tx.Audit(ctx, auditWebhook(by, UseSaveWebhook, nil, &w))
	})
	return out, err
}

// UpdateWebhook changes a webhook (admin). What is under way goes to the new
// URL. Faults: webhook_not_found, stale, and those of cleanWebhook.
func (c *Console) UpdateWebhook(ctx context.Context, a Actor, in SaveWebhookInput) (Webhook, error) {
	if err := allow(a, UseSaveWebhook); err != nil {
		return Webhook{}, err
	}
	clean, err := c.cleanWebhook(ctx, &in)
	if err != nil {
		return Webhook{}, err
	}
	return c.changeWebhook(ctx, a, UseSaveWebhook, in.ID, func(tx *store.Tx, before store.Webhook) (store.Webhook, error) {
		clean.ID, clean.Revision = before.ID, seen(in.Revision, before.Revision)
		return tx.UpdateWebhook(ctx, clean)
	})
}

// PauseWebhook stops a webhook (admin): what happens until it is resumed is not
// sent to it, nor is what was to be tried again. Faults: webhook_not_found, stale.
func (c *Console) PauseWebhook(ctx context.Context, a Actor, id string, revision int64) (Webhook, error) {
	return c.changeWebhook(ctx, a, UsePauseWebhook, id, func(tx *store.Tx, before store.Webhook) (store.Webhook, error) {
		if before.State == store.WebhookPaused {
			return before, nil
		}
		return tx.PauseWebhook(ctx, before.ID, seen(revision, before.Revision), store.PausedByAdmin)
	})
}

// ResumeWebhook has a webhook sent what happens from now on (admin).
// Faults: webhook_not_found, stale.
func (c *Console) ResumeWebhook(ctx context.Context, a Actor, id string, revision int64) (Webhook, error) {
	return c.changeWebhook(ctx, a, UsePauseWebhook, id, func(tx *store.Tx, before store.Webhook) (store.Webhook, error) {
		if before.State == store.WebhookActive {
			return before, nil
		}
		return tx.ResumeWebhook(ctx, before.ID, seen(revision, before.Revision))
	})
}

// DeleteWebhook forgets a webhook and what was sent to it (admin).
// Faults: webhook_not_found, stale.
func (c *Console) DeleteWebhook(ctx context.Context, a Actor, id string, revision int64) error {
	return c.change(ctx, a, UseDeleteWebhook, func(tx *store.Tx, by store.Actor) error {
		before, err := findWebhook(ctx, tx.Reader, id)
		if err != nil {
			return err
		}
		if _, err := tx.DeleteWebhook(ctx, before.ID, seen(revision, before.Revision)); err != nil {
			return err
		}
		return tx.Audit(ctx, auditWebhook(by, UseDeleteWebhook, &before, nil))
	})
}

// RotateSecretInput replaces a webhook's secret.
type RotateSecretInput struct {
	ID       string
	Overlap  time.Duration // how long the old one signs, too; 0: a day; at most a week
	Revision int64         // as seen; 0 does not check
}

// RotateWebhookSecret gives a webhook a new secret (admin), which is shown this
// once. For a while messages are signed by both. Faults: webhook_not_found, stale.
func (c *Console) RotateWebhookSecret(ctx context.Context, a Actor, in RotateSecretInput) (NewWebhook, error) {
	secret, err := webhook.NewSecret(c.rand)
	if err != nil {
		return NewWebhook{}, err
	}
	w, err := c.changeWebhook(ctx, a, UseRotateSecret, in.ID, func(tx *store.Tx, before store.Webhook) (store.Webhook, error) {
		until := tx.At().Add(lifetime(in.Overlap, usualOverlap, maxOverlap))
		return tx.RotateWebhookSecret(ctx, before.ID, seen(in.Revision, before.Revision), secret, until)
	})
	if err != nil {
		return NewWebhook{}, err
	}
	return NewWebhook{Webhook: w, Secret: secret}, nil
}

// changeWebhook changes a webhook with its audit row.
func (c *Console) changeWebhook(ctx context.Context, a Actor, u UseCase, id string, do func(*store.Tx, store.Webhook) (store.Webhook, error)) (Webhook, error) {
	var out Webhook
	err := c.change(ctx, a, u, func(tx *store.Tx, by store.Actor) error {
		before, err := findWebhook(ctx, tx.Reader, id)
		if err != nil {
			return err
		}
		after, err := do(tx, before)
		if err != nil {
			return err
		}
		out = c.webhookOf(&after)
		if after.Revision == before.Revision {
			return nil
		}
		return tx.Audit(ctx, auditWebhook(by, u, &before, &after))
	})
	return out, err
}

func findWebhook(ctx context.Context, r store.Reader, id string) (store.Webhook, error) {
	key, err := parse[store.WebhookID]("webhook", id)
	if err != nil {
		return store.Webhook{}, err
	}
	return r.Webhook(ctx, key)
}

// auditWebhook is a change of a webhook as the audit log keeps it. A URL may be
// a secret: it keeps the host, and a digest that differs when the rest does.
func auditWebhook(by store.Actor, u UseCase, before, after *store.Webhook) store.NewAudit {
	n := store.NewAudit{By: by, Action: string(u), ObjectKind: "webhook"}
	kept := func(w *store.Webhook) any {
		n.ObjectID = w.ID.String()
		m := map[string]any{"url": shortURL(w.URL), "description": w.Description, "types": w.Types, "sites": siteTexts(w.Sites), "state": w.State}
		if w.PauseCause != "" {
			m["cause"] = w.PauseCause
		}
		if w.OldSecretUntil != nil {
			m["old_secret_until"] = w.OldSecretUntil
		}
		return m
	}
	if before != nil {
		n.Before = kept(before)
	}
	if after != nil {
		n.After = kept(after)
	}
	return n
}

// shortURL is a URL without its path and query: "https://host/… (1a2b3c4d)".
func shortURL(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	u, err := url.Parse(raw)
	if err != nil {
		return "(" + hex.EncodeToString(sum[:4]) + ")"
	}
	return u.Scheme + "://" + u.Host + "/… (" + hex.EncodeToString(sum[:4]) + ")"
}

func (c *Console) webhookOf(w *store.Webhook) Webhook {
	out := Webhook{
		ID: w.ID.String(), URL: w.URL, Description: w.Description, Types: append([]string{}, w.Types...), Sites: siteTexts(w.Sites),
		State: string(w.State), PauseCause: string(w.PauseCause), PausedAt: w.PausedAt, FailingSince: w.FailingSince,
		DeliveredAt: w.DeliveredAt, OldSecretUntil: w.OldSecretUntil, CreatedAt: w.CreatedAt, Revision: w.Revision,
	}
	if w.OldSecretUntil != nil && !c.now().Before(*w.OldSecretUntil) {
		out.OldSecretUntil = nil
	}
	return out
}
