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
	ID       string   `json:"id"`
	Login    string   `json:"login"`
	Name     string   `json:"name"`
	Role     Role     `json:"role"`
	Sites    []string `json:"sites"`  // IDs; empty: every site
	Locale   string   `json:"locale"` // empty: what the browser asks for
	Origin   string   `json:"origin"` // "local", "oidc", "ldap": who vouches for the person
	Disabled bool     `json:"disabled"`
	// NoRoleAt is since when somebody whom others vouch for is in no group that
	// gives a role: they and their tokens are out until one does.
	NoRoleAt    *time.Time `json:"no_role_at,omitempty"`
	HasPassword bool       `json:"has_password"` // kept here; of a directory's people it is kept there
	// SecondFactor: a code of the telephone is asked for.
	SecondFactor bool       `json:"second_factor"`
	LastSignInAt *time.Time `json:"last_sign_in_at,omitempty"`
	// LockedUntil is set while attempts to get in as this person rest, at least
	// from one address, after too many that failed; in answers to admins only.
	LockedUntil *time.Time `json:"locked_until,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	Revision    int64      `json:"revision"`

	subject string // the name that Origin knows the person by
}

// CreateUserInput describes a new person.
type CreateUserInput struct {
	Login    string
	Name     string // the login if empty
	Role     Role
	Sites    []string // IDs; empty means every site
	Locale   string   // "en", "zh-CN", or empty: what the browser asks for
	Password string   // may be empty: then only sign-in links let the person in
}

// Locales are the languages that the console speaks (web/locale).
var Locales = []string{"en", "zh-CN"}

// MinPassword is the least length of a password, in characters.
const MinPassword = 10

// maxPassword bounds what is hashed, in bytes.
const maxPassword = 1024

var loginForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// UserFilter narrows ListUsers; empty fields do not.
type UserFilter struct {
	Text   string // in the login or the name, whatever its case
	Role   string
	SiteID string // who has this site, or every one; or its name
}

// UserFields are the fields of a UserFilter.
var UserFields = []Field[UserFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "What the login or the name holds, whatever its case."}, func(f *UserFilter) *string { return &f.Text }},
	{FieldInfo{Name: "role", Kind: FieldChoice, Values: []string{string(RoleViewer), string(RoleHelpdesk), string(RoleAdmin)}, Doc: "Their role."}, func(f *UserFilter) *string { return &f.Role }},
	{FieldInfo{Name: "site", Kind: FieldThing, Object: "site", Doc: "Who may do something at this site, by name or ID."}, func(f *UserFilter) *string { return &f.SiteID }},
}

// ListUsers lists people by login (admin): to an admin of some sites those
// who have no others. Faults: those of FieldInfo.Check, site_not_found.
func (c *Console) ListUsers(ctx context.Context, a Actor, f UserFilter, p Page) (List[User], error) {
	if err := allow(a, UseListUsers); err != nil {
		return List[User]{}, err
	}
	if err := checkFilter(UserFields, &f); err != nil {
		return List[User]{}, err
	}
	sites, err := a.sites()
	if err != nil {
		return List[User]{}, err
	}
	site, err := c.siteField(ctx, a, f.SiteID)
	if err != nil {
		return List[User]{}, err
	}
	rows, err := c.store.Users(ctx, store.UserFilter{Within: sites, Text: f.Text, Role: store.Role(f.Role), Site: site, Page: p.byName()})
	if err != nil {
		return List[User]{}, err
	}
	l, err := listOf(p, rows, func(u *store.User) (User, error) { return userOf(*u), nil },
		func(u store.User) string { return u.Login })
	if err != nil {
		return l, err
	}
	return l, c.locked(ctx, l.Items)
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
	u, err := findUser(ctx, c.store.Reader, a, id)
	if err != nil || !a.Can(UseListUsers) {
		return userOf(u), err
	}
	out := []User{userOf(u)}
	err = c.locked(ctx, out)
	return out[0], err
}

// FindUser returns the person of a login, whatever its case (admin).
// Faults: user_not_found.
func (c *Console) FindUser(ctx context.Context, a Actor, login string) (User, error) {
	if err := allow(a, UseListUsers); err != nil {
		return User{}, err
	}
	u, err := findUserByLogin(ctx, c.store.Reader, a, login)
	return userOf(u), err
}

// findUser finds oneself, or somebody who has no more sites than the actor.
func findUser(ctx context.Context, r store.Reader, a Actor, id string) (store.User, error) {
	key, err := parse[store.UserID]("user", id)
	if err != nil {
		return store.User{}, err
	}
	u, err := r.User(ctx, key)
	if err == nil && id != a.UserID && !a.within(siteTexts(u.Sites)) {
		return store.User{}, store.NotFound("user", id)
	}
	return u, err
}

// findUserByLogin is findUser by login.
func findUserByLogin(ctx context.Context, r store.Reader, a Actor, login string) (store.User, error) {
	u, err := r.UserByLogin(ctx, login)
	if err == nil && u.ID.String() != a.UserID && !a.within(siteTexts(u.Sites)) {
		return store.User{}, store.NotFound("user", login)
	}
	return u, err
}

// CreateUser adds a person (admin), with a role and sites that the actor has.
// Faults: login_invalid, name_invalid, name_taken, password_too_short,
// role_unknown, locale_unknown, sites_too_wide, site_not_found.
func (c *Console) CreateUser(ctx context.Context, a Actor, in CreateUserInput) (User, error) {
	if err := allow(a, UseCreateUser); err != nil {
		return User{}, err
	}
	fields, err := c.newUser(ctx, a, &in)
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

// newUser checks everything about a new person and hashes the password.
func (c *Console) newUser(ctx context.Context, a Actor, in *CreateUserInput) (store.UserFields, error) {
	f, wrong := cleanUser(in)
	var taken, sites error
	if loginForm.MatchString(in.Login) {
		_, taken = c.store.UserByLogin(ctx, in.Login)
		taken = fault.RenamedTo(unused("user", taken, false), "login")
	}
	f.Sites, sites = a.grantedSites(ctx, c.store.Reader, in.Sites)
	err := fault.All(wrong, taken, a.checkRole(UseCreateUser, in.Role), sites)
	if err == nil && in.Password != "" {
		f.PasswordHash, err = c.passwords.Hash(ctx, in.Password)
	}
	return f, err
}

// cleanUser checks what can be said of a person without looking anything up.
func cleanUser(in *CreateUserInput) (store.UserFields, error) {
	f := store.UserFields{Login: in.Login, Name: in.Login, Role: in.Role, Locale: in.Locale}
	var login, name, password, locale error
	if !loginForm.MatchString(in.Login) {
		login = fault.New(fault.KindInvalid, CodeLoginInvalid).At("login")
	}
	if strings.TrimSpace(in.Name) != "" {
		f.Name, name = cleanName("user", in.Name)
	}
	if in.Password != "" {
		password = checkPassword(in.Password)
	}
	if in.Locale != "" && !slices.Contains(Locales, in.Locale) {
		locale = fault.New(fault.KindInvalid, CodeLocale, "locale", in.Locale).At("locale")
	}
	return f, fault.All(login, name, password, locale)
}

func errRoleUnknown(r Role) error {
	return fault.New(fault.KindInvalid, CodeRoleUnknown, "role", r).At("role")
}

func userOf(u store.User) User {
	return User{
		ID: u.ID.String(), Login: u.Login, Name: u.Name, Role: u.Role, Sites: siteTexts(u.Sites), Locale: u.Locale,
		Origin: string(u.Origin), Disabled: u.DisabledAt != nil, NoRoleAt: u.NoRoleAt, HasPassword: u.PasswordHash != "", SecondFactor: u.TOTPAt != nil, LastSignInAt: u.LastSignInAt,
		CreatedAt: u.CreatedAt, Revision: u.Revision, subject: u.Subject,
	}
}
