package api

import (
	"context"
	"errors"
	"time"

	"github.com/stickpress/stickpress/api/directory"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Session is a browser in which somebody is signed in.
type Session struct {
	ID         string    `json:"id"`
	Method     string    `json:"method"` // how they came in: MethodPassword, …
	Address    string    `json:"address"`
	Agent      string    `json:"agent"` // what the browser calls itself
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"` // to the minute
	Current    bool      `json:"current"`      // the one that asks
}

// oneself is the person who acts, in a browser: a program with a token must not
// change how its owner signs in. Faults: people_only.
func (c *Console) oneself(ctx context.Context, a Actor, use UseCase) (store.User, error) {
	if err := allow(a, use); err != nil {
		return store.User{}, err
	}
	if a.Kind != ActorUser {
		return store.User{}, fault.New(fault.KindForbidden, CodePeopleOnly)
	}
	id, err := parse[store.UserID]("user", a.UserID)
	if err != nil {
		return store.User{}, err
	}
	return c.store.User(ctx, id)
}

// recheck asks a person for their password once more, before something that
// would shut them out if somebody else did it in their browser. Who has no
// password has come in by a link.
// Faults: password_wrong, too_many_attempts, directory_unavailable.
func (c *Console) recheck(ctx context.Context, a Actor, use UseCase, u *store.User, password string) error {
	if u.Origin == store.OriginLocal && u.PasswordHash == "" {
		return nil
	}
	counted, err := c.personTries(ctx, ofRecheck, u.ID)
	if err == nil {
		err = c.attempt(ctx, a, counted)
	}
	if err != nil {
		return err
	}
	ok, err := c.passwords.Check(ctx, u.PasswordHash, password)
	if err == nil && u.Origin == store.OriginLDAP && c.directory != nil {
		var p directory.Person
		p, err = c.directory.Directory.Again(ctx, u.Subject, password)
		ok = err == nil && p.ID == u.Subject
		if errors.Is(err, directory.ErrRefused) {
			err = nil
		} else if err != nil {
			err = c.directoryRefused(ctx, err)
		}
	}
	if err != nil {
		return err
	}
	if !ok {
		return c.recheckFailed(ctx, a, use, u)
	}
	return c.forget(ctx, counted)
}

// recheckFailed puts a wrong password into the audit log and returns the refusal.
func (c *Console) recheckFailed(ctx context.Context, a Actor, use UseCase, u *store.User) error {
	err := c.change(ctx, a, use, func(tx *store.Tx, by store.Actor) error {
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(use) + failed, ObjectKind: "user", ObjectID: u.ID.String()})
	})
	if err != nil {
		return err
	}
	return fault.New(fault.KindInvalid, CodePasswordWrong).At("current")
}

// endOthers ends all sessions of the actor but the one that acts.
func endOthers(ctx context.Context, tx *store.Tx, a Actor, id store.UserID) error {
	this, err := optional[store.SessionID]("session", a.SessionID)
	if err != nil {
		return err
	}
	_, err = tx.EndSessions(ctx, id, this)
	return err
}

// dropLinks makes the links worthless by which a person could still come in.
func dropLinks(ctx context.Context, tx *store.Tx, id store.UserID) error {
	for _, p := range []store.Purpose{store.PurposePassword, store.PurposeSignIn} {
		if err := tx.DropOneTimeTokens(ctx, p, id); err != nil {
			return err
		}
	}
	return nil
}

