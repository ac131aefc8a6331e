package rest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
)

// EventsAsked is what requests for events are narrowed by. It is exported for
// the same reason as Paging.
type EventsAsked struct {
	Types []string `query:"types" maxItems:"100" doc:"Types of events, separated by commas; all if left out. docs/events.md lists them."`
	Site  string   `query:"site" maxLength:"200" doc:"ID or name of a site; all that one may see if left out."`
}

func (e *EventsAsked) filter() api.EventFilter { return api.EventFilter{Types: e.Types, Site: e.Site} }

func (s *REST) eventRoutes() {
	type history struct {
		Paging
		EventsAsked
	}
	op := get("/history", "list_events", "events", "What happened to jobs, builds and sticks, oldest first")
	op.Description = "The cursor is the ID of the last event that was seen: whoever goes on with it misses none and sees none twice. " +
		"The lines of logs are in a job's own history."
	register(s, op, func(ctx context.Context, a api.Actor, in *history) (*listed[api.Event], error) {
		limit := in.page().Limit
		if limit == 0 {
			limit = api.DefaultPage
		}
		events, err := s.console.ListEvents(ctx, a, in.filter(), in.Cursor, limit)
		l := api.List[api.Event]{Items: events}
		if len(events) == limit {
			l.Next = events[limit-1].ID
		}
		return pageOf(&in.Paging, l, err)
	})
	s.watchEvents()
}

// watchEvents streams Server-Sent Events, as watchJob does.
func (s *REST) watchEvents() {
	type input struct {
		EventsAsked
		After string `query:"after" maxLength:"100" doc:"Only events after this one, by its ID; from now on if left out. Last-Event-ID goes before."`
		Last  string `header:"Last-Event-ID" maxLength:"100" doc:"The event that the reader saw last; browsers send it when they reconnect."`
	}
	op := get("/events", "watch_events", "events", "What happens to jobs, builds and sticks, as it happens")
	op.Description = "Server-Sent Events, each named 'event', with an Event as its data and that event's ID as its ID: a reader that comes back with it, " +
		"to whichever server, misses none and sees none twice."
	op.Responses = streamOf[api.Event](s)
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*huma.StreamResponse, error) {
		from, after := "Last-Event-ID", in.Last
		if after == "" {
			from, after = "after", in.After
		}
		ctx, end := s.console.WhileSignedIn(ctx, a)
		events, err := s.console.WatchEvents(ctx, a, in.filter(), after)
		if err != nil {
			end()
			return nil, fault.Renamed(err, func(field string) string {
				if field == "cursor" {
					return from
				}
				return field
			})
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			defer end()
			_, w := humachi.Unwrap(c)
			stream(ctx, w, events, feedEventOf)
		}}, nil
	})
}

// feedEventOf is an event as the text of a Server-Sent Event.
func feedEventOf(e api.Event) []byte {
	data, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("rest: encode an event: %v", err)) // plain data
	}
	return fmt.Appendf(nil, "event: event\nid: %s\ndata: %s\n\n", e.ID, data)
}
