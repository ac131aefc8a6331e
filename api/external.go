package api

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/api/directory"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/oidc"
	"github.com/stickpress/stickpress/store"
)

// SignInService is an OpenID provider that people may sign in at.
type SignInService struct {
	Provider *oidc.Provider
	Name     string // on the sign-in page
	Grants   []Grant
}

// PeopleDirectory is an LDAP directory whose passwords let people in.
type PeopleDirectory struct {
	Directory *directory.Directory
	Grants    []Grant
}

// ServiceName is what the provider is called that people may sign in at, ""
// without one.
func (c *Console) ServiceName() string {
	if c.service == nil {
		return ""
	}
	return c.service.Name
}

// BeginService begins a sign-in at the provider. The door keeps the flow on
// its side and sends the browser to its URL.
// Faults: provider_missing, provider_unavailable, too_many_attempts, setup_needed.
func (c *Console) BeginService(ctx context.Context, a Actor) (oidc.Flow, error) {
	if err := c.mayUseService(ctx, a); err != nil {
		return oidc.Flow{}, err
	}
	return c.service.Provider.Begin(ctx)
}

// SignInService ends a sign-in at the provider with what it sent the browser
// back with. Who comes for the first time becomes a person here; role and sites
// are those of their groups, each time anew. A second factor is the provider's
// business. Faults: provider_missing, those of oidc.Provider.Finish, no_role,
// login_invalid, login_of_other, sign_in_failed, too_many_attempts, setup_needed.
func (c *Console) SignInService(ctx context.Context, a Actor, flow oidc.Flow, answer url.Values) (SignedIn, error) {
	if err := c.mayUseService(ctx, a); err != nil {
		return SignedIn{}, err
	}
	who, err := c.service.Provider.Finish(ctx, flow, answer)
	if f := fault.From(err); f != nil && f.Kind == fault.KindUnauthenticated {
		c.log.InfoContext(ctx, "sign-in at the provider refused", "error", err, "address", a.Address)
		return SignedIn{}, c.signInFailed(ctx, a, UseSignInService, store.User{}, f)
	}
	if err != nil {
		return SignedIn{}, err
	}
	u, err := c.knownExternal(ctx, a, external{store.OriginOIDC, who.Subject, who.Login, who.Name, who.Groups}, c.service.Grants)
	if err != nil {
		return SignedIn{}, c.externalRefused(ctx, a, UseSignInService, u, err)
	}
	var out SignedIn
	err = c.store.InTx(ctx, func(tx *store.Tx) (err error) {
		out, err = c.enter(ctx, tx, a, UseSignIn, u, MethodOIDC)
		return err
	})
	return out, err
}

// ServiceSignOut is where somebody who came by the provider signs out there as
// well; "" if there is no such page.
func (c *Console) ServiceSignOut(ctx context.Context, back string) string {
	if c.service == nil {
		return ""
	}
	return c.service.Provider.SignOutURL(ctx, back)
}

func (c *Console) mayUseService(ctx context.Context, a Actor) error {
	if err := allow(a, UseSignInService); err != nil {
		return err
	}
	if c.service == nil {
		return fault.New(fault.KindNotFound, CodeNoService)
	}
	if err := c.attemptFrom(a); err != nil {
		return err
	}
	return c.setupIsDone(ctx)
}

// directoryPassword asks the directory about a login that is nobody's of the
// console's own. What the login finds there is counted as well, before the
// password is looked at, and returned for who came in.
func (c *Console) directoryPassword(ctx context.Context, a Actor, login, password string) (u store.User, counted tries, err error) {
	p, err := c.directory.Directory.Authenticate(ctx, login, password, func(id string) (err error) {
		if counted, err = c.passwordTries(ctx, a, ofEntry, id); err != nil {
			return err
		}
		return c.countTries(ctx, counted)
	})
	if err != nil {
		return store.User{}, nil, c.directoryRefused(ctx, err)
	}
	u, err = c.knownExternal(ctx, a, external{store.OriginLDAP, p.ID, p.Login, p.Name, p.Groups}, c.directory.Grants)
	return u, counted, err
}

// directoryRefused is what a directory's error is to the person: why it cannot be
// asked, or why somebody is nobody to it, is for the log.
func (c *Console) directoryRefused(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, directory.ErrRefused):
		if err != directory.ErrRefused { //nolint:errorlint // more is said than that
			c.log.WarnContext(ctx, "somebody of the directory's is refused", "error", err)
		}
		return errSignIn()
	case fault.From(err).Code == directory.CodeUnavailable:
		c.log.WarnContext(ctx, "the directory cannot be asked", "error", err)
	}
	return err
}

// external is somebody whom others vouch for.
type external struct {
	origin               store.Origin
	subject, login, name string
	groups               []string
}

