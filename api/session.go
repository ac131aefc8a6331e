package api

import (
	"context"
	"errors"
	"time"

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

const setupLifetime = 24 * time.Hour

// SetupNeeded reports whether there is nobody yet: the pages then lead to Setup.
func (c *Console) SetupNeeded(ctx context.Context) (bool, error) {
	done, err := c.store.SetupDone(ctx)
	return !done, err
}

// setupIsDone refuses other ways in before the first admin is there.
func (c *Console) setupIsDone(ctx context.Context) error {
	needed, err := c.SetupNeeded(ctx)
	if err == nil && needed {
		err = errSetupNeeded()
	}
	return err
}

func errSetupNeeded() error { return fault.New(fault.KindConflict, CodeSetupNeeded) }

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

// Setup exchanges the setup token for the first admin, who is signed in then.
// Faults: token_invalid, setup_done, login_invalid, password_too_short,
// too_many_attempts.
func (c *Console) Setup(ctx context.Context, a Actor, in SetupInput) (SignedIn, error) {
	if err := allow(a, UseSetup); err != nil {
		return SignedIn{}, err
	}
	if err := c.attemptFrom(a); err != nil {
		return SignedIn{}, err
	}
	fields, err := c.firstUser(ctx, CreateUserInput{Login: in.Login, Name: in.Name, Role: RoleAdmin, Password: in.Password, Locale: a.Locale})
	if err != nil {
		return SignedIn{}, err
	}
	var out SignedIn
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		if _, err := tx.UseOneTimeToken(ctx, store.PurposeSetup, in.Token); err != nil {
			return err
		}
		u, err := tx.CreateFirstUser(ctx, fields)
		if err != nil {
			return err
		}
		err = tx.Audit(ctx, store.NewAudit{
			By: a.as(store.UserActor(u.ID)), Action: string(UseSetup), ObjectKind: "user", ObjectID: u.ID.String(), After: userOf(u),
		})
		if err != nil {
			return err
		}
		out, err = c.enter(ctx, tx, a, UseSignIn, u, MethodSetup)
		return err
	})
	return out, err
}

// firstUser is the first admin, who needs a password: nobody else can make a link.
func (c *Console) firstUser(ctx context.Context, in CreateUserInput) (store.UserFields, error) {
	f, wrong := cleanUser(&in)
	err := fault.All(wrong, checkPassword(in.Password))
	if err == nil {
		f.PasswordHash, err = c.passwords.Hash(ctx, in.Password)
	}
	return f, err
}

// SignedIn is what an attempt to sign in came to.
type SignedIn struct {
	User User
	// SessionID is the session that was opened; it is empty while CodeNeeded,
	// and SignInCode is what comes next.
	SessionID  string
	CodeNeeded bool
	// Method is how the first step was taken, for SignInCode.
	Method string
}

// Ways in, as sessions have them.
const (
	MethodSetup    = "setup"
	MethodPassword = "password"
	MethodLink     = "link"
	MethodOIDC     = "oidc"
	MethodLDAP     = "ldap"
)

// SignIn checks a password, here or at the directory. What is refused takes as
// long for a login that nobody has, for one of the console's own and for one of
// the directory's, and while that is away all of them hear so; a right password
// of the console's own does not depend on it. Faults: sign_in_failed,
// too_many_attempts (retry_seconds), directory_unavailable, no_role, setup_needed.
func (c *Console) SignIn(ctx context.Context, a Actor, in SignInInput) (SignedIn, error) {
	if err := allow(a, UseSignIn); err != nil {
		return SignedIn{}, err
	}
	if !loginForm.MatchString(in.Login) { // nobody has it, and a directory may read more out of it than we count
		return SignedIn{}, c.signInNobody(ctx, a, in.Password)
	}
	if err := c.setupIsDone(ctx); err != nil {
		return SignedIn{}, err
	}
	counted, err := c.passwordTries(ctx, a, ofLogin, in.Login)
	if err == nil {
		err = c.attempt(ctx, a, counted)
	}
	if err != nil {
		return SignedIn{}, err
	}
	u, err := c.store.UserByLogin(ctx, in.Login)
	if err != nil && !isNotFound(err, "user") {
		return SignedIn{}, err
	}
	ok, err := c.passwords.Check(ctx, u.PasswordHash, in.Password)
	if err != nil {
		return SignedIn{}, err
	}
	if c.directory != nil && u.Origin != store.OriginLocal {
		known, more, err := c.directoryPassword(ctx, a, in.Login, in.Password)
		if err != nil {
			return SignedIn{}, c.externalRefused(ctx, a, UseSignIn, u, err)
		}
		return c.firstFactor(ctx, a, UseSignIn, known, MethodLDAP, append(counted, more...))
	}
	if !ok || u.DisabledAt != nil {
		if c.directory != nil && in.Password != "" {
			if err := c.directory.Directory.Pretend(ctx, in.Login); err != nil {
				return SignedIn{}, c.directoryRefused(ctx, err)
			}
		}
		return SignedIn{}, c.signInFailed(ctx, a, UseSignIn, u, errSignIn())
	}
	return c.firstFactor(ctx, a, UseSignIn, u, MethodPassword, counted)
}

