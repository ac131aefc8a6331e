package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// The states of a stick request. Open and failed ones may be queued; only a
// ticket withdraws.
const (
	RequestOpen      = "open"
	RequestQueued    = "queued" // a job is to make its sticks
	RequestDone      = "done"   // all of them are verified
	RequestFailed    = "failed" // all have ended, not all are verified
	RequestDeclined  = "declined"
	RequestWithdrawn = "withdrawn"
)

// StickRequest is what a ticket wants. What it names (image, site, host, …) is
// as the ticket says: it need not be there.
type StickRequest struct {
	ID            RequestID
	ConnectorID   ConnectorID
	SiteID        SiteID
	Ticket        string // unique among the connector's
	TicketKey     string
	TicketURL     string
	State         string
	Holder        string
	ComputerName  string
	Image         string
	Channel       string
	TaskSequence  string
	Layout        string
	Host          string
	Site          string
	Sticks        int
	Note          string
	Reason        string // of declined
	JobID         JobID  // the newest job for it
	RunningAt     *time.Time
	DecidedByKind ActorKind // who queued, declined or opened it again; empty before
	DecidedByID   ActorID
	DecidedAt     *time.Time
	Revision      int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

const requestColumns = `id, connector_id, site_id, ticket, ticket_key, ticket_url, state, holder, computer_name, image, channel, task_sequence,
	layout, host, site, sticks, note, reason, job_id, running_at, decided_by_kind, decided_by_id, decided_at, revision, created_at, updated_at`

// StickRequest finds a request, or fails with stick_request_not_found.
func (r Reader) StickRequest(ctx context.Context, id RequestID) (StickRequest, error) {
	return one[StickRequest](ctx, r.db, "stick_request", id,
		`SELECT `+requestColumns+` FROM stick_requests WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// LockStickRequest is StickRequest that keeps others from changing it until the
// end of the transaction.
func (tx *Tx) LockStickRequest(ctx context.Context, id RequestID) (StickRequest, error) {
	return one[StickRequest](ctx, tx.tx, "stick_request", id,
		`SELECT `+requestColumns+` FROM stick_requests WHERE id = @id FOR UPDATE`, pgx.NamedArgs{"id": id})
}

// StickRequestOf finds the request of a ticket, or fails with
// stick_request_not_found.
func (r Reader) StickRequestOf(ctx context.Context, id ConnectorID, ticket string) (StickRequest, error) {
	return one[StickRequest](ctx, r.db, "stick_request", ticket,
		`SELECT `+requestColumns+` FROM stick_requests WHERE connector_id = @connector AND ticket = @ticket`,
		pgx.NamedArgs{"connector": id, "ticket": ticket})
}

// StickRequestFilter narrows StickRequests; empty fields do not.
type StickRequestFilter struct {
	State       string
	ConnectorID ConnectorID
	JobID       JobID
	Sites       []SiteID
	Search      string // what ticket or holder hold, whatever their case
	Page        RequestPage
}

// StickRequests lists requests, newest first.
func (r Reader) StickRequests(ctx context.Context, f StickRequestFilter) ([]StickRequest, error) {
	var w where
	w.text("state = @state", "state", f.State)
	equal(&w, "connector_id = @connector", "connector", f.ConnectorID)
	equal(&w, "job_id = @job", "job", f.JobID)
	if len(f.Sites) > 0 {
		w.and("site_id = ANY (@sites)", "sites", f.Sites)
	}
	w.text("(lower(ticket) LIKE @search OR lower(holder) LIKE @search)", "search", holding(f.Search))
	return byID[StickRequest](ctx, r, "stick requests", "stick_requests", requestColumns, &w, f.Page)
}

// OpenStickRequests counts the open requests of sites; none means every site.
func (r Reader) OpenStickRequests(ctx context.Context, sites []SiteID) (n int, err error) {
	err = r.db.QueryRow(ctx,
		`SELECT count(*) FROM stick_requests WHERE state = 'open' AND (cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites))`,
		pgx.NamedArgs{"sites": append([]SiteID{}, sites...)}).Scan(&n)
	return n, fail(err, "count stick requests")
}

// TakeStickRequest adds what a ticket wants. If the ticket has a request
// already, that one comes back as it is, locked, and is not made.
func (tx *Tx) TakeStickRequest(ctx context.Context, q StickRequest) (row StickRequest, made bool, err error) {
	id, err := newID[requestKind](tx)
	if err != nil {
		return StickRequest{}, false, err
	}
	list, err := many[StickRequest](ctx, tx.tx, "stick requests",
		`INSERT INTO stick_requests (id, connector_id, site_id, ticket, ticket_key, ticket_url, state, holder, computer_name, image, channel,
			task_sequence, layout, host, site, sticks, note, created_at, updated_at)
		VALUES (@id, @connector, @site_id, @ticket, @ticket_key, @ticket_url, 'open', @holder, @computer, @image, @channel,
			@sequence, @layout, @host, @site, @sticks, @note, @at, @at)
		ON CONFLICT (connector_id, ticket) DO NOTHING
		RETURNING `+requestColumns, q.args(pgx.NamedArgs{"id": id, "connector": q.ConnectorID, "ticket": q.Ticket, "at": tx.at}))
	if err != nil || len(list) > 0 {
		if err == nil {
			row = list[0]
			tx.Notify(TopicRequests)
		}
		return row, err == nil, err
	}
	row, err = one[StickRequest](ctx, tx.tx, "stick_request", q.Ticket,
		`SELECT `+requestColumns+` FROM stick_requests WHERE connector_id = @connector AND ticket = @ticket FOR UPDATE`,
		pgx.NamedArgs{"connector": q.ConnectorID, "ticket": q.Ticket})
	return row, false, err
}

// args are what of a request a ticket may change.
func (q *StickRequest) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["site_id"], args["ticket_key"], args["ticket_url"], args["holder"] = q.SiteID, q.TicketKey, q.TicketURL, q.Holder
	args["computer"], args["image"], args["channel"], args["sequence"] = q.ComputerName, q.Image, q.Channel, q.TaskSequence
	args["layout"], args["host"], args["site"], args["sticks"], args["note"] = q.Layout, q.Host, q.Site, q.Sticks, q.Note
	return args
}

// SameWish reports whether two requests want the same.
func (q *StickRequest) SameWish(o *StickRequest) bool {
	wish := func(q *StickRequest) StickRequest {
		return StickRequest{
			SiteID: q.SiteID, TicketKey: q.TicketKey, TicketURL: q.TicketURL, Holder: q.Holder, ComputerName: q.ComputerName, Image: q.Image,
			Channel: q.Channel, TaskSequence: q.TaskSequence, Layout: q.Layout, Host: q.Host, Site: q.Site, Sticks: q.Sticks, Note: q.Note,
		}
	}
	return wish(q) == wish(o)
}

// UpdateStickRequest changes what an open request wants.
func (tx *Tx) UpdateStickRequest(ctx context.Context, id RequestID, q StickRequest) (StickRequest, error) {
	tx.Notify(TopicRequests)
	return one[StickRequest](ctx, tx.tx, "stick_request", id,
		`UPDATE stick_requests SET site_id = @site_id, ticket_key = @ticket_key, ticket_url = @ticket_url, holder = @holder, computer_name = @computer,
			image = @image, channel = @channel, task_sequence = @sequence, layout = @layout, host = @host, site = @site, sticks = @sticks, note = @note,
			revision = revision + 1, updated_at = @at
		WHERE id = @id
		RETURNING `+requestColumns, q.args(pgx.NamedArgs{"id": id, "at": tx.at}))
}

// MoveStickRequest puts a request into another state in somebody's name. Its
// job stays; a reason is kept with declined alone. A stale revision is the
// fault stale.
func (tx *Tx) MoveStickRequest(ctx context.Context, id RequestID, revision int64, state, reason string, by Actor) (StickRequest, error) {
	tx.Notify(TopicRequests)
	return changed[StickRequest](ctx, tx.tx, "stick_requests", "stick_request", id,
		`UPDATE stick_requests SET state = @state, reason = @reason, decided_by_kind = @by_kind, decided_by_id = @by_id, decided_at = @at,
			revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+requestColumns,
		pgx.NamedArgs{"id": id, "revision": revision, "state": state, "reason": cleanText(reason), "by_kind": by.Kind, "by_id": by.ID, "at": tx.at})
}

