package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// Purpose is what a one-time token is good for.
type Purpose string

// The purposes.
const (
	PurposeSetup  Purpose = "setup"   // makes the first admin
	PurposeSignIn Purpose = "sign_in" // signs one user in
	PurposeEnroll Purpose = "enroll"  // enrols one host at one site

	PurposePassword Purpose = "password" // lets one user choose a password
)

// OneTimeToken is the record of a token that works once. The token itself is
// known only to whom it was given; the record has its SHA-256.
type OneTimeToken struct {
	Purpose       Purpose
	UserID        UserID // PurposeSignIn, PurposePassword
	SiteID        SiteID // PurposeEnroll
	CreatedByKind ActorKind
	CreatedByID   ActorID
	CreatedAt     time.Time
	ExpiresAt     time.Time
	UsedAt        *time.Time
}

// NewOneTimeToken is what a one-time token is made of.
type NewOneTimeToken struct {
	Purpose  Purpose
	UserID   UserID
	SiteID   SiteID
	Lifetime time.Duration
	By       Actor
	Secret   string // agreed beforehand; empty makes one
}

const oneTimeTokenColumns = `purpose, user_id, site_id, created_by_kind, created_by_id, created_at, expires_at, used_at`

// tokenBytes is the entropy of a token: 256 bits.
const tokenBytes = 32

// newToken makes a secret with a prefix that scanners for leaked secrets find.
func newToken(prefix string, random io.Reader) (secret string, hash [32]byte, err error) {
	raw := make([]byte, tokenBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", hash, fmt.Errorf("make a token: %w", err)
	}
	secret = prefix + base64.RawURLEncoding.EncodeToString(raw)
	return secret, sha256.Sum256([]byte(secret)), nil
}

// CreateOneTimeToken makes a token and returns its secret, which is not stored.
func (tx *Tx) CreateOneTimeToken(ctx context.Context, n NewOneTimeToken) (secret string, token OneTimeToken, err error) {
	secret, hash, err := newToken("spo_", tx.store.random)
	if err != nil {
		return "", OneTimeToken{}, err
	}
	if n.Secret != "" {
		secret, hash = n.Secret, sha256.Sum256([]byte(n.Secret))
	}
	token, err = one[OneTimeToken](ctx, tx.tx, "one_time_token", "",
		`INSERT INTO one_time_tokens (hash, purpose, user_id, site_id, created_by_kind, created_by_id, created_at, expires_at)
		VALUES (@hash, @purpose, @user_id, @site_id, @by_kind, @by_id, @at, @expires_at)
		RETURNING `+oneTimeTokenColumns, pgx.NamedArgs{
			"hash": hash[:], "purpose": n.Purpose, "user_id": n.UserID, "site_id": n.SiteID,
			"by_kind": n.By.Kind, "by_id": n.By.ID, "at": tx.at, "expires_at": tx.at.Add(n.Lifetime),
		})
	return secret, token, err
}

// UseOneTimeToken spends a token. Of any number of uses at the same time one
// succeeds; the others, and a token that is unknown, expired or for another
// purpose, fail with token_invalid. If the transaction is rolled back the token
// is unspent.
func (tx *Tx) UseOneTimeToken(ctx context.Context, purpose Purpose, secret string) (OneTimeToken, error) {
	hash := sha256.Sum256([]byte(secret))
	token, err := one[OneTimeToken](ctx, tx.tx, "one_time_token", "",
		`UPDATE one_time_tokens SET used_at = @at
		WHERE hash = @hash AND purpose = @purpose AND used_at IS NULL AND expires_at > @at
		RETURNING `+oneTimeTokenColumns, pgx.NamedArgs{"hash": hash[:], "purpose": purpose, "at": tx.at})
	return token, tokenInvalid(err, "one_time_token")
}

func tokenInvalid(err error, kind string) error {
	if errors.Is(err, NotFound(kind, "")) {
		return fault.New(fault.KindUnauthenticated, CodeTokenInvalid)
	}
	return err
}

// APIToken lets a program act for a user, with at most Role.
type APIToken struct {
	ID         TokenID
	Name       string
	UserID     UserID
	CreatedBy  UserID   // who made it, or whose token did; zero: the command line
	ParentID   TokenID  // the token that made it; zero: a person did
	Role       Role     // a cap: see Least
	Sites      []SiteID // a cap on its user's; none: all that its user has
	Scopes     []string // a cap on what it may do; none: whatever its role allows
	ExpiresAt  *time.Time
	RevokedAt  *time.Time
	LastUsedAt *time.Time // to the minute
	Revision   int64
	CreatedAt  time.Time
}

// NewAPIToken is what an API token is made of.
type NewAPIToken struct {
	Name      string
	UserID    UserID
	CreatedBy UserID
	ParentID  TokenID // it does not outlive this one
	Role      Role
	Sites     []SiteID
	Scopes    []string
	Lifetime  time.Duration // 0: does not expire by itself
}

