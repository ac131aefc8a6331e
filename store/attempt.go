package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backoff is how long a login rests after attempts that failed.
type Backoff struct {
	Free   int           // attempts that cost nothing
	First  time.Duration // after the next one; doubled by each further one
	Most   time.Duration
	Forget time.Duration // without attempts, all is as if there had been none
}

// BeginAttempt counts an attempt to sign in before it is looked at, so that a
// hundred at once are a hundred. It returns how long the login still rests; an
// attempt within that time is not counted and must not be looked at. The login
// is known by a hash of the caller's.
func (s *Store) BeginAttempt(ctx context.Context, login [32]byte, b Backoff) (wait time.Duration, err error) {
	now := s.Now()
	tag, err := s.pool.Exec(ctx,
		`INSERT INTO sign_in_attempts AS a (login_hash, failures, last_at, locked_until)
		VALUES (@login, 1, @at, @at)
		ON CONFLICT ON CONSTRAINT sign_in_attempts_pkey DO UPDATE SET
			failures = CASE WHEN a.last_at < @forget THEN 1 ELSE a.failures + 1 END,
			last_at = @at,
			locked_until = CASE WHEN a.last_at < @forget OR a.failures < @free THEN @at
				ELSE @at + least(@first * power(2, least(a.failures - @free, 30)), @most) * interval '1 second' END
		WHERE a.locked_until <= @at`, pgx.NamedArgs{
			"login": login[:], "at": now, "forget": now.Add(-b.Forget), "free": b.Free,
			"first": b.First.Seconds(), "most": b.Most.Seconds(),
		})
	if err != nil || tag.RowsAffected() == 1 {
		return 0, fail(err, "count an attempt to sign in")
	}
	locks, err := s.LockedUntil(ctx, [][32]byte{login}, now)
	return max(locks[login].Sub(now), time.Second), err
}

// ForgetAttempts clears a login's attempts: somebody came in, or an admin
// unlocked it. It reports whether it was locked.
func (tx *Tx) ForgetAttempts(ctx context.Context, login [32]byte) (bool, error) {
	var until []time.Time
	rows, _ := tx.tx.Query(ctx, `DELETE FROM sign_in_attempts WHERE login_hash = @login RETURNING locked_until`,
		pgx.NamedArgs{"login": login[:]}) // the error comes back from CollectRows
	until, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	return len(until) > 0 && until[0].After(tx.at), fail(err, "clear the attempts to sign in")
}

// LockedUntil says until when logins rest; those that do not are left out.
func (r Reader) LockedUntil(ctx context.Context, logins [][32]byte, now time.Time) (map[[32]byte]time.Time, error) {
	keys := make([][]byte, len(logins))
	for i := range logins {
		keys[i] = logins[i][:]
	}
	type lock struct {
		LoginHash   []byte
		LockedUntil time.Time
	}
	rows, err := many[lock](ctx, r.db, "locks",
		`SELECT login_hash, locked_until FROM sign_in_attempts WHERE login_hash = ANY (@logins) AND locked_until > @now`,
		pgx.NamedArgs{"logins": keys, "now": now})
	out := map[[32]byte]time.Time{}
	for _, l := range rows {
		out[[32]byte(l.LoginHash)] = l.LockedUntil
	}
	return out, err
}
