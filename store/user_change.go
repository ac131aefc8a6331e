package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// UserChange is what an admin changes about a user.
type UserChange struct {
	Login string // empty: stays
	Name  string
	Role  Role
	Sites []SiteID
}

// UpdateUser changes a user whose revision was seen; a stale one is the fault
// stale.
func (tx *Tx) UpdateUser(ctx context.Context, id UserID, revision int64, c UserChange) (User, error) {
	tx.Notify(TopicUser(id))
	return changed[User](ctx, tx.tx, "users", "user", id,
		`UPDATE users SET login = coalesce(nullif(@login, ''), login), name = @name, role = @role, sites = @sites, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision RETURNING `+userColumns, pgx.NamedArgs{
			"id": id, "revision": revision, "login": c.Login, "name": c.Name, "role": c.Role, "sites": append([]SiteID{}, c.Sites...), "at": tx.at,
		})
}

// SetUserDisabled shuts a user out, or lets one in again.
func (tx *Tx) SetUserDisabled(ctx context.Context, id UserID, disabled bool) (User, error) {
	tx.Notify(TopicUser(id))
	return one[User](ctx, tx.tx, "user", id,
		`UPDATE users SET disabled_at = CASE WHEN @disabled THEN coalesce(disabled_at, @at) END,
			revision = revision + 1, updated_at = @at
		WHERE id = @id RETURNING `+userColumns, pgx.NamedArgs{"id": id, "disabled": disabled, "at": tx.at})
}

// SetNoRole says that no group of a user gives a role any more, and ends what
// the user began.
func (tx *Tx) SetNoRole(ctx context.Context, id UserID) (User, error) {
	if _, err := tx.EndSessions(ctx, id, SessionID{}); err != nil {
		return User{}, err
	}
	return one[User](ctx, tx.tx, "user", id,
		`UPDATE users SET no_role_at = coalesce(no_role_at, @at), revision = revision + 1, updated_at = @at
		WHERE id = @id RETURNING `+userColumns, pgx.NamedArgs{"id": id, "at": tx.at})
}

// Vouch says that the user's origin vouched, with a role.
func (tx *Tx) Vouch(ctx context.Context, id UserID) (User, error) {
	return one[User](ctx, tx.tx, "user", id,
		`UPDATE users SET vouched_at = @at, no_role_at = NULL WHERE id = @id RETURNING `+userColumns,
		pgx.NamedArgs{"id": id, "at": tx.at})
}

// SetPassword replaces a local user's password hash.
func (tx *Tx) SetPassword(ctx context.Context, id UserID, hash string) (User, error) {
	return one[User](ctx, tx.tx, "user", id,
		`UPDATE users SET password_hash = @hash, revision = revision + 1, updated_at = @at
		WHERE id = @id AND origin = 'local' RETURNING `+userColumns, pgx.NamedArgs{"id": id, "hash": hash, "at": tx.at})
}

// DropOneTimeTokens makes a user's unused tokens of a purpose worthless.
func (tx *Tx) DropOneTimeTokens(ctx context.Context, purpose Purpose, user UserID) error {
	_, err := tx.tx.Exec(ctx, `DELETE FROM one_time_tokens WHERE purpose = @purpose AND user_id = @user AND used_at IS NULL`,
		pgx.NamedArgs{"purpose": purpose, "user": user})
	return fail(err, "drop one-time tokens")
}

// DropOneTimeTokensBy makes the unused tokens worthless that a user made, or a
// program with a token of theirs, and ends pairings that the user answered.
func (tx *Tx) DropOneTimeTokensBy(ctx context.Context, user UserID) error {
	_, err := tx.tx.Exec(ctx,
		`DELETE FROM one_time_tokens WHERE used_at IS NULL AND (created_by_kind = 'user' AND created_by_id = @user
			OR created_by_kind = 'token' AND created_by_id IN (SELECT id FROM api_tokens WHERE @user IN (user_id, created_by)))`,
		pgx.NamedArgs{"user": user})
	if err == nil {
		_, err = tx.tx.Exec(ctx, `DELETE FROM pairings WHERE user_id = @user`, pgx.NamedArgs{"user": user})
	}
	return fail(err, "drop one-time tokens of their maker")
}

// Chief is a user who may change everything everywhere.
type Chief struct {
	ID UserID
	// Own: they come in with a password of the console's, whoever else is away.
	Own bool
}

// HoldChiefs locks, until the end of the transaction, the users who may change
// everything everywhere, and returns them: two admins must not shut each other
// out at once and leave none.
func (tx *Tx) HoldChiefs(ctx context.Context) ([]Chief, error) {
	return many[Chief](ctx, tx.tx, "admins",
		`SELECT id, origin = 'local' AND password_hash <> '' AS own FROM users
		WHERE role = 'admin' AND cardinality(sites) = 0 AND disabled_at IS NULL AND no_role_at IS NULL
		ORDER BY id FOR UPDATE`, nil)
}

// UserBySubject finds the user whom an origin knows by a name, or fails with
// user_not_found.
func (r Reader) UserBySubject(ctx context.Context, origin Origin, subject string) (User, error) {
	return one[User](ctx, r.db, "user", "",
		`SELECT `+userColumns+` FROM users WHERE origin = @origin AND subject = @subject`,
		pgx.NamedArgs{"origin": origin, "subject": subject})
}