// QueueStickRequest says which sticks of which job are for a request.
func (tx *Tx) QueueStickRequest(ctx context.Context, id RequestID, job JobID, builds []BuildID, by Actor) (StickRequest, error) {
	_, err := tx.tx.Exec(ctx,
		`INSERT INTO stick_request_builds (stick_request_id, build_id) SELECT @id, unnest(@builds::uuid[])`,
		pgx.NamedArgs{"id": id, "builds": builds})
	if err != nil {
		return StickRequest{}, fail(err, "queue a stick request")
	}
	tx.Notify(TopicRequests)
	return one[StickRequest](ctx, tx.tx, "stick_request", id,
		`UPDATE stick_requests SET state = 'queued', reason = '', job_id = @job, running_at = NULL,
			decided_by_kind = @by_kind, decided_by_id = @by_id, decided_at = @at, revision = revision + 1, updated_at = @at
		WHERE id = @id
		RETURNING `+requestColumns, pgx.NamedArgs{"id": id, "job": job, "by_kind": by.Kind, "by_id": by.ID, "at": tx.at})
}

// RequestBuilds are the sticks that the newest job makes for a request.
func (r Reader) RequestBuilds(ctx context.Context, q *StickRequest) ([]Build, error) {
	job, err := r.Job(ctx, q.JobID)
	if err != nil {
		return nil, err
	}
	type row struct{ BuildID BuildID }
	rows, err := many[row](ctx, r.db, "builds of a stick request",
		`SELECT build_id FROM stick_request_builds WHERE stick_request_id = @id`, pgx.NamedArgs{"id": q.ID})
	mine := map[BuildID]bool{}
	for _, x := range rows {
		mine[x.BuildID] = true
	}
	var builds []Build
	for _, b := range job.Builds {
		if mine[b.ID] {
			builds = append(builds, b)
		}
	}
	return builds, err
}