// signInNobody refuses what is no login, after as long as for one.
func (c *Console) signInNobody(ctx context.Context, a Actor, password string) error {
	if err := c.attemptFrom(a); err != nil {
		return err
	}
	if _, err := c.passwords.Check(ctx, "", password); err != nil {
		return err
	}
	return c.signInFailed(ctx, a, UseSignIn, store.User{}, errSignIn())
}

func errSignIn() *fault.Error { return fault.New(fault.KindUnauthenticated, CodeSignInFailed) }

// SignInCode ends what SignIn, a link or a new password began, with a code of
// the telephone or a recovery code. The door vouches that the first step was
// taken, by the same browser and a few minutes ago.
// Faults: code_wrong, too_many_attempts, signed_out.
func (c *Console) SignInCode(ctx context.Context, a Actor, userID, method, code string) (SignedIn, error) {
	if err := allow(a, UseSignInCode); err != nil {
		return SignedIn{}, err
	}
	id, err := store.ParseID[store.UserID](userID)
	if err != nil {
		return SignedIn{}, fault.Wrap(err, fault.KindUnauthenticated, CodeSignedOut)
	}
	u, err := c.store.User(ctx, id)
	if err != nil || u.ShutOut() {
		return SignedIn{}, fault.Wrap(err, fault.KindUnauthenticated, CodeSignedOut)
	}
	counted, err := c.personTries(ctx, ofFactor, u.ID)
	if err == nil {
		err = c.attempt(ctx, a, counted)
	}
	if err != nil {
		return SignedIn{}, err
	}
	var out SignedIn
	wrong := fault.New(fault.KindUnauthenticated, CodeCodeWrong).At("code")
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		if err := c.useCode(ctx, tx, u.ID, code); err != nil {
			return err
		}
		if err := tx.ForgetAttempts(ctx, counted...); err != nil {
			return err
		}
		out, err = c.enter(ctx, tx, a, UseSignIn, u, method)
		return err
	})
	if errors.Is(err, wrong) {
		return SignedIn{}, c.signInFailed(ctx, a, UseSignInCode, u, wrong)
	}
	return out, err
}

// firstFactor lets a person in whose password was right, or asks for the second
// factor. The passwords that were counted until then are forgotten either way:
// codes have a count of their own.
func (c *Console) firstFactor(ctx context.Context, a Actor, use UseCase, u store.User, method string, counted tries) (SignedIn, error) {
	if u.TOTPAt != nil {
		if err := c.forget(ctx, counted); err != nil {
			return SignedIn{}, err
		}
		return SignedIn{User: userOf(u), CodeNeeded: true, Method: method}, nil
	}
	var out SignedIn
	err := c.store.InTx(ctx, func(tx *store.Tx) (err error) {
		if err := tx.ForgetAttempts(ctx, counted...); err != nil {
			return err
		}
		out, err = c.enter(ctx, tx, a, use, u, method)
		return err
	})
	return out, err
}

// enter opens a session and says so in the audit log.
func (c *Console) enter(ctx context.Context, tx *store.Tx, a Actor, use UseCase, u store.User, method string) (SignedIn, error) {
	counted, err := c.passwordTries(ctx, a, ofLogin, u.Login) // who came by a link may have tried before
	if err != nil {
		return SignedIn{}, err
	}
	if err := tx.ForgetAttempts(ctx, counted...); err != nil {
		return SignedIn{}, err
	}
	lifetime, err := c.sessionLifetime(ctx)
	if err != nil {
		return SignedIn{}, err
	}
	s, err := tx.CreateSession(ctx, store.NewSession{
		UserID: u.ID, Method: method, Address: a.Address, Agent: a.Agent, Lifetime: lifetime,
	})
	if err != nil {
		return SignedIn{}, err
	}
	return SignedIn{User: userOf(u), SessionID: s.ID.String(), Method: method}, tx.Audit(ctx, store.NewAudit{
		By: a.as(store.UserActor(u.ID)), Action: string(use), ObjectKind: "user", ObjectID: u.ID.String(),
		After: map[string]any{"method": method},
	})
}