// knownExternal finds or makes the person, and gives them what their groups give
// now. With the error it returns the person, if they were known.
func (c *Console) knownExternal(ctx context.Context, a Actor, e external, grants []Grant) (store.User, error) {
	var u store.User
	var refused error
	err := c.store.InTx(ctx, func(tx *store.Tx) error {
		refused = nil
		known, err := tx.UserBySubject(ctx, e.origin, e.subject)
		if err != nil && !isNotFound(err, "user") {
			return err
		}
		isNew := err != nil
		u = known
		role, sites, err := c.granted(ctx, tx.Reader, grants, e.groups)
		if err != nil {
			return err
		}
		switch {
		case role == RoleNone && isNew:
			return fault.New(fault.KindForbidden, CodeNoRole)
		case role == RoleNone: // out of every group: out of the console, too
			refused = fault.New(fault.KindForbidden, CodeNoRole)
			u, err = lostRole(ctx, tx, a, u)
			return err
		case isNew:
			u, err = c.newExternal(ctx, tx, a, e, role, sites)
			return err
		case u.DisabledAt != nil:
			return fault.New(fault.KindUnauthenticated, CodeSignInFailed)
		}
		if u, err = sameExternal(ctx, tx, a, u, e, role, sites); err != nil {
			return err
		}
		u, err = tx.Vouch(ctx, u.ID)
		return err
	})
	return u, errors.Join(err, refused)
}

// lostRole shuts somebody out until a group gives them a role again: their
// sessions end, and so does what their tokens and what they prepared is good for.
func lostRole(ctx context.Context, tx *store.Tx, a Actor, u store.User) (store.User, error) {
	if err := tx.DropOneTimeTokensBy(ctx, u.ID); err != nil || u.NoRoleAt != nil {
		return u, err
	}
	now, err := tx.SetNoRole(ctx, u.ID)
	if err != nil {
		return u, err
	}
	return now, tx.Audit(ctx, store.NewAudit{
		By: a.as(store.UserActor(u.ID)), Action: string(UseUpdateUser), ObjectKind: "user", ObjectID: u.ID.String(), Before: userOf(u), After: userOf(now),
	})
}

func (c *Console) newExternal(ctx context.Context, tx *store.Tx, a Actor, e external, role Role, sites []store.SiteID) (store.User, error) {
	// The first person is the one who has the setup token.
	if done, err := tx.SetupDone(ctx); err != nil || !done {
		return store.User{}, errors.Join(err, errSetupNeeded())
	}
	if !loginForm.MatchString(e.login) {
		return store.User{}, fault.New(fault.KindInvalid, CodeLoginInvalid).At("login")
	}
	// Nobody becomes somebody else by having their login elsewhere.
	if _, err := tx.UserByLogin(ctx, e.login); err == nil {
		return store.User{}, fault.New(fault.KindConflict, CodeLoginOfOther, "login", e.login)
	} else if !isNotFound(err, "user") {
		return store.User{}, err
	}
	u, err := tx.CreateUser(ctx, store.UserFields{
		Login: e.login, Name: externalName(e), Role: role, Sites: sites, Origin: e.origin, Subject: e.subject,
	})
	if err != nil {
		return store.User{}, err
	}
	return u, tx.Audit(ctx, store.NewAudit{
		By: a.as(store.UserActor(u.ID)), Action: string(UseCreateUser), ObjectKind: "user", ObjectID: u.ID.String(), After: userOf(u),
	})
}

// sameExternal brings a known person up to date with what is said of them.
func sameExternal(ctx context.Context, tx *store.Tx, a Actor, u store.User, e external, role Role, sites []store.SiteID) (store.User, error) {
	login, err := externalLogin(ctx, tx, u, e)
	if err != nil {
		return u, err
	}
	change := store.UserChange{Login: login, Name: externalName(e), Role: role, Sites: sites}
	if u.Login == login && u.Name == change.Name && u.Role == role && slices.Equal(siteTexts(u.Sites), siteTexts(sites)) {
		return u, nil
	}
	now, err := tx.UpdateUser(ctx, u.ID, u.Revision, change)
	if err == nil && demoted(&u, &now) {
		err = tx.DropOneTimeTokensBy(ctx, u.ID)
	}
	if err != nil {
		return u, err
	}
	return now, tx.Audit(ctx, store.NewAudit{
		By: a.as(store.UserActor(u.ID)), Action: string(UseUpdateUser), ObjectKind: "user", ObjectID: u.ID.String(), Before: userOf(u), After: userOf(now),
	})
}

// externalLogin is a person's login after they were renamed elsewhere: the new
// one, unless it is somebody else's here.
func externalLogin(ctx context.Context, tx *store.Tx, u store.User, e external) (string, error) {
	if e.login == u.Login || !loginForm.MatchString(e.login) {
		return u.Login, nil
	}
	has, err := tx.UserByLogin(ctx, e.login)
	switch {
	case isNotFound(err, "user") || err == nil && has.ID == u.ID:
		return e.login, nil
	case err != nil:
		return "", err
	}
	return u.Login, nil
}

func externalName(e external) string {
	if name, err := cleanName("user", e.name); err == nil {
		return name
	}
	return strings.TrimSpace(e.login)
}

// externalRefused puts into the log that somebody who is known elsewhere may
// not come in here.
func (c *Console) externalRefused(ctx context.Context, a Actor, use UseCase, u store.User, err error) error {
	if f := fault.From(err); f.Kind != fault.KindInternal && f.Kind != fault.KindUnavailable {
		return c.signInFailed(ctx, a, use, u, f)
	}
	return err
}