const apiTokenColumns = `id, name, user_id, created_by, parent_id, role, sites, scopes, expires_at, revoked_at, last_used_at, revision, created_at`

// CreateAPIToken makes a token and returns its secret, which is not stored.
func (tx *Tx) CreateAPIToken(ctx context.Context, n NewAPIToken) (secret string, token APIToken, err error) {
	secret, hash, err := newToken("stp_", tx.store.random)
	if err != nil {
		return "", APIToken{}, err
	}
	id, err := newID[tokenKind](tx)
	if err != nil {
		return "", APIToken{}, err
	}
	var expires *time.Time
	if n.Lifetime > 0 {
		at := tx.at.Add(n.Lifetime)
		expires = &at
	}
	if !n.ParentID.IsZero() {
		parent, err := tx.APIToken(ctx, n.ParentID)
		if err != nil {
			return "", APIToken{}, err
		}
		if parent.ExpiresAt != nil && (expires == nil || parent.ExpiresAt.Before(*expires)) {
			expires = parent.ExpiresAt
		}
	}
	token, err = one[APIToken](ctx, tx.tx, "token", id,
		`INSERT INTO api_tokens (id, hash, name, user_id, created_by, parent_id, role, sites, scopes, expires_at, created_at)
		VALUES (@id, @hash, @name, @user_id, @created_by, @parent_id, @role, @sites, @scopes, @expires_at, @at)
		RETURNING `+apiTokenColumns, pgx.NamedArgs{
			"id": id, "hash": hash[:], "name": n.Name, "user_id": n.UserID, "role": n.Role,
			"created_by": n.CreatedBy, "parent_id": n.ParentID,
			"sites": append([]SiteID{}, n.Sites...), "scopes": append([]string{}, n.Scopes...), "expires_at": expires, "at": tx.at,
		})
	return secret, token, err
}

// tokenInForce holds of a token t that is good for something: neither it nor one
// that it was made with is revoked, and nobody is shut out who owns or made one
// of them. (The expiry of those that it was made with is in its own.)
const tokenInForce = `t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > @at) AND NOT EXISTS (
	WITH RECURSIVE line AS (
		SELECT t.parent_id, t.user_id, t.created_by, t.revoked_at
		UNION ALL
		SELECT p.parent_id, p.user_id, p.created_by, p.revoked_at FROM api_tokens p JOIN line ON p.id = line.parent_id)
	SELECT FROM line JOIN users u ON u.id IN (line.user_id, line.created_by)
	WHERE line.revoked_at IS NOT NULL OR u.disabled_at IS NOT NULL OR u.no_role_at IS NOT NULL)`

// VouchedFor is how long the tokens of somebody whom others vouch for are good
// after they vouched last, which they do at each sign-in: of who has left and
// never comes again, the console hears nothing.
const VouchedFor = 90 * 24 * time.Hour

// APITokenBySecret finds the token that a program presents and its user. What
// is unknown, expired or revoked, or of people who are shut out, fails with
// token_invalid, and so does what is of people for whom nobody has vouched for
// longer than VouchedFor.
func (r Reader) APITokenBySecret(ctx context.Context, secret string, now time.Time) (APIToken, User, error) {
	hash := sha256.Sum256([]byte(secret))
	return r.tokenInForce(ctx, `t.hash = @hash`, pgx.NamedArgs{"hash": hash[:], "at": now})
}

// APITokenInForce is APITokenBySecret for a token that was presented before.
func (r Reader) APITokenInForce(ctx context.Context, id TokenID, now time.Time) (APIToken, User, error) {
	return r.tokenInForce(ctx, `t.id = @id`, pgx.NamedArgs{"id": id, "at": now})
}

func (r Reader) tokenInForce(ctx context.Context, which string, args pgx.NamedArgs) (APIToken, User, error) {
	q := r.Questions()
	tokens := ask[APIToken](q, `SELECT `+apiTokenColumns+` FROM api_tokens t WHERE `+which+` AND `+tokenInForce, args)
	owners := ask[User](q, `SELECT `+userColumns+` FROM users WHERE id = (SELECT user_id FROM api_tokens t WHERE `+which+`)`, args)
	if err := q.Ask(ctx); err != nil {
		return APIToken{}, User{}, err
	}
	token, err := tokens.one("token", "")
	if err != nil {
		return APIToken{}, User{}, tokenInvalid(err, "token")
	}
	user, err := owners.one("user", token.UserID)
	if now, ok := args["at"].(time.Time); err == nil && ok && !user.vouched(now) {
		err = fault.New(fault.KindUnauthenticated, CodeTokenInvalid)
	}
	return token, user, err
}

