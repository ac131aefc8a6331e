package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backoff is how long somebody rests after attempts that failed.
type Backoff struct {
	Free   int           // attempts that cost nothing
	First  time.Duration // after the next one; doubled by each further one
	Most   time.Duration
	Forget time.Duration // without attempts, all is as if there had been none
}

// Try is one count that an attempt to get in adds to. Both hashes are the
// caller's.
type Try struct {
	Key     [32]byte // what is counted: a login from one address, say
	Subject [32]byte // whose it is: the login
	Backoff Backoff
}

// errResting rolls a count back.
var errResting = errors.New("store: attempts rest")

// BeginAttempt counts an attempt to get in before it is looked at, so that a
// hundred at once are a hundred: in all of its counts, or, while one of them
// rests, in none. It returns how long it still rests; the attempt must not be
// looked at then.
func (s *Store) BeginAttempt(ctx context.Context, counts ...Try) (wait time.Duration, err error) {
	var now time.Time
	err = s.InTx(ctx, func(tx *Tx) error {
		now = tx.at
		for _, a := range counts {
			if err := tx.countAttempt(ctx, a); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, errResting) {
		return 0, err
	}
	keys := make([][]byte, len(counts))
	for i := range counts {
		keys[i] = counts[i].Key[:]
	}
	var until time.Time
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(locked_until), @now) FROM sign_in_attempts WHERE login_hash = ANY (@keys)`,
		pgx.NamedArgs{"keys": keys, "now": now}).Scan(&until)
	return max(until.Sub(now), time.Second), fail(err, "look how long attempts rest")
}

// countAttempt adds one to a count, or fails with errResting. What does not
// rest did so until long ago: of attempts at once, none is refused for a clock
// that was read a moment earlier.
func (tx *Tx) countAttempt(ctx context.Context, a Try) error {
	b := a.Backoff
	tag, err := tx.tx.Exec(ctx,
		`INSERT INTO sign_in_attempts AS a (login_hash, subject_hash, failures, last_at, locked_until)
		VALUES (@key, @subject, 1, @at, @forget)
		ON CONFLICT ON CONSTRAINT sign_in_attempts_pkey DO UPDATE SET
			failures = CASE WHEN a.last_at < @forget THEN 1 ELSE a.failures + 1 END,
			last_at = @at,
			locked_until = CASE WHEN a.last_at < @forget OR a.failures < @free THEN @forget
				ELSE @at + least(@first * power(2, least(a.failures - @free, 30)), @most) * interval '1 second' END
		WHERE a.locked_until <= @at`, pgx.NamedArgs{
			"key": a.Key[:], "subject": a.Subject[:], "at": tx.at, "forget": tx.at.Add(-b.Forget), "free": b.Free,
			"first": b.First.Seconds(), "most": b.Most.Seconds(),
		})
	if err == nil && tag.RowsAffected() == 0 {
		return errResting
	}
	return fail(err, "count an attempt to get in")
}

// ForgetAttempts clears counts: somebody came in.
func (tx *Tx) ForgetAttempts(ctx context.Context, counts ...Try) error {
	keys := make([][]byte, len(counts))
	for i := range counts {
		keys[i] = counts[i].Key[:]
	}
	_, err := tx.tx.Exec(ctx, `DELETE FROM sign_in_attempts WHERE login_hash = ANY (@keys)`, pgx.NamedArgs{"keys": keys})
	return fail(err, "clear attempts to get in")
}

// TakeBackAttempt takes the last attempt out of counts: it was none to get in by
// luck. Those before it stay.
func (tx *Tx) TakeBackAttempt(ctx context.Context, counts ...Try) error {
	keys := make([][]byte, len(counts))
	for i := range counts {
		keys[i] = counts[i].Key[:]
	}
	_, err := tx.tx.Exec(ctx,
		`WITH alone AS (DELETE FROM sign_in_attempts WHERE login_hash = ANY (@keys) AND failures = 1)
		UPDATE sign_in_attempts SET failures = failures - 1, locked_until = @at WHERE login_hash = ANY (@keys) AND failures > 1`,
		pgx.NamedArgs{"keys": keys, "at": tx.at})
	return fail(err, "take back an attempt to get in")
}

// ForgetSubjects clears all counts of some subjects: an admin unlocked them.
func (tx *Tx) ForgetSubjects(ctx context.Context, subjects [][32]byte) error {
	_, err := tx.tx.Exec(ctx, `DELETE FROM sign_in_attempts WHERE subject_hash = ANY (@subjects)`,
		pgx.NamedArgs{"subjects": hashes(subjects)})
	return fail(err, "clear attempts to get in")
}

// LockedUntil says until when subjects rest, wherever they do for longest;
// those that do not are left out.
func (r Reader) LockedUntil(ctx context.Context, subjects [][32]byte, now time.Time) (map[[32]byte]time.Time, error) {
	type lock struct {
		SubjectHash []byte
		Until       time.Time
	}
	rows, err := many[lock](ctx, r.db, "locks",
		`SELECT subject_hash, max(locked_until) AS until FROM sign_in_attempts
		WHERE subject_hash = ANY (@subjects) AND locked_until > @now GROUP BY subject_hash`,
		pgx.NamedArgs{"subjects": hashes(subjects), "now": now})
	out := map[[32]byte]time.Time{}
	for _, l := range rows {
		out[[32]byte(l.SubjectHash)] = l.Until
	}
	return out, err
}

func hashes(list [][32]byte) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i][:]
	}
	return out
}
