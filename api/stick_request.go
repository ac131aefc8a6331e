package api

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

// StickRequest is what a ticket wants: a stick, or several, for somebody. It is
// open until somebody chooses the sticks (QueueJob) or declines it.
type StickRequest struct {
	ID             string `json:"id"`
	ConnectorID    string `json:"connector_id"`
	Connector      string `json:"connector"` // its name
	ConnectorTitle string `json:"connector_title"`
	SiteID         string `json:"site_id"`
	SiteName       string `json:"site_name"`
	Ticket         string `json:"ticket"`
	TicketURL      string `json:"ticket_url,omitempty"`
	State          string `json:"state" enum:"open,queued,done,failed,declined,withdrawn"`
	Holder         string `json:"holder"`
	ComputerName   string `json:"computer_name"`
	Image          string `json:"image"` // a name, as the ticket says
	Channel        string `json:"channel"`
	TaskSequence   string `json:"task_sequence"`
	Layout         string `json:"layout"`
	Host           string `json:"host"`
	Site           string `json:"site"` // as the ticket says
	Sticks         int    `json:"sticks"`
	Note           string `json:"note"`
	Reason         string `json:"reason,omitempty"` // of declined
	JobID          string `json:"job_id,omitempty"` // the newest job for it
	// What it names was looked up: empty where there is no such thing.
	VersionID  string `json:"version_id,omitempty"` // that image and channel lead to now
	SequenceID string `json:"task_sequence_id,omitempty"`
	HostID     string `json:"host_id,omitempty"`
	// Complaints are what of it cannot be used as it is.
	Complaints []RequestComplaint `json:"complaints,omitempty"`
	DecidedBy  string             `json:"decided_by,omitempty"`
	DecidedAt  *time.Time         `json:"decided_at,omitempty"`
	CreatedAt  time.Time          `json:"created_at,omitzero"` // left out where nothing was made: in the test of a mapping
	UpdatedAt  time.Time          `json:"updated_at,omitzero"`
	Revision   int64              `json:"revision"`
}

// RequestComplaint is something that a request names and that cannot be used.
type RequestComplaint struct {
	Field string `json:"field"`
	Value string `json:"value"`
	Code  string `json:"code"` // of a fault
}

// MayQueue reports whether a job may be queued for the request.
func (q *StickRequest) MayQueue() bool {
	return q.State == store.RequestOpen || q.State == store.RequestFailed
}

// StickRequestFilter narrows ListStickRequests; empty fields do not.
type StickRequestFilter struct {
	State     string
	Connector string // ID or name
	Site      string // ID or name
	JobID     string
	Search    string // what ticket or holder hold, whatever their case
}

// StickRequestFields are the fields of a StickRequestFilter.
var StickRequestFields = []Field[StickRequestFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "What ticket or holder hold, whatever their case."}, func(f *StickRequestFilter) *string { return &f.Search }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{
		store.RequestOpen, store.RequestQueued, store.RequestDone, store.RequestFailed, store.RequestDeclined, store.RequestWithdrawn,
	}, Doc: "How far it is."}, func(f *StickRequestFilter) *string { return &f.State }},
	{FieldInfo{Name: "connector", Kind: FieldThing, Object: "connector", Doc: "ID or name of the connector that its ticket came by."}, func(f *StickRequestFilter) *string { return &f.Connector }},
	{FieldInfo{Name: "site", Kind: FieldThing, Object: "site", Doc: "ID or name of its site."}, func(f *StickRequestFilter) *string { return &f.Site }},
}

// ListStickRequests lists requests of the actor's sites, newest first
// (helpdesk). Faults: those of checkFilter, connector_not_found, site_not_found.
func (c *Console) ListStickRequests(ctx context.Context, a Actor, f StickRequestFilter, p Page) (List[StickRequest], error) {
	if err := allow(a, UseListStickRequests); err != nil {
		return List[StickRequest]{}, err
	}
	if err := checkFilter(StickRequestFields, &f); err != nil {
		return List[StickRequest]{}, err
	}
	query := store.StickRequestFilter{State: f.State, Search: f.Search}
	var err error
	if query.Sites, err = c.scope(ctx, a, f.Site); err != nil {
		return List[StickRequest]{}, err
	}
	query.ConnectorID, err = thing("connector", f.Connector, func(ref string) (store.Connector, error) { return findConnector(ctx, c.store.Reader, ref) },
		func(r store.Connector) store.ConnectorID { return r.ID })
	if err != nil {
		return List[StickRequest]{}, err
	}
	if query.JobID, err = optional[store.JobID]("job", f.JobID); err != nil {
		return List[StickRequest]{}, err
	}
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.RequestID](p); err != nil {
		return List[StickRequest]{}, err
	}
	rows, err := c.store.StickRequests(ctx, query)
	if err != nil {
		return List[StickRequest]{}, err
	}
	n := c.names()
	return listOf(p, rows, func(q *store.StickRequest) (StickRequest, error) { return c.requestOf(ctx, n, q) },
		func(q store.StickRequest) string { return q.ID.String() })
}

