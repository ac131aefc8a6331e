package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// HostProgress is where the running attempts of one host are now. It is not
// history: Postgres forgets it in a crash.
type HostProgress struct {
	HostID   HostID
	Session  int64
	Attempts []protocol.AttemptProgress
	At       time.Time
}

// PutProgress replaces a host's progress, at most once a second by its caller.
// Progress of an older session than the one stored is dropped. It sends no
// notification: who shows progress reads it once a second.
func (s *Store) PutProgress(ctx context.Context, id HostID, session int64, p *protocol.Progress) error {
	raw, err := encodeJSON(append([]protocol.AttemptProgress{}, p.Attempts...))
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx,
		`INSERT INTO host_progress AS p (host_id, session, attempts, at)
		VALUES (@id, @session, @attempts, @at)
		ON CONFLICT ON CONSTRAINT host_progress_pkey DO UPDATE
			SET session = excluded.session, attempts = excluded.attempts, at = excluded.at
			WHERE p.session <= excluded.session`,
		pgx.NamedArgs{"id": id, "session": session, "attempts": raw, "at": s.Now()})
	return fail(err, "record progress")
}

// Progress returns the progress of the hosts; those without any are left out.
func (r Reader) Progress(ctx context.Context, hosts ...HostID) ([]HostProgress, error) {
	return many[HostProgress](ctx, r.db, "progress",
		`SELECT host_id, session, attempts, at FROM host_progress WHERE host_id = ANY (@hosts)`,
		pgx.NamedArgs{"hosts": append([]HostID{}, hosts...)})
}
