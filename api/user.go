package api

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// User is a person who signs in.
type User struct {
	ID        string    `json:"id"`
	Login     string    `json:"login"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	Locale    string    `json:"locale"` // empty: what the browser asks for
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
	Revision  int64     `json:"revision"`
}

// CreateUserInput describes a new person.
type CreateUserInput struct {
	Login    string
	Name     string // the login if empty
	Role     Role
	Locale   string // "en", "zh-CN", or empty: what the browser asks for
	Password string // may be empty: then only sign-in links let the person in
}

// MinPassword is the least length of a password, in characters.
const MinPassword = 10

// maxPassword bounds what is hashed, in bytes.
const maxPassword = 1024

var loginForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// ListUsers lists people by login (admin).
func (c *Console) ListUsers(ctx context.Context, a Actor, p Page) (List[User], error) {
	if err := allow(a, UseListUsers); err != nil {
		return List[User]{}, err
	}
	rows, err := c.store.Users(ctx, p.byName())
	if err != nil {
		return List[User]{}, err
	}
	return listOf(p, rows, func(u *store.User) (User, error) { return userOf(*u), nil },
		func(u store.User) string { return u.Login })
}

// GetUser returns one person: oneself, or anyone for an admin.
// Faults: user_not_found.
func (c *Console) GetUser(ctx context.Context, a Actor, id string) (User, error) {
	if err := allow(a, UseGetUser); err != nil {
		return User{}, err
	}
	if id != a.UserID {
		if err := allow(a, UseListUsers); err != nil {
			return User{}, err
		}
	}
	key, err := parse[store.UserID]("user", id)
	if err != nil {
		return User{}, err
	}
	u, err := c.store.User(ctx, key)
	return userOf(u), err
}

// CreateUser adds a person (admin).
// Faults: login_invalid, name_taken, password_too_short, role_unknown.
func (c *Console) CreateUser(ctx context.Context, a Actor, in CreateUserInput) (User, error) {
	if err := allow(a, UseCreateUser); err != nil {
		return User{}, err
	}
	fields, err := c.userFields(ctx, in)
	if err != nil {
		return User{}, err
	}
	var u store.User
	err = c.change(ctx, a, UseCreateUser, func(tx *store.Tx, by store.Actor) error {
		if u, err = tx.CreateUser(ctx, fields); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseCreateUser), ObjectKind: "user", ObjectID: u.ID.String(), After: userOf(u),
		})
	})
	return userOf(u), err
}

// userFields checks what a person is made of and hashes the password.
func (c *Console) userFields(ctx context.Context, in CreateUserInput) (store.UserFields, error) {
	if !loginForm.MatchString(in.Login) {
		return store.UserFields{}, fault.New(fault.KindInvalid, CodeLoginInvalid).At("login")
	}
	if !slices.Contains(Roles, in.Role) {
		return store.UserFields{}, errRoleUnknown(in.Role)
	}
	hash, err := c.hashPassword(ctx, in.Password)
	if err != nil {
		return store.UserFields{}, err
	}
	name := strings.TrimSpace(in.Name)
	if name == "" {
		name = in.Login
	}
	return store.UserFields{Login: in.Login, Name: name, Role: in.Role, PasswordHash: hash, Locale: in.Locale}, nil
}

func errRoleUnknown(r Role) error {
	return fault.New(fault.KindInvalid, CodeRoleUnknown, "role", r).At("role")
}

func userOf(u store.User) User {
	return User{
		ID: u.ID.String(), Login: u.Login, Name: u.Name, Role: u.Role, Locale: u.Locale,
		Disabled: u.DisabledAt != nil, CreatedAt: u.CreatedAt, Revision: u.Revision,
	}
}
