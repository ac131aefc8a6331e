package api

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// SetupInput makes the first admin.
type SetupInput struct {
	Token    string // printed by serve, single use
	Login    string // 1 to 64 of letters, digits and . _ @ -
	Name     string // as shown; the login if empty
	Password string // at least MinPassword characters
}

// SignInInput is a login with its password.
type SignInInput struct {
	Login    string
	Password string
}

// SignInLinkInput asks for a link that signs a person in once.
type SignInLinkInput struct {
	Login string        // whom it signs in
	TTL   time.Duration // 0 means 15 minutes; at most 24 hours
}

// SignInLink is a one-time way in. The secret is shown only here.
type SignInLink struct {
	Secret    string    `json:"secret"`
	Login     string    `json:"login"`
	ExpiresAt time.Time `json:"expires_at"`
}

const (
	setupLifetime      = 24 * time.Hour
	signInLinkLifetime = 15 * time.Minute
	signInLinkLongest  = 24 * time.Hour
)

// SetupNeeded reports whether there is nobody yet: the pages then lead to Setup.
func (c *Console) SetupNeeded(ctx context.Context) (bool, error) {
	done, err := c.store.SetupDone(ctx)
	return !done, err
}

// SetupToken makes a single-use token for the first run, good for a day, or
// reports needed=false when there is somebody already.
func (c *Console) SetupToken(ctx context.Context) (token string, needed bool, err error) {
	if needed, err = c.SetupNeeded(ctx); err != nil || !needed {
		return "", false, err
	}
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		token, _, err = tx.CreateOneTimeToken(ctx, store.NewOneTimeToken{
			Purpose: store.PurposeSetup, Lifetime: setupLifetime, By: store.System,
		})
		return err
	})
	return token, true, err
}

// Setup exchanges the setup token for the first admin.
// Faults: token_invalid, setup_done, login_invalid, password_too_short,
// too_many_attempts.
func (c *Console) Setup(ctx context.Context, a Actor, in SetupInput) (User, error) {
	if err := allow(a, UseSetup); err != nil {
		return User{}, err
	}
	if err := c.attempt(a, ""); err != nil {
		return User{}, err
	}
	fields, err := c.userFields(ctx, CreateUserInput{Login: in.Login, Name: in.Name, Role: RoleAdmin, Password: in.Password, Locale: a.Locale})
	if err != nil {
		return User{}, err
	}
	if fields.PasswordHash == "" {
		return User{}, errPasswordShort()
	}
	var u store.User
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		if _, err := tx.UseOneTimeToken(ctx, store.PurposeSetup, in.Token); err != nil {
			return err
		}
		if u, err = tx.CreateFirstUser(ctx, fields); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: a.as(store.UserActor(u.ID)), Action: string(UseSetup), ObjectKind: "user", ObjectID: u.ID.String(), After: userOf(u),
		})
	})
	return userOf(u), err
}

// SignIn checks a password. It takes the same time for an unknown login.
// Faults: sign_in_failed, too_many_attempts (retry_seconds).
func (c *Console) SignIn(ctx context.Context, a Actor, in SignInInput) (User, error) {
	if err := allow(a, UseSignIn); err != nil {
		return User{}, err
	}
	if err := c.attempt(a, in.Login); err != nil {
		return User{}, err
	}
	u, err := c.store.UserByLogin(ctx, in.Login)
	if err != nil && !errors.Is(err, store.NotFound("user", "")) {
		return User{}, err
	}
	ok, err := c.passwords.Check(ctx, u.PasswordHash, in.Password)
	if err != nil {
		return User{}, err
	}
	if !ok || u.DisabledAt != nil {
		return User{}, c.signInFailed(ctx, a, UseSignIn, u, fault.New(fault.KindUnauthenticated, CodeSignInFailed))
	}
	c.limits.signIn.forget(attemptKey(a, in.Login))
	return userOf(u), c.auditSignIn(ctx, a, UseSignIn, u.ID)
}

// CreateSignInLink makes a link for a person (admin or system).
// Faults: user_not_found.
func (c *Console) CreateSignInLink(ctx context.Context, a Actor, in SignInLinkInput) (SignInLink, error) {
	ttl := lifetime(in.TTL, signInLinkLifetime, signInLinkLongest)
	var link SignInLink
	err := c.change(ctx, a, UseCreateSignInLink, func(tx *store.Tx, by store.Actor) error {
		u, err := tx.UserByLogin(ctx, in.Login)
		if err != nil {
			return err
		}
		secret, token, err := tx.CreateOneTimeToken(ctx, store.NewOneTimeToken{
			Purpose: store.PurposeSignIn, UserID: u.ID, Lifetime: ttl, By: by,
		})
		if err != nil {
			return err
		}
		link = SignInLink{Secret: secret, Login: u.Login, ExpiresAt: token.ExpiresAt}
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseCreateSignInLink), ObjectKind: "user", ObjectID: u.ID.String()})
	})
	return link, err
}

