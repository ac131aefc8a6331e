package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// Role is what a user or a token may do; each includes the ones before it.
type Role string

// The roles.
const (
	RoleViewer   Role = "viewer"   // sees
	RoleHelpdesk Role = "helpdesk" // queues and cancels jobs
	RoleAdmin    Role = "admin"    // changes everything
)

// Roles lists the roles in their order.
var Roles = []Role{RoleViewer, RoleHelpdesk, RoleAdmin}

// Includes reports whether r may do what need may. An unknown role may nothing.
func (r Role) Includes(need Role) bool {
	have := slices.Index(Roles, r)
	return have >= 0 && have >= slices.Index(Roles, need)
}

// Least returns the lesser of two roles: a token's cap and its user's role.
func Least(a, b Role) Role {
	if a.Includes(b) {
		return b
	}
	return a
}

// User is a person who signs in.
type User struct {
	ID           UserID
	Login        string // unique whatever its case
	Name         string
	Role         Role
	Sites        []SiteID // that the user sees and uses; none: every site
	Origin       Origin
	Subject      string `json:"-"` // the name that Origin knows the user by, empty for OriginLocal
	PasswordHash string `json:"-"` // argon2id in its text form, or empty: no password sign-in
	Locale       string // "en", "zh-CN", or empty: what the browser asks for
	DisabledAt   *time.Time
	NoRoleAt     *time.Time // since when no group of theirs gives a role; nil: one does, or the console
	VouchedAt    *time.Time // when Origin vouched last; nil: OriginLocal
	LastSignInAt *time.Time
	TOTPAt       *time.Time `db:"totp_at"` // since when codes are asked for; nil: they are not
	Revision     int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// ShutOut reports whether the user may not come in, by whatever way.
func (u *User) ShutOut() bool { return u.DisabledAt != nil || u.NoRoleAt != nil }

// vouched reports whether somebody has vouched for the user lately.
func (u *User) vouched(now time.Time) bool {
	if u.Origin == OriginLocal {
		return true
	}
	last := u.CreatedAt // of who was made by the program before
	if u.VouchedAt != nil {
		last = *u.VouchedAt
	}
	return now.Sub(last) <= VouchedFor
}

// Origin is who vouches for a user.
type Origin string

// The origins.
const (
	OriginLocal Origin = "local" // the console: a password, or a link
	OriginOIDC  Origin = "oidc"  // an OpenID provider
	OriginLDAP  Origin = "ldap"  // a directory
)

// UserFields are what a user is made of.
type UserFields struct {
	Login        string
	Name         string
	Role         Role
	Sites        []SiteID
	Origin       Origin // OriginLocal if empty
	Subject      string
	PasswordHash string
	Locale       string
}

const userColumns = `id, login, name, role, sites, origin, subject, password_hash, locale, disabled_at,
	no_role_at, vouched_at, last_sign_in_at, totp_at, revision, created_at, updated_at`

// User finds a user, or fails with user_not_found.
func (r Reader) User(ctx context.Context, id UserID) (User, error) {
	return one[User](ctx, r.db, "user", id,
		`SELECT `+userColumns+` FROM users WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// UserByLogin finds a user by login, whatever its case.
func (r Reader) UserByLogin(ctx context.Context, login string) (User, error) {
	return one[User](ctx, r.db, "user", login,
		`SELECT `+userColumns+` FROM users WHERE lower(login) = lower(@login)`, pgx.NamedArgs{"login": login})
}

// UserFilter narrows Users; empty fields do not.
type UserFilter struct {
	Within []SiteID // limited to some of these sites, and to no others
	Text   string   // in the login or the name, whatever its case
	Role   Role
	Site   SiteID // not limited to others
	Page   ByName
}

// Users lists users by login.
func (r Reader) Users(ctx context.Context, f UserFilter) ([]User, error) {
	args := f.Page.args()
	args["within"], args["text"], args["role"], args["site"] = append([]SiteID{}, f.Within...), cleanText(f.Text), f.Role, f.Site
	return many[User](ctx, r.db, "users",
		`SELECT `+userColumns+` FROM users
		WHERE lower(login) > lower(@after) AND (@role = '' OR role = @role)
			AND (@text = '' OR strpos(lower(login), lower(@text)) > 0 OR strpos(lower(name), lower(@text)) > 0)
			AND (cardinality(@within::uuid[]) = 0 OR cardinality(sites) > 0 AND sites <@ @within)
			AND (@site::uuid IS NULL OR cardinality(sites) = 0 OR @site = ANY (sites))
		ORDER BY lower(login) LIMIT @limit`, args)
}

// SetupDone reports whether there is a user: the first one is made with a setup
// token, all others by an admin.
func (r Reader) SetupDone(ctx context.Context) (bool, error) {
	var done bool
	err := r.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM users)`).Scan(&done)
	return done, fail(err, "look for users")
}

// CreateFirstUser is CreateUser for the setup: of two at the same time one
// fails with setup_done.
func (tx *Tx) CreateFirstUser(ctx context.Context, f UserFields) (User, error) {
	if _, err := tx.tx.Exec(ctx, `LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return User{}, fail(err, "lock users")
	}
	done, err := tx.SetupDone(ctx)
	if err != nil {
		return User{}, err
	}
	if done {
		return User{}, fault.New(fault.KindConflict, CodeSetupDone)
	}
	return tx.CreateUser(ctx, f)
}

// CreateUser adds a user. A login in use is the fault name_taken.
func (tx *Tx) CreateUser(ctx context.Context, f UserFields) (User, error) {
	id, err := newID[userKind](tx)
	if err != nil {
		return User{}, err
	}
	return one[User](ctx, tx.tx, "user", id,
		`INSERT INTO users (id, login, name, role, sites, origin, subject, password_hash, locale, vouched_at, created_at, updated_at)
		VALUES (@id, @login, @name, @role, @sites, @origin, @subject, @password_hash, @locale,
			CASE WHEN @origin <> 'local' THEN @at::timestamptz END, @at, @at)
		RETURNING `+userColumns, pgx.NamedArgs{
			"id": id, "login": f.Login, "name": f.Name, "role": f.Role, "sites": append([]SiteID{}, f.Sites...),
			"origin": or(f.Origin, OriginLocal), "subject": f.Subject,
			"password_hash": f.PasswordHash, "locale": f.Locale, "at": tx.at,
		})
}