// ChangePassword changes the actor's own password; their other sessions and the
// links that were made for them end.
// Faults: people_only, user_of_other_origin, password_wrong,
// password_too_short, password_too_long, too_many_attempts.
func (c *Console) ChangePassword(ctx context.Context, a Actor, current, next string) error {
	u, err := c.oneself(ctx, a, UseChangePassword)
	if err != nil {
		return err
	}
	if u.Origin != store.OriginLocal {
		return errOrigin(&u)
	}
	if err := fault.All(c.recheck(ctx, a, UseChangePassword, &u, current), checkPassword(next)); err != nil {
		return err
	}
	hash, err := c.passwords.Hash(ctx, next)
	if err != nil {
		return err
	}
	return c.change(ctx, a, UseChangePassword, func(tx *store.Tx, by store.Actor) error {
		if _, err := tx.SetPassword(ctx, u.ID, hash); err != nil {
			return err
		}
		if err := dropLinks(ctx, tx, u.ID); err != nil {
			return err
		}
		if err := endOthers(ctx, tx, a, u.ID); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseChangePassword), ObjectKind: "user", ObjectID: u.ID.String()})
	})
}

// passwordLinkLifetime is how long a link to choose a password is good for.
const passwordLinkLifetime = 3 * 24 * time.Hour

// CreatePasswordLink makes a link by which a person chooses a password (admin):
// a new one, or one who forgot it. Earlier ones stop working.
// Faults: user_not_found, not_oneself, user_of_other_origin.
func (c *Console) CreatePasswordLink(ctx context.Context, a Actor, id string) (SignInLink, error) {
	var link SignInLink
	err := c.change(ctx, a, UseCreatePasswordLink, func(tx *store.Tx, by store.Actor) error {
		u, err := findUser(ctx, tx.Reader, a, id)
		if err != nil {
			return err
		}
		if u.ID.String() == a.UserID { // would do without the password that ChangePassword asks for
			return fault.New(fault.KindConflict, CodeOneself)
		}
		if u.Origin != store.OriginLocal {
			return errOrigin(&u)
		}
		if err := tx.DropOneTimeTokens(ctx, store.PurposePassword, u.ID); err != nil {
			return err
		}
		secret, token, err := tx.CreateOneTimeToken(ctx, store.NewOneTimeToken{
			Purpose: store.PurposePassword, UserID: u.ID, Lifetime: passwordLinkLifetime, By: by,
		})
		if err != nil {
			return err
		}
		link = SignInLink{Secret: secret, Login: u.Login, ExpiresAt: token.ExpiresAt}
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseCreatePasswordLink), ObjectKind: "user", ObjectID: u.ID.String()})
	})
	return link, err
}

// ChoosePassword spends a link of CreatePasswordLink: the person has the new
// password, all their sessions and other links end, and they are signed in, or asked for the
// second factor. A password that is refused leaves the link unspent.
// Faults: token_invalid, password_too_short, password_too_long, too_many_attempts.
func (c *Console) ChoosePassword(ctx context.Context, a Actor, secret, password string) (SignedIn, error) {
	if err := allow(a, UseChoosePassword); err != nil {
		return SignedIn{}, err
	}
	if err := c.attemptFrom(a); err != nil {
		return SignedIn{}, err
	}
	if err := checkPassword(password); err != nil {
		return SignedIn{}, err
	}
	hash, err := c.passwords.Hash(ctx, password)
	if err != nil {
		return SignedIn{}, err
	}
	var u store.User
	var out SignedIn
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		if u, err = useLink(ctx, tx, store.PurposePassword, secret); err != nil {
			return err
		}
		if u, err = tx.SetPassword(ctx, u.ID, hash); err != nil {
			return err
		}
		if err := dropLinks(ctx, tx, u.ID); err != nil {
			return err
		}
		if _, err := tx.EndSessions(ctx, u.ID, store.SessionID{}); err != nil {
			return err
		}
		err := tx.Audit(ctx, store.NewAudit{
			By: a.as(store.UserActor(u.ID)), Action: string(UseChoosePassword), ObjectKind: "user", ObjectID: u.ID.String(),
		})
		if err != nil {
			return err
		}
		if u.TOTPAt != nil {
			out = SignedIn{User: userOf(u), CodeNeeded: true, Method: MethodLink}
			return nil
		}
		out, err = c.enter(ctx, tx, a, UseSignIn, u, MethodLink)
		return err
	})
	if f := fault.From(err); f != nil && f.Kind == fault.KindUnauthenticated {
		return SignedIn{}, c.signInFailed(ctx, a, UseChoosePassword, u, f)
	}
	return out, err
}

