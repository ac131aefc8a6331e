package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// Stream says whose history an event belongs to.
type Stream int

// The streams, in the order in which the feed has what one transaction wrote.
const (
	StreamJobs Stream = iota
	StreamSticks
)

// Cursor is a place in the feed of all events: the transaction that wrote an
// event, its stream and its ID there. The zero Cursor is the beginning.
type Cursor struct {
	Xact   uint64
	Stream Stream
	ID     int64
}

// cursorPrefix begins the text form, which names the event, too.
const cursorPrefix = "evt_"

var streamLetters = map[Stream]string{StreamJobs: "j", StreamSticks: "s"}

// String is the text form: "evt_" and the parts in hexadecimal, "evt_3e9j1f".
// The zero Cursor is "".
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return cursorPrefix + strconv.FormatUint(c.Xact, 16) + streamLetters[c.Stream] + strconv.FormatInt(c.ID, 16)
}

// ParseCursor reads the text form; "" is the beginning. Anything else is the
// fault id_invalid.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	for stream, letter := range streamLetters {
		digits, ok := strings.CutPrefix(text, cursorPrefix)
		xact, id, found := strings.Cut(digits, letter)
		if !ok || !found {
			continue
		}
		x, errX := strconv.ParseUint(xact, 16, 63)
		n, errID := strconv.ParseInt(id, 16, 64)
		if c := (Cursor{Xact: x, Stream: stream, ID: n}); errX == nil && errID == nil && n >= 0 && c.String() == text {
			return c, nil
		}
	}
	return Cursor{}, fault.New(fault.KindInvalid, "id_invalid", "id", text, "prefix", "evt")
}

// FeedEvent is an event of any job or stick, with what it is about. An event of
// a job belongs to the site at which the job was queued, that of a stick to the
// site at which the stick was seen last.
type FeedEvent struct {
	Stream          Stream
	JobID           JobID
	StickID         StickID
	HostID          HostID
	SiteID          SiteID
	Kind            protocol.JobKind // of the job
	Reference       string           // the build's, the job's or, without them, the stick's
	ReferenceSystem string           // whose; empty for a stick's, see Build
	Event
}

// Cursor is the place right after the event.
func (e *FeedEvent) Cursor() Cursor { return Cursor{Xact: e.Xact, Stream: e.Stream, ID: e.ID} }

// FeedFilter narrows Feed; empty fields do not.
type FeedFilter struct {
	Sites []SiteID
	Types []EventType
	Limit int // 0: 50, never more than 500
}

const feedColumns = `e.xact, e.id, e.seq, e.build_id, coalesce(e.attempt, 0) AS attempt, coalesce(e.host_seq, 0) AS host_seq, e.type,
	e.payload_version, e.payload, e.actor_kind, e.actor_id, e.at, e.host_at`

// Feed lists events of all jobs and sticks after the cursor, but the lines of
// logs: what readers across streams page by. IDs are given before transactions
// commit, so reading on from the greatest ID would miss events; the feed goes
// by transaction and stops before the oldest one that is still open. Whoever
// keeps the cursor of the last event sees each event once.
func (r Reader) Feed(ctx context.Context, after Cursor, f FeedFilter) ([]FeedEvent, error) {
	// After a place among the events of jobs, those of sticks of the same
	// transaction are still to come; after one among those of sticks, none of
	// jobs is.
	jobs, sticks := Cursor{Xact: after.Xact, ID: after.ID}, Cursor{Xact: after.Xact}
	if after.Stream == StreamSticks {
		jobs, sticks = Cursor{Xact: after.Xact + 1, ID: -1}, Cursor{Xact: after.Xact, ID: after.ID}
	}
	w := where{conditions: []string{`e.xact < pg_snapshot_xmin(pg_current_snapshot())`}, args: pgx.NamedArgs{
		"jx": jobs.Xact, "ji": jobs.ID, "sx": sticks.Xact, "si": sticks.ID, "limit": pageSize(f.Limit),
	}}
	site := ""
	if len(f.Sites) > 0 {
		w.args["sites"] = f.Sites
		site = ` AND at.site_id = ANY (@sites)`
	}
	if len(f.Types) > 0 {
		w.and(`e.type = ANY (@types)`, "types", f.Types)
	}
	w.and(`e.type <> @log`, "log", EventBuildLog)
	rows, _ := r.db.Query(ctx, `
		(SELECT 0 AS stream, at.id AS job_id, b.stick_id, at.host_id, at.site_id, at.kind,
			coalesce(nullif(b.reference, ''), at.reference) AS reference,
			CASE WHEN b.reference <> '' THEN b.reference_system ELSE at.reference_system END AS reference_system, `+feedColumns+`
		FROM job_events e JOIN jobs at ON at.id = e.job_id LEFT JOIN builds b ON b.id = e.build_id`+w.String()+site+`
			AND (e.xact, e.id) > (@jx::xid8, @ji)
		ORDER BY e.xact, e.id LIMIT @limit)
		UNION ALL
		(SELECT 1, b.job_id, s.id, s.host_id, at.site_id, '',
			CASE WHEN b.reference <> '' THEN b.reference ELSE s.reference END, CASE WHEN b.reference <> '' THEN b.reference_system ELSE '' END, `+feedColumns+`
		FROM stick_events e JOIN sticks s ON s.id = e.stick_id JOIN hosts at ON at.id = s.host_id LEFT JOIN builds b ON b.id = e.build_id`+w.String()+site+`
			AND (e.xact, e.id) > (@sx::xid8, @si)
		ORDER BY e.xact, e.id LIMIT @limit)
		ORDER BY xact, stream, id LIMIT @limit`, pgx.QueryExecModeCacheDescribe, w.args) // the error comes back from CollectRows
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[FeedEvent])
	return list, fail(err, "list events")
}

// FeedEnd is the place where the feed ends now: whatever is written by a
// transaction that has not ended yet comes after it.
func (r Reader) FeedEnd(ctx context.Context) (Cursor, error) {
	var c Cursor
	err := r.db.QueryRow(ctx, `SELECT pg_snapshot_xmin(pg_current_snapshot())`).Scan(&c.Xact)
	return c, fail(err, "find the end of the feed")
}

// CheckCursor refuses a place that this database has never reached, as one has
// that was kept from before a restore. Nothing would ever come after it.
func (r Reader) CheckCursor(ctx context.Context, c Cursor) error {
	var next uint64
	if err := r.db.QueryRow(ctx, `SELECT pg_snapshot_xmax(pg_current_snapshot())`).Scan(&next); err != nil {
		return fail(err, "find the newest transaction")
	}
	if c.Xact > next {
		return fault.Wrap(fmt.Errorf("transaction %d of %d", c.Xact, next), fault.KindInvalid, CodeCursorAhead)
	}
	return nil
}