// ActorForSession returns the person of a session as an actor, with the
// request's locale, ID, address and browser taken from base. Session, person,
// role and sites are read anew each time, so that a change holds at once.
// Faults: signed_out (the session is over, the person gone or disabled).
func (c *Console) ActorForSession(ctx context.Context, base Actor, sessionID string) (Actor, error) {
	id, err := store.ParseID[store.SessionID](sessionID)
	if err != nil {
		return Actor{}, fault.Wrap(err, fault.KindUnauthenticated, CodeSignedOut)
	}
	good, err := c.goodSessions(ctx)
	if err != nil {
		return Actor{}, err
	}
	now := good.Now
	s, err := c.store.Session(ctx, id, good)
	if isNotFound(err, "session") {
		return Actor{}, fault.Wrap(err, fault.KindUnauthenticated, CodeSignedOut)
	}
	if err != nil {
		return Actor{}, err
	}
	a, err := c.ActorForUser(ctx, base, s.UserID.String())
	if err != nil {
		return Actor{}, err
	}
	if now.Sub(s.LastSeenAt) >= time.Minute || s.Address != a.Address {
		if err := c.store.TouchSession(ctx, id, a.Address); err != nil {
			c.log.WarnContext(ctx, "use of a session not recorded", "session_id", sessionID, "error", err)
		}
	}
	a.SessionID = sessionID
	return a, nil
}

// ActorForUser returns a signed-in person as an actor, with the request's
// locale, ID and address taken from base. The role is read anew each time, so
// that a change holds at once. Faults: signed_out (gone, disabled, or out of
// every group that gives a role).
func (c *Console) ActorForUser(ctx context.Context, base Actor, userID string) (Actor, error) {
	id, err := store.ParseID[store.UserID](userID)
	if err != nil {
		return Actor{}, fault.Wrap(err, fault.KindUnauthenticated, CodeSignedOut)
	}
	u, err := c.store.User(ctx, id)
	if errors.Is(err, store.NotFound("user", "")) || err == nil && u.ShutOut() {
		return Actor{}, fault.Wrap(err, fault.KindUnauthenticated, CodeSignedOut)
	}
	if err != nil {
		return Actor{}, err
	}
	base.Kind, base.UserID, base.Name, base.Role, base.Sites = ActorUser, u.ID.String(), u.Login, u.Role, siteTexts(u.Sites)
	if u.Locale != "" {
		base.Locale = u.Locale
	}
	return base, nil
}

// ActorForToken returns the actor of a bearer token. Its role is the lesser of
// the token's and its owner's, its sites are those of both; a token that has
// none left is good for nothing. Faults: token_invalid, token_rate (retry_seconds).
func (c *Console) ActorForToken(ctx context.Context, base Actor, secret string) (Actor, error) {
	t, u, err := c.store.APITokenBySecret(ctx, secret, c.now())
	if err != nil {
		return Actor{}, err
	}
	if err := c.takeToken(ctx, t.ID.String()); err != nil {
		return Actor{}, err
	}
	if err := c.store.TouchAPIToken(ctx, &t); err != nil {
		c.log.WarnContext(ctx, "use of a token not recorded", "token_id", t.ID.String(), "error", err)
	}
	return tokenActor(base, &t, &u)
}

func tokenActor(base Actor, t *store.APIToken, u *store.User) (Actor, error) {
	base.Kind, base.UserID, base.TokenID, base.Name = ActorToken, u.ID.String(), t.ID.String(), t.Name
	base.Role = store.Least(t.Role, u.Role)
	base.Scopes = tokenScopesOf(t.Scopes)
	var ok bool
	if base.Sites, ok = common(siteTexts(t.Sites), siteTexts(u.Sites)); !ok {
		return Actor{}, fault.New(fault.KindUnauthenticated, store.CodeTokenInvalid)
	}
	return base, nil
}