// ListSessions lists where somebody is signed in, seen last first: oneself, or
// anyone for an admin who has their sites. Faults: user_not_found.
func (c *Console) ListSessions(ctx context.Context, a Actor, userID string) ([]Session, error) {
	u, err := c.sessionsOf(ctx, c.store.Reader, a, UseListSessions, userID)
	if err != nil {
		return nil, err
	}
	good, err := c.goodSessions(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.Sessions(ctx, u.ID, good)
	out := make([]Session, 0, len(rows))
	for _, s := range rows {
		out = append(out, Session{
			ID: s.ID.String(), Method: s.Method, Address: s.Address, Agent: s.Agent,
			CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, Current: s.ID.String() == a.SessionID,
		})
	}
	return out, err
}

// EndSession signs somebody out in one browser: oneself, or anyone for an admin
// who has their sites. Faults: user_not_found, session_not_found.
func (c *Console) EndSession(ctx context.Context, a Actor, userID, sessionID string) error {
	id, err := parse[store.SessionID]("session", sessionID)
	if err != nil {
		return err
	}
	return c.change(ctx, a, UseEndSession, func(tx *store.Tx, by store.Actor) error {
		u, err := c.sessionsOf(ctx, tx.Reader, a, UseEndSession, userID)
		if err != nil {
			return err
		}
		if err := tx.EndSession(ctx, u.ID, id); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseEndSession), ObjectKind: "user", ObjectID: u.ID.String(),
			Before: map[string]any{"session": sessionID},
		})
	})
}

// EndSessions signs somebody out in every browser but the one that asks.
// Faults: user_not_found.
func (c *Console) EndSessions(ctx context.Context, a Actor, userID string) error {
	return c.change(ctx, a, UseEndSession, func(tx *store.Tx, by store.Actor) error {
		u, err := c.sessionsOf(ctx, tx.Reader, a, UseEndSession, userID)
		if err != nil {
			return err
		}
		this, err := optional[store.SessionID]("session", a.SessionID)
		if err != nil {
			return err
		}
		n, err := tx.EndSessions(ctx, u.ID, this)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseEndSession), ObjectKind: "user", ObjectID: u.ID.String(),
			Before: map[string]any{"sessions": n},
		})
	})
}

// SignOut ends the session that asks and returns how it had begun. One that is
// over already is no fault.
func (c *Console) SignOut(ctx context.Context, a Actor) (method string, err error) {
	if a.SessionID == "" {
		return "", nil
	}
	id, err := parse[store.SessionID]("session", a.SessionID)
	if err == nil {
		var s store.Session
		var good store.SessionTimes
		if good, err = c.goodSessions(ctx); err == nil {
			s, err = c.store.Session(ctx, id, good)
		}
		method = s.Method
	}
	if err == nil {
		err = c.EndSession(ctx, a, a.UserID, a.SessionID)
	}
	if isNotFound(err, "session") {
		return "", nil
	}
	return method, err
}

// sessionsOf finds whose sessions are meant.
func (c *Console) sessionsOf(ctx context.Context, r store.Reader, a Actor, use UseCase, userID string) (store.User, error) {
	if err := allow(a, use); err != nil {
		return store.User{}, err
	}
	if userID != a.UserID {
		if err := allow(a, UseUpdateUser); err != nil {
			return store.User{}, err
		}
	}
	if a.Kind != ActorUser && a.Kind != ActorSystem && userID == a.UserID {
		return store.User{}, fault.New(fault.KindForbidden, CodePeopleOnly)
	}
	return findUser(ctx, r, a, userID)
}

func errOrigin(u *store.User) error {
	return fault.New(fault.KindConflict, CodeOtherOrigin, "kind", u.Origin)
}
