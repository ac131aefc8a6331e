package api

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
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
}

// Change is one value that was another before; empty is none.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// historyOf says for each kind of things that have a history who may see it:
// whoever may see the thing.
var historyOf = map[string]UseCase{
	"image": UseGetImage, "image_version": UseGetImage, "template": UseGetTemplate, "task_sequence": UseGetTaskSequence,
	"host": UseGetHost, "site": UseListSites, "setting": UseListSettings, "webhook": UseGetWebhook,
	"connector": UseListConnectors, "stick_request": UseListStickRequests,
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
	rows, err := c.store.History(ctx, objects, string(UseTemplateSource), store.AuditPage{Before: before, Limit: p.limit() + 1}) // to read is no change
	if err != nil {
		return List[HistoryEntry]{}, err
	}
	n := c.names()
	return listOf(p, rows, func(r *store.AuditEntry) (HistoryEntry, error) {
		name, err := n.actor(ctx, r.ActorKind, r.ActorID)
		return HistoryEntry{
			ID: r.ID.String(), At: r.At, ActorKind: ActorKind(r.ActorKind), ActorName: name, Action: r.Action, Changes: changes(r.Before, r.After),
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

const maxChange = 200 // characters of a value that are shown

// changes compares what an audit entry has of before and after, value by value.
func changes(before, after json.RawMessage) []Change {
	b, a := values(before), values(after)
	keys := map[string]bool{}
	for k := range b {
		keys[k] = true
	}
	for k := range a {
		keys[k] = true
	}
	out := []Change{}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		// What was not noted of the time before, or of after, did not change.
		_, had := b[k]
		_, has := a[k]
		if b[k] == a[k] || had && !has && len(a) > 0 || a[k] == "" && !had {
			continue
		}
		out = append(out, Change{Field: k, Before: b[k], After: a[k]})
	}
	return out
}

// values are the values of a JSON object as people read them; of what is nested
// within it, its JSON.
func values(raw json.RawMessage) map[string]string {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return nil
	}
	out := make(map[string]string, len(object))
	for k, v := range object {
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(bytes.TrimSpace(v))
		}
		if text == "null" {
			text = ""
		}
		if r := []rune(text); len(r) > maxChange {
			text = string(r[:maxChange]) + "…"
		}
		out[k] = strings.ToValidUTF8(text, "")
	}
	return out
}
