package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/store"
)

// HistoryEntry is one change of a thing: who, when, and what of it is another.
type HistoryEntry struct {
	ID        string    `json:"id"` // of the line of the audit log
	At        time.Time `json:"at"`
	ActorKind ActorKind `json:"actor_kind"`
	ActorName string    `json:"actor_name"`
	Action    string    `json:"action"` // a UseCase
	Changes   []Change  `json:"changes"`
	// Names are what the IDs in it are called now: of things that are there, and
	// that the reader may know of.
	Names map[string]string `json:"names,omitempty"`
}

// historyOf says for each kind of things that have a history who may see it:
// whoever may see the thing.
var historyOf = map[string]UseCase{
	"image": UseGetImage, "image_version": UseGetImage, "template": UseGetTemplate, "task_sequence": UseGetTaskSequence,
	"host": UseGetHost, "site": UseListSites, "setting": UseListSettings, "webhook": UseGetWebhook,
	"connector": UseListConnectors, "stick_request": UseListStickRequests, "user": UseListUsers, "token": UseListTokens,
}

// noChanges are actions that leave a line of the log at a thing and do not change
// it: to read it, and to come in.
var noChanges = []string{
	string(UseTemplateSource), string(UseSignIn), string(UseSignIn) + failed, string(UseSignInCode) + failed, string(UseSignInService) + failed,
	string(UseRedeemSignInLink), string(UseRedeemSignInLink) + failed,
}

// ListHistory returns the last changes of a thing, newest first. An image's are
// also those of its channels. What is not there, or out of the actor's scope,
// has no history.
func (c *Console) ListHistory(ctx context.Context, a Actor, kind, id string, p Page) (List[HistoryEntry], error) {
	if err := allow(a, UseListHistory); err != nil {
		return List[HistoryEntry]{}, err
	}
	u, ok := historyOf[kind]
	if !ok {
		return List[HistoryEntry]{}, store.NotFound(kind, id)
	}
	if err := allow(a, u); err != nil {
		return List[HistoryEntry]{}, err
	}
	before, err := after[store.AuditID](p)
	if err != nil {
		return List[HistoryEntry]{}, err
	}
	objects, err := c.objectsOf(ctx, a, kind, id)
	if err != nil {
		return List[HistoryEntry]{}, err
	}
	rows, err := c.store.History(ctx, objects, noChanges, store.AuditPage{Before: before, Limit: p.limit() + 1})
	if err != nil {
		return List[HistoryEntry]{}, err
	}
	n := c.names()
	if err := n.learn(ctx, a, rows); err != nil {
		return List[HistoryEntry]{}, err
	}
	return listOf(p, rows, func(r *store.AuditEntry) (HistoryEntry, error) {
		name, err := n.actor(ctx, r.ActorKind, r.ActorID)
		return HistoryEntry{
			ID: r.ID.String(), At: r.At, ActorKind: ActorKind(r.ActorKind), ActorName: name, Action: r.Action, Changes: Changes(r.Before, r.After), Names: n.in(r),
		}, err
	}, func(r store.AuditEntry) string { return r.ID.String() })
}

// objectsOf lists what the history of a thing is kept under.
func (c *Console) objectsOf(ctx context.Context, a Actor, kind, id string) ([]store.Object, error) {
	objects := []store.Object{{Kind: kind, ID: id}}
	switch kind {
	case "host":
		_, err := findHost(ctx, c.store.Reader, a, id)
		return objects, err
	case "user":
		_, err := findUser(ctx, c.store.Reader, a, id)
		return objects, err
	case "token":
		_, err := c.GetToken(ctx, a, id)
		return objects, err
	case "stick_request":
		_, err := c.GetStickRequest(ctx, a, id)
		return objects, err
	case "site":
		_, err := findSite(ctx, c.store.Reader, a, id)
		return objects, err
	case "image":
		i, err := findImage(ctx, c.store.Reader, id)
		if err != nil {
			return nil, err
		}
		channels, err := c.store.Channels(ctx, i.ID)
		for _, ch := range channels {
			objects = append(objects, store.Object{Kind: "channel", ID: ch.ID.String()})
		}
		return objects, err
	}
	return objects, nil
}
