package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// EventFilter narrows events; empty fields do not.
type EventFilter struct {
	Types []string // as Event.Type
	Site  string   // ID or name
}

func errEventType(name string) *fault.Error {
	return fault.New(fault.KindInvalid, CodeEventType, "type", name).At("types")
}

// ListEvents lists what happened after an event ("": from the beginning),
// oldest first, at the sites of the actor. Whoever goes on with the ID of the
// last one misses none and sees none twice. A place that this database has
// never reached, as from before a restore, is refused.
// Faults: id_invalid, cursor_ahead, event_type_unknown, site_not_found.
func (c *Console) ListEvents(ctx context.Context, a Actor, f EventFilter, after string, limit int) ([]Event, error) {
	query, at, err := c.eventQuery(ctx, a, f, after)
	if err != nil {
		return nil, err
	}
	query.Limit = limit
	rows, err := c.store.Feed(ctx, at, query)
	if err != nil {
		return nil, err
	}
	return feedEvents(rows)
}

// eventQuery is what an actor may see of what was asked for.
func (c *Console) eventQuery(ctx context.Context, a Actor, f EventFilter, after string) (store.FeedFilter, store.Cursor, error) {
	if err := allow(a, UseListEvents); err != nil {
		return store.FeedFilter{}, store.Cursor{}, err
	}
	var query store.FeedFilter
	at, err := store.ParseCursor(after)
	if err != nil {
		return query, at, fault.From(err).At("cursor")
	}
	if err := c.store.CheckCursor(ctx, at); err != nil {
		return query, at, fault.From(err).At("cursor")
	}
	if query.Types, err = eventTypes(f.Types); err != nil {
		return query, at, err
	}
	if query.Sites, err = a.sites(); err != nil {
		return query, at, err
	}
	if f.Site != "" {
		s, err := findSite(ctx, c.store.Reader, a, f.Site)
		if err != nil {
			return query, at, fault.From(err).At("site")
		}
		query.Sites = []store.SiteID{s.ID}
	}
	return query, at, nil
}

// How a watcher of events reads.
const (
	// feedLeast is the least time between two looks.
	feedLeast = 300 * time.Millisecond
	// feedPoll is the longest: what an open transaction held back comes without
	// a notification of its own.
	feedPoll = 2 * time.Second
	// feedPage is how many events are read at once.
	feedPage = 200
)

// WatchEvents sends what happened after an event ("": from now on), oldest
// first, as it happens. The channel closes when ctx or Run ends, or when the
// database cannot be read any more. Faults: those of ListEvents.
func (c *Console) WatchEvents(ctx context.Context, a Actor, f EventFilter, after string) (<-chan Event, error) {
	query, at, err := c.eventQuery(ctx, a, f, after)
	if err == nil && after == "" {
		at, err = c.store.FeedEnd(ctx)
	}
	if err != nil {
		return nil, err
	}
	query.Limit = feedPage
	out := make(chan Event)
	go func() {
		defer close(out)
		ctx, stop := c.whileRunning(ctx)
		defer stop()
		if err := c.followFeed(ctx, query, at, out); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "watching events ended", "error", err)
		}
	}()
	return out, nil
}

// followFeed sends events after a place until ctx ends.
func (c *Console) followFeed(ctx context.Context, query store.FeedFilter, at store.Cursor, out chan<- Event) error {
	changed := c.store.Watch(ctx, store.TopicJobs, store.TopicSticks)
	wait := pace{feedLeast, feedPoll}.begin(changed)
	defer wait.stop()
	for {
		rows, err := c.store.Feed(ctx, at, query)
		if err != nil {
			return err
		}
		events, err := feedEvents(rows)
		if err != nil {
			return err
		}
		for i := range events {
			select {
			case out <- events[i]:
			case <-ctx.Done():
				return ctx.Err()
			}
			at = rows[i].Cursor()
		}
		if len(rows) == query.Limit {
			continue
		}
		if !wait.next(ctx, nil) {
			return ctx.Err()
		}
	}
}

// feedEvents are rows of the feed as programs see them.
func feedEvents(rows []store.FeedEvent) ([]Event, error) {
	out := make([]Event, 0, len(rows))
	for i := range rows {
		e, err := feedEvent(&rows[i])
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func feedEvent(row *store.FeedEvent) (Event, error) {
	e := Event{
		ID: row.Cursor().String(), Type: strings.Replace(string(row.Type), "_", ".", 1), Version: row.PayloadVersion, Timestamp: row.At,
		ActorKind: ActorKind(row.ActorKind),
		Data: EventData{
			JobID: row.JobID.String(), BuildID: row.BuildID.String(), Attempt: row.Attempt, StickID: row.StickID.String(),
			HostID: row.HostID.String(), SiteID: row.SiteID.String(), ExternalRef: externalRefOf(row.ReferenceSystem, row.Reference),
		},
	}
	if !row.ActorID.IsZero() {
		e.ActorID = store.ActorText(row.ActorKind, row.ActorID)
	}
	if err := addData(&e.Data, row); err != nil {
		return Event{}, fmt.Errorf("read event %s: %w", e.ID, err)
	}
	return e, nil
}

// addData adds what the type of an event has beside its IDs: what EventKinds
// says.
func addData(d *EventData, row *store.FeedEvent) error {
	switch row.Type {
	case store.EventJobQueued:
		p, err := payloadOf[store.QueuedJob](row)
		d.Kind, d.ImageVersionID, d.Channel, d.Layout = p.Kind, p.ImageVersionID.String(), p.Channel, p.Layout
		d.Builds, d.Holder, d.NotBefore = len(p.Builds), p.Holder, p.NotBefore
		return err
	case store.EventJobRescheduled:
		p, err := payloadOf[store.JobSchedule](row)
		d.NotBefore = p.NotBefore
		return err
	case store.EventBuildStepBegun, store.EventBuildStepDone, store.EventBuildVerified, store.EventBuildFailed, store.EventBuildCancelled:
		p, err := payloadOf[store.BuildReport](row)
		d.Step, d.Fault = p.Step, eventFault(p.Fault)
		if p.Result != nil {
			d.BytesWritten, d.BytesVerified = p.Result.BytesWritten, p.Result.BytesVerified
		}
		return err
	case store.EventStickPressing, store.EventStickVerified, store.EventStickIncomplete, store.EventStickWiped:
		p, err := payloadOf[store.StickContent](row)
		d.ImageVersionID, d.Layout, d.Fault = p.ImageVersionID.String(), p.Layout, eventFault(p.Fault)
		d.Holder, d.CertificateID = p.Holder, p.CertificateID.String()
		return err
	case store.EventStickChecked:
		p, err := payloadOf[store.StickCheck](row)
		d.Fault = eventFault(p.Fault)
		if p.Result != nil {
			d.Outcome = p.Result.Outcome
		}
		return err
	case store.EventStickDataSettled:
		p, err := payloadOf[store.StickDataSettled](row)
		d.Outcome, d.Reason = string(p.Data), p.Reason
		return err
	case store.EventStickIssued, store.EventStickLost, store.EventStickFound, store.EventStickRetired:
		p, err := payloadOf[store.StickHandover](row)
		d.Holder, d.Reason = p.Holder, p.Reason
		return err
	default: // the IDs say it all
		return nil
	}
}

func payloadOf[T any](row *store.FeedEvent) (T, error) {
	var p T
	err := json.Unmarshal(row.Payload, &p)
	return p, err
}

func eventFault(f *protocol.Fault) *EventFault {
	if f == nil {
		return nil
	}
	return &EventFault{Code: f.Code, Params: f.Params, Touched: f.Touched}
}
