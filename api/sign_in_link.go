package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

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
	signInLinkLifetime = 15 * time.Minute
	signInLinkLongest  = 24 * time.Hour
)

// CreateSignInLink makes a link for a person (admin or system). A token for some
// of its owner's sites makes none for its owner, who would come in with all.
// Faults: user_not_found, not_oneself.
func (c *Console) CreateSignInLink(ctx context.Context, a Actor, in SignInLinkInput) (SignInLink, error) {
	ttl := lifetime(in.TTL, signInLinkLifetime, signInLinkLongest)
	var link SignInLink
	err := c.change(ctx, a, UseCreateSignInLink, func(tx *store.Tx, by store.Actor) error {
		u, err := findUserByLogin(ctx, tx.Reader, a, in.Login)
		if err != nil {
			return err
		}
		if !a.within(siteTexts(u.Sites)) {
			return fault.New(fault.KindConflict, CodeOneself)
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
func (c *Console) RedeemSignInLink(ctx context.Context, a Actor, secret string) (SignedIn, error) {
	if err := allow(a, UseRedeemSignInLink); err != nil {
		return SignedIn{}, err
	}
	if err := c.attemptFrom(a); err != nil {
		return SignedIn{}, err
	}
	var u store.User
	var out SignedIn
	err := c.store.InTx(ctx, func(tx *store.Tx) (err error) {
		if u, err = useLink(ctx, tx, store.PurposeSignIn, secret); err != nil {
			return err
		}
		if u.TOTPAt != nil {
			out = SignedIn{User: userOf(u), CodeNeeded: true, Method: MethodLink}
			return nil
		}
		out, err = c.enter(ctx, tx, a, UseRedeemSignInLink, u, MethodLink)
		return err
	})
	if f := fault.From(err); f != nil && f.Kind == fault.KindUnauthenticated {
		return SignedIn{}, c.signInFailed(ctx, a, UseRedeemSignInLink, u, f)
	}
	return out, err
}

// useLink spends a one-time link and finds whom it was made for.
func useLink(ctx context.Context, tx *store.Tx, purpose store.Purpose, secret string) (store.User, error) {
	token, err := tx.UseOneTimeToken(ctx, purpose, secret)
	if err != nil {
		return store.User{}, err
	}
	u, err := tx.User(ctx, token.UserID)
	if err == nil && u.ShutOut() {
		err = fault.New(fault.KindUnauthenticated, store.CodeTokenInvalid)
	}
	return u, err
}
