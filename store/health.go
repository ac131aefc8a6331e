package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Health is what the database says about itself and about what waits in it.
type Health struct {
	Version     int    // of the server, as 150004
	Schema      int64  // number of the newest migration that is applied whole
	MinApp      int    // the least level of a program that may use it
	Fsync       bool   // without, a power cut may destroy it
	Synchronous string // synchronous_commit
	Connections int    // that are open, of all programs
	Most        int    // that may be
	At          time.Time
}

// Health asks the database how it is. The schema may be an older or a newer one;
// one that is not there is an error.
func (r Reader) Health(ctx context.Context) (Health, error) {
	return one[Health](ctx, r.db, "health", "",
		`SELECT current_setting('server_version_num')::integer AS version, CASE WHEN m.dirty THEN m.version - 1 ELSE m.version END AS schema, q.min_app,
			current_setting('fsync')::boolean AS fsync, current_setting('synchronous_commit') AS synchronous,
			(SELECT count(*)::integer FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
			current_setting('max_connections')::integer AS most, clock_timestamp() AS at
		FROM schema_migrations m, schema_requirement q`, nil)
}

// KeepsSession reports whether one connection keeps its session over two questions: a
// pooler that does not would let nobody listen for anything.
func (s *Store) KeepsSession(ctx context.Context) (kept bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fail(err, "reach the database")
	}
	defer conn.Release()
	var first, second int
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&first); err != nil {
		return false, fail(err, "ask for the session")
	}
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&second); err != nil {
		return false, fail(err, "ask for the session")
	}
	return first == second, nil
}

// Waiting is what does not get on.
type Waiting struct {
	Due      int // background work that is due for a while
	GivenUp  int // background work that was tried for the last time
	Attempts int // that a host holds which is away
}

// Waiting counts what does not get on: background work that is due since a time,
// and attempts of hosts that were not heard of since.
func (r Reader) Waiting(ctx context.Context, since time.Time) (Waiting, error) {
	return one[Waiting](ctx, r.db, "waiting", "",
		`SELECT (SELECT count(*)::integer FROM river.river_job WHERE state IN ('available', 'retryable', 'scheduled') AND scheduled_at < @since) AS due,
			(SELECT count(*)::integer FROM river.river_job WHERE state = 'discarded') AS given_up,
			(SELECT count(*)::integer FROM build_attempts a JOIN hosts h ON h.id = a.host_id
				WHERE a.state = 'leased' AND coalesce(h.last_seen_at, h.enrolled_at) < @since) AS attempts`,
		pgx.NamedArgs{"since": since})
}
