package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Session is one browser that a user is signed in with. It lives until it
// expires, is idle for too long or is ended; nothing is left of it then.
type Session struct {
	ID         SessionID
	UserID     UserID
	Method     string // how the user came in: "password", "link", "oidc", "ldap", "setup"
	Address    string // where it was seen last
	Agent      string // what the browser calls itself
	CreatedAt  time.Time
	LastSeenAt time.Time // to the minute
	ExpiresAt  time.Time
}

// NewSession is what a session is made of.
type NewSession struct {
	UserID   UserID
	Method   string
	Address  string
	Agent    string
	Lifetime time.Duration
}

// TopicUser is about what one user may do: sessions that ended, a changed role
// or scope.
func TopicUser(id UserID) string { return id.String() }

const sessionColumns = `id, user_id, method, address, agent, created_at, last_seen_at, expires_at`

// maxAgent bounds what is kept of a browser's name, in bytes.
const maxAgent = 400

// CreateSession records that a user signed in.
func (tx *Tx) CreateSession(ctx context.Context, n NewSession) (Session, error) {
	id, err := newID[sessionKind](tx)
	if err != nil {
		return Session{}, err
	}
	if _, err := tx.tx.Exec(ctx, `UPDATE users SET last_sign_in_at = @at WHERE id = @user`,
		pgx.NamedArgs{"at": tx.at, "user": n.UserID}); err != nil {
		return Session{}, fail(err, "record a sign-in")
	}
	return one[Session](ctx, tx.tx, "session", id,
		`INSERT INTO user_sessions (`+sessionColumns+`)
		VALUES (@id, @user, @method, @address, @agent, @at, @at, @expires)
		RETURNING `+sessionColumns, pgx.NamedArgs{
			"id": id, "user": n.UserID, "method": n.Method, "address": cleanText(n.Address),
			"agent": cleanText(n.Agent[:min(len(n.Agent), maxAgent)]), "at": tx.at, "expires": tx.at.Add(n.Lifetime),
		})
}

// SessionTimes say which sessions are good: those that have not expired now, were
// seen after Idle and began after Begun.
type SessionTimes struct {
	Now   time.Time
	Idle  time.Time
	Begun time.Time
}

func (t *SessionTimes) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["now"], args["idle"], args["begun"] = t.Now, t.Idle, t.Begun
	return args
}

const sessionGood = `expires_at > @now AND last_seen_at > @idle AND created_at > @begun`

// Session finds a session that is good, or fails with session_not_found.
func (r Reader) Session(ctx context.Context, id SessionID, good SessionTimes) (Session, error) {
	return one[Session](ctx, r.db, "session", id,
		`SELECT `+sessionColumns+` FROM user_sessions
		WHERE id = @id AND `+sessionGood, good.args(pgx.NamedArgs{"id": id}))
}

// Sessions lists a user's good sessions, the one that was seen last first.
func (r Reader) Sessions(ctx context.Context, user UserID, good SessionTimes) ([]Session, error) {
	return many[Session](ctx, r.db, "sessions",
		`SELECT `+sessionColumns+` FROM user_sessions
		WHERE user_id = @user AND `+sessionGood+`
		ORDER BY last_seen_at DESC, id DESC LIMIT 200`, good.args(pgx.NamedArgs{"user": user}))
}

// EndSession ends one session of a user; session_not_found if there is none.
func (tx *Tx) EndSession(ctx context.Context, user UserID, id SessionID) error {
	tag, err := tx.tx.Exec(ctx, `DELETE FROM user_sessions WHERE id = @id AND user_id = @user`,
		pgx.NamedArgs{"id": id, "user": user})
	if err == nil && tag.RowsAffected() == 0 {
		return NotFound("session", id)
	}
	tx.Notify(TopicUser(user))
	return fail(err, "end a session")
}

// EndSessions ends all sessions of a user but one, which may be zero, and
// returns how many.
func (tx *Tx) EndSessions(ctx context.Context, user UserID, but SessionID) (int64, error) {
	tag, err := tx.tx.Exec(ctx, `DELETE FROM user_sessions WHERE user_id = @user AND (@but::uuid IS NULL OR id <> @but)`,
		pgx.NamedArgs{"user": user, "but": but})
	tx.Notify(TopicUser(user))
	return tag.RowsAffected(), fail(err, "end sessions")
}

// TouchSession remembers that a session was seen, and from where, to the
// minute: at most one write a minute and address.
func (s *Store) TouchSession(ctx context.Context, id SessionID, address string) error {
	_, err := s.pool.Exec(ctx,
		`UPDATE user_sessions SET last_seen_at = greatest(last_seen_at, @at), address = @address
		WHERE id = @id AND (last_seen_at < @at OR address <> @address)`,
		pgx.NamedArgs{"id": id, "at": s.Now().Truncate(time.Minute), "address": cleanText(address)})
	return fail(err, "remember a session")
}