// CountOpenStickRequests counts the open requests of the actor's sites; 0 for
// whom they are no business of.
func (c *Console) CountOpenStickRequests(ctx context.Context, a Actor) (int, error) {
	if !a.Can(UseListStickRequests) {
		return 0, nil
	}
	sites, err := a.sites()
	if err != nil {
		return 0, err
	}
	return c.store.OpenStickRequests(ctx, sites)
}

// GetStickRequest returns a request of the actor's sites (helpdesk).
// Faults: stick_request_not_found.
func (c *Console) GetStickRequest(ctx context.Context, a Actor, id string) (StickRequest, error) {
	if err := allow(a, UseListStickRequests); err != nil {
		return StickRequest{}, err
	}
	row, err := findRequest(a, id, func(key store.RequestID) (store.StickRequest, error) { return c.store.StickRequest(ctx, key) })
	if err != nil {
		return StickRequest{}, err
	}
	return c.requestOf(ctx, c.names(), &row)
}

// findRequest finds a request that is in the actor's scope.
func findRequest(a Actor, id string, find func(store.RequestID) (store.StickRequest, error)) (store.StickRequest, error) {
	key, err := parse[store.RequestID]("stick_request", id)
	if err != nil {
		return store.StickRequest{}, err
	}
	row, err := find(key)
	if err == nil && !a.InSite(row.SiteID.String()) {
		err = store.NotFound("stick_request", id)
	}
	return row, err
}

// MoveRequestInput declines a request, or opens it again.
type MoveRequestInput struct {
	ID       string
	Reason   string // of declining it; the ticket is told
	Revision int64  // as seen; 0 does not check
}

// maxReason is the length of a reason, in characters.
const maxReason = 500

// DeclineStickRequest says no to an open request, or to one that failed
// (helpdesk). The ticket is told why. Faults: stick_request_not_found,
// stick_request_over (state), reason_missing, text_too_long, stale.
func (c *Console) DeclineStickRequest(ctx context.Context, a Actor, in MoveRequestInput) (StickRequest, error) {
	if err := allow(a, UseDeclineStickRequest); err != nil {
		return StickRequest{}, err
	}
	reason := strings.TrimSpace(in.Reason)
	switch {
	case reason == "":
		return StickRequest{}, fault.New(fault.KindInvalid, CodeReasonMissing).At("reason")
	case utf8.RuneCountInString(reason) > maxReason:
		return StickRequest{}, fault.New(fault.KindInvalid, CodeTextTooLong, "field", "reason", "max", maxReason).At("reason")
	}
	return c.moveRequest(ctx, a, UseDeclineStickRequest, in, store.RequestDeclined, reason, store.RequestOpen, store.RequestFailed)
}

// ReopenStickRequest opens a request again that was declined or withdrawn, or
// whose sticks were made: somebody needs them once more (helpdesk).
// Faults: stick_request_not_found, stick_request_over (state), stale.
func (c *Console) ReopenStickRequest(ctx context.Context, a Actor, in MoveRequestInput) (StickRequest, error) {
	return c.moveRequest(ctx, a, UseReopenStickRequest, in, store.RequestOpen, "",
		store.RequestDeclined, store.RequestWithdrawn, store.RequestDone, store.RequestFailed)
}

func (c *Console) moveRequest(ctx context.Context, a Actor, u UseCase, in MoveRequestInput, to, reason string, from ...string) (StickRequest, error) {
	var row store.StickRequest
	err := c.change(ctx, a, u, func(tx *store.Tx, by store.Actor) error {
		before, err := findRequest(a, in.ID, func(key store.RequestID) (store.StickRequest, error) { return tx.LockStickRequest(ctx, key) })
		if err != nil {
			return err
		}
		ok := false
		for _, state := range from {
			ok = ok || before.State == state
		}
		if !ok {
			return fault.New(fault.KindConflict, CodeRequestOver, "state", before.State)
		}
		if row, err = tx.MoveStickRequest(ctx, before.ID, seen(in.Revision, before.Revision), to, reason, by); err != nil {
			return err
		}
		if to == store.RequestDeclined {
			if err := c.writeBack(ctx, tx, &row, connector.EventDeclined); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(u), ObjectKind: "stick_request", ObjectID: in.ID,
			Before: map[string]any{"state": before.State}, After: map[string]any{"state": row.State, "reason": row.Reason, "ticket": row.Ticket},
		})
	})
	if err != nil {
		return StickRequest{}, err
	}
	return c.requestOf(ctx, c.names(), &row)
}

