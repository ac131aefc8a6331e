package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// followFor is how long a request that failed is followed: its sticks may be
// tried again.
const followFor = 30 * 24 * time.Hour

// MovedRequest is a request whose sticks are further than it says.
type MovedRequest struct {
	ID    RequestID
	State string // that it should have; the one that it has if only Running is new
	Begun bool   // the first of its sticks was begun, and nobody was told
}

// MovedRequests finds requests whose sticks are further than they say, at most
// limit, oldest first.
func (r Reader) MovedRequests(ctx context.Context, at time.Time, limit int) ([]MovedRequest, error) {
	return many[MovedRequest](ctx, r.db, "moved stick requests",
		`SELECT id, state, begun FROM (
			SELECT q.id, q.state AS was, q.running_at IS NULL AND bool_or(b.started_at IS NOT NULL) AS begun,
				CASE WHEN bool_or(b.outcome IS NULL) THEN 'queued'
					WHEN bool_and(b.outcome = 'verified') THEN 'done' ELSE 'failed' END AS state
			FROM stick_requests q
			JOIN builds b ON b.job_id = q.job_id
			JOIN stick_request_builds x ON x.stick_request_id = q.id AND x.build_id = b.id
			WHERE q.state = 'queued' OR q.state = 'failed' AND q.updated_at > @since
			GROUP BY q.id
		) moved
		WHERE state <> was OR begun
		ORDER BY id LIMIT @limit`, pgx.NamedArgs{"since": at.Add(-followFor), "limit": limit})
}

// FollowStickRequest brings a request to where its sticks are; who decided it
// last stays so. It reports whether anything changed: of two programs that
// follow the same request one does.
func (tx *Tx) FollowStickRequest(ctx context.Context, m MovedRequest) (StickRequest, bool, error) {
	list, err := many[StickRequest](ctx, tx.tx, "stick requests",
		`UPDATE stick_requests SET state = @state, running_at = CASE WHEN @begun THEN coalesce(running_at, @at) ELSE running_at END,
			revision = revision + 1, updated_at = @at
		WHERE id = @id AND state IN ('queued', 'failed') AND (state <> @state OR @begun AND running_at IS NULL)
		RETURNING `+requestColumns, pgx.NamedArgs{"id": m.ID, "state": m.State, "begun": m.Begun, "at": tx.at})
	if err != nil || len(list) == 0 {
		return StickRequest{}, false, err
	}
	tx.Notify(TopicRequests)
	return list[0], true, nil
}