// APIToken finds a token, or fails with token_not_found.
func (r Reader) APIToken(ctx context.Context, id TokenID) (APIToken, error) {
	return one[APIToken](ctx, r.db, "token", id,
		`SELECT `+apiTokenColumns+` FROM api_tokens WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// APITokenFilter narrows APITokens; empty fields do not.
type APITokenFilter struct {
	UserID UserID // its owner
	Role   Role
	State  string // "active", "expired", "revoked"
	Search string // what its name holds, whatever its case
	At     time.Time
	// Within lists tokens of users who are limited to some of these sites and
	// to no others, and those of Self.
	Within []SiteID
	Self   UserID
	Line   TokenID // this one and those that it made
	Site   SiteID  // neither it nor its owner is limited to others
	Page   TokenPage
}

// APITokens lists tokens, newest first.
func (r Reader) APITokens(ctx context.Context, f APITokenFilter) ([]APIToken, error) {
	var w where
	equal(&w, "user_id = @user", "user", f.UserID)
	if len(f.Within) > 0 {
		w.and("(user_id = @self OR user_id IN (SELECT id FROM users WHERE cardinality(sites) > 0 AND sites <@ @within))", "within", f.Within)
		w.args["self"] = f.Self
	}
	equal(&w, "@line IN (id, parent_id)", "line", f.Line)
	equal(&w, `(cardinality(sites) = 0 OR @site = ANY (sites))
		AND user_id IN (SELECT id FROM users WHERE cardinality(sites) = 0 OR @site = ANY (sites))`, "site", f.Site)
	w.text("role = @role", "role", string(f.Role))
	switch f.State {
	case "active":
		w.and("revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @at)", "at", f.At)
	case "expired":
		w.and("revoked_at IS NULL AND expires_at <= @at", "at", f.At)
	case "revoked":
		w.conditions = append(w.conditions, "revoked_at IS NOT NULL")
	}
	w.text("lower(name) LIKE @search", "search", holding(f.Search))
	return byID[APIToken](ctx, r, "tokens", "api_tokens", apiTokenColumns, &w, f.Page)
}

// RevokeAPIToken ends a token and those that were made with it; to revoke a
// revoked one changes nothing.
func (tx *Tx) RevokeAPIToken(ctx context.Context, id TokenID) (APIToken, error) {
	rows, _ := tx.tx.Query(ctx,
		`WITH RECURSIVE line AS (
			SELECT id FROM api_tokens WHERE id = @id
			UNION ALL SELECT t.id FROM api_tokens t JOIN line ON t.parent_id = line.id)
		UPDATE api_tokens SET revoked_at = @at, revision = revision + 1
		WHERE id IN (SELECT id FROM line) AND revoked_at IS NULL RETURNING user_id`,
		pgx.NamedArgs{"id": id, "at": tx.at}) // the error comes back from CollectRows
	owners, err := pgx.CollectRows(rows, pgx.RowTo[UserID])
	if err != nil {
		return APIToken{}, fail(err, "revoke a token")
	}
	for _, u := range owners {
		tx.Notify(TopicUser(u))
	}
	return tx.APIToken(ctx, id)
}

// TouchAPIToken remembers that a token was used, to the minute, and never before
// it was made: at most one write a minute.
func (s *Store) TouchAPIToken(ctx context.Context, t *APIToken) error {
	minute := s.Now().Truncate(time.Minute)
	if t.LastUsedAt != nil && !t.LastUsedAt.Before(minute) {
		return nil
	}
	_, err := s.pool.Exec(ctx,
		`UPDATE api_tokens SET last_used_at = greatest(@at, created_at)
		WHERE id = @id AND (last_used_at IS NULL OR last_used_at < @at)`,
		pgx.NamedArgs{"id": t.ID, "at": minute})
	return fail(err, "remember the use of a token")
}

// DropExpired removes what is of no use any more (one-time tokens, pairings, idempotency
// keys, what came of uploads, sessions, counts of attempts) and returns how many.
func (s *Store) DropExpired(ctx context.Context) (int64, error) {
	var n int64
	for _, sql := range []string{
		`DELETE FROM one_time_tokens WHERE expires_at < @at`,
		`DELETE FROM upload_outcomes WHERE expires_at < @at`,
		`DELETE FROM idempotent_requests WHERE expires_at < @at`,
		`DELETE FROM inspections WHERE state <> 'inspecting' AND updated_at < @at::timestamptz - interval '7 days'`,
		`DELETE FROM user_sessions WHERE expires_at < @at`,
		`DELETE FROM connector_deliveries WHERE created_at < @at::timestamptz - interval '7 days'`,
		`DELETE FROM connector_payloads WHERE created_at < @at::timestamptz - interval '30 days'`,
		`DELETE FROM write_backs WHERE state <> 'waiting' AND updated_at < @at::timestamptz - interval '90 days'`,
		`DELETE FROM pairings WHERE expires_at < @at`,
		`DELETE FROM sign_in_attempts WHERE last_at < @at::timestamptz - interval '2 days'`,
	} {
		tag, err := s.pool.Exec(ctx, sql, pgx.NamedArgs{"at": s.Now()})
		if err != nil {
			return n, fail(err, "drop what has expired")
		}
		n += tag.RowsAffected()
	}
	return n, nil
}