// RedeemSignInLink signs the link's person in; a link works once.
// Faults: token_invalid, too_many_attempts.
func (c *Console) RedeemSignInLink(ctx context.Context, a Actor, secret string) (User, error) {
	if err := allow(a, UseRedeemSignInLink); err != nil {
		return User{}, err
	}
	if err := c.attempt(a, ""); err != nil {
		return User{}, err
	}
	var u store.User
	err := c.store.InTx(ctx, func(tx *store.Tx) error {
		token, err := tx.UseOneTimeToken(ctx, store.PurposeSignIn, secret)
		if err != nil {
			return err
		}
		if u, err = tx.User(ctx, token.UserID); err != nil {
			return err
		}
		if u.DisabledAt != nil {
			return fault.New(fault.KindUnauthenticated, store.CodeTokenInvalid)
		}
		return tx.Audit(ctx, store.NewAudit{
			By: a.as(store.UserActor(u.ID)), Action: string(UseRedeemSignInLink), ObjectKind: "user", ObjectID: u.ID.String(),
		})
	})
	if f := fault.From(err); f != nil && f.Kind == fault.KindUnauthenticated {
		return User{}, c.signInFailed(ctx, a, UseRedeemSignInLink, u, f)
	}
	if err != nil {
		return User{}, err
	}
	return userOf(u), nil
}

// ActorForUser returns a signed-in person as an actor, with the request's
// locale, ID and address taken from base. The role is read anew each time, so
// that a change holds at once. Faults: signed_out (gone or disabled).
func (c *Console) ActorForUser(ctx context.Context, base Actor, userID string) (Actor, error) {
	id, err := store.ParseID[store.UserID](userID)
	if err != nil {
		return Actor{}, fault.Wrap(err, fault.KindUnauthenticated, CodeSignedOut)
	}
	u, err := c.store.User(ctx, id)
	if errors.Is(err, store.NotFound("user", "")) || err == nil && u.DisabledAt != nil {
		return Actor{}, fault.Wrap(err, fault.KindUnauthenticated, CodeSignedOut)
	}
	if err != nil {
		return Actor{}, err
	}
	base.Kind, base.UserID, base.Name, base.Role = ActorUser, u.ID.String(), u.Login, u.Role
	if u.Locale != "" {
		base.Locale = u.Locale
	}
	return base, nil
}

// ActorForToken returns the actor of a bearer token. Its role is the lesser of
// the token's and its owner's. Faults: token_invalid.
func (c *Console) ActorForToken(ctx context.Context, base Actor, secret string) (Actor, error) {
	t, u, err := c.store.APITokenBySecret(ctx, secret, c.now())
	if err != nil {
		return Actor{}, err
	}
	if err := c.store.TouchAPIToken(ctx, t.ID); err != nil {
		c.log.WarnContext(ctx, "use of a token not recorded", "token_id", t.ID.String(), "error", err)
	}
	base.Kind, base.UserID, base.TokenID, base.Name = ActorToken, u.ID.String(), t.ID.String(), t.Name
	base.Role = store.Least(t.Role, u.Role)
	return base, nil
}

// attempt counts one try to get in, by address and by login.
func (c *Console) attempt(a Actor, login string) error {
	for _, try := range []struct {
		l   *limiter
		key string
	}{{c.limits.address, limiterAddress(a.Address)}, {c.limits.signIn, attemptKey(a, login)}} {
		if ok, wait := try.l.take(try.key); !ok {
			return fault.New(fault.KindTooMany, CodeTooManyAttempts, "retry_seconds", int(wait/time.Second)+1)
		}
	}
	return nil
}

// attemptKey has the address in it, so that nobody can lock another one out.
func attemptKey(a Actor, login string) string {
	return limiterAddress(a.Address) + " " + strings.ToLower(login)
}

func (c *Console) auditSignIn(ctx context.Context, a Actor, u UseCase, id store.UserID) error {
	return c.store.InTx(ctx, func(tx *store.Tx) error {
		return tx.Audit(ctx, store.NewAudit{
			By: a.as(store.UserActor(id)), Action: string(u), ObjectKind: "user", ObjectID: id.String(),
		})
	})
}

// signInFailed puts a refused sign-in into the audit log and returns the
// refusal. Of whom it names a login only where that is somebody's: anything
// else may be a password in the wrong field, and the log cannot be erased. The
// limits on attempts bound how much a stranger can write.
func (c *Console) signInFailed(ctx context.Context, a Actor, u UseCase, of store.User, refusal *fault.Error) error {
	row := store.NewAudit{By: a.as(store.Anonymous), Action: string(u) + "_failed", ObjectKind: "user"}
	if !of.ID.IsZero() {
		row.ObjectID, row.After = of.ID.String(), map[string]any{"login": of.Login}
	}
	if err := c.store.InTx(ctx, func(tx *store.Tx) error { return tx.Audit(ctx, row) }); err != nil {
		return err
	}
	return refusal
}

// lifetime brings a wanted duration into bounds.
func lifetime(want, usual, longest time.Duration) time.Duration {
	if want <= 0 {
		return usual
	}
	return min(want, longest)
}

func errPasswordShort() error {
	return fault.New(fault.KindInvalid, CodePasswordTooShort, "min", MinPassword).At("password")
}

// hashPassword checks a new password's length and hashes it; none is none.
func (c *Console) hashPassword(ctx context.Context, password string) (string, error) {
	switch n := utf8.RuneCountInString(password); {
	case n == 0:
		return "", nil
	case n < MinPassword:
		return "", errPasswordShort()
	case len(password) > maxPassword:
		return "", fault.New(fault.KindInvalid, CodePasswordTooLong, "max", maxPassword).At("password")
	}
	return c.passwords.Hash(ctx, password)
}