func requestChange(q *store.StickRequest) map[string]any {
	return map[string]any{
		"state": q.State, "connector_id": q.ConnectorID, "ticket": q.Ticket, "holder": q.Holder, "image": q.Image, "channel": q.Channel,
		"task_sequence": q.TaskSequence, "site_id": q.SiteID, "host": q.Host, "sticks": q.Sticks,
	}
}

// requestOf looks up what a request names.
func (c *Console) requestOf(ctx context.Context, n *names, q *store.StickRequest) (StickRequest, error) {
	out := StickRequest{
		ID: q.ID.String(), ConnectorID: q.ConnectorID.String(), SiteID: q.SiteID.String(), Ticket: q.Ticket, TicketURL: q.TicketURL, State: q.State,
		Holder: q.Holder, ComputerName: q.ComputerName, Image: q.Image, Channel: q.Channel, TaskSequence: q.TaskSequence, Layout: q.Layout,
		Host: q.Host, Site: q.Site, Sticks: q.Sticks, Note: q.Note, Reason: q.Reason, JobID: q.JobID.String(),
		DecidedAt: q.DecidedAt, CreatedAt: q.CreatedAt, UpdatedAt: q.UpdatedAt, Revision: q.Revision,
	}
	k, err := n.connector(ctx, q.ConnectorID)
	if err != nil {
		return out, err
	}
	out.Connector, out.ConnectorTitle = k.Name, k.Title
	if out.SiteName, err = n.site(ctx, q.SiteID); err != nil {
		return out, err
	}
	if q.DecidedByKind != "" {
		if out.DecidedBy, err = n.actor(ctx, q.DecidedByKind, q.DecidedByID); err != nil {
			return out, err
		}
		if q.DecidedByKind == store.ActorSystem {
			out.DecidedBy = k.Title // the ticket
		}
	}
	if q.State == store.RequestOpen || q.State == store.RequestFailed {
		err = lookUpRequest(ctx, n, &out)
	}
	return out, err
}

// lookUpRequest fills in what a request's names stand for now, and complains of
// those that stand for nothing.
func lookUpRequest(ctx context.Context, n *names, q *StickRequest) error {
	complain := func(field, value string, err error) error {
		f := fault.From(err)
		if f.Kind == fault.KindInternal {
			return err
		}
		q.Complaints = append(q.Complaints, RequestComplaint{Field: field, Value: value, Code: string(f.Code)})
		return nil
	}
	if q.Image != "" {
		v, err := findVersion(ctx, n, q.Image, "", q.Channel)
		if err == nil && v.State == store.VersionWithdrawn {
			err = errWithdrawn(v)
		}
		field, value := connector.FieldImage, q.Image
		if isNotFound(err, "channel") {
			field, value = connector.FieldChannel, q.Channel
		}
		if err != nil {
			if err := complain(field, value, err); err != nil {
				return err
			}
		} else {
			q.VersionID = v.ID.String()
		}
	}
	if q.TaskSequence != "" {
		s, err := findSequence(ctx, n.r, q.TaskSequence)
		if err == nil && s.RetiredAt != nil {
			err = fault.New(fault.KindConflict, CodeSequenceRetired, "name", s.Name)
		}
		if err != nil {
			if err := complain(connector.FieldSequence, q.TaskSequence, err); err != nil {
				return err
			}
		} else {
			q.SequenceID = s.ID.String()
		}
	}
	if q.Host != "" {
		h, err := findHost(ctx, n.r, Actor{}, q.Host)
		if err == nil && h.State != store.HostEnrolled {
			err = fault.New(fault.KindConflict, store.CodeHostRevoked)
		}
		if err != nil {
			if err := complain(connector.FieldHost, q.Host, err); err != nil {
				return err
			}
		} else {
			q.HostID = h.ID.String()
		}
	}
	if q.Site != "" {
		if _, err := findSite(ctx, n.r, Actor{}, q.Site); err != nil {
			if err := complain(connector.FieldSite, q.Site, err); err != nil {
				return err
			}
		}
	}
	if q.Layout != "" {
		if !slices.Contains(store.Layouts, q.Layout) {
			return complain(connector.FieldLayout, q.Layout, errLayout(q.Layout))
		}
	}
	if q.ComputerName != "" {
		if _, err := ComputerName(q.ComputerName, 1, q.Ticket, q.Holder); err != nil {
			return complain(connector.FieldComputer, q.ComputerName, err)
		}
	}
	return nil
}
