package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Token is a program's bearer token, without its secret.
type Token struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Role       Role         `json:"role"`
	Sites      []string     `json:"sites"`   // IDs; empty: its owner's
	Scopes     []TokenScope `json:"scopes"`  // empty: whatever its role allows
	UserID     string       `json:"user_id"` // its owner
	Login      string       `json:"login"`   // of the owner
	CreatedAt  time.Time    `json:"created_at"`
	ExpiresAt  *time.Time   `json:"expires_at,omitempty"`
	LastUsedAt *time.Time   `json:"last_used_at,omitempty"` // to the minute
	Expired    bool         `json:"-"`                      // in lists
	RevokedAt  *time.Time   `json:"revoked_at,omitempty"`
	Revision   int64        `json:"revision"`
}

// NewToken is a token with its secret, which is shown only once.
type NewToken struct {
	Token
	Secret string `json:"secret"`
}

// CreateTokenInput describes a new token.
type CreateTokenInput struct {
	Name   string
	Role   Role          // at most the owner's and the actor's own
	Sites  []string      // IDs of the owner's and the actor's; empty means all of them
	Scopes []TokenScope  // what it is for; empty means whatever the role allows, or what the actor's scopes do
	TTL    time.Duration // 0 means that it does not expire
	Login  string        // the owner; empty means the actor; others for an admin only
}

// CreateToken makes a bearer token. One that a token makes ends with it at the
// latest: when that expires, and when it is revoked.
// Faults: name_invalid, role_unknown, forbidden, user_not_found, site_not_found,
// lifetime_invalid, scope_unknown, scope_missing.
func (c *Console) CreateToken(ctx context.Context, a Actor, in CreateTokenInput) (NewToken, error) {
	var out NewToken
	err := c.change(ctx, a, UseCreateToken, func(tx *store.Tx, by store.Actor) (err error) {
		out, err = c.createToken(ctx, tx, a, by, in)
		return err
	})
	return out, err
}

// newTokenOf checks what can be said of a token without looking anything up.
func newTokenOf(a Actor, in CreateTokenInput) (store.NewAPIToken, error) {
	var ttl error
	if in.TTL < 0 {
		ttl = fault.New(fault.KindInvalid, CodeLifetime).At("ttl_seconds")
	}
	if len(in.Sites) == 0 {
		in.Sites = a.Sites // a token cannot make a wider one
	}
	name, wrongName := cleanName("token", in.Name)
	sites, wrongSites := siteIDs(in.Sites)
	scopes, wrongScopes := a.tokenScopesFor(in.Scopes)
	return store.NewAPIToken{Name: name, Role: in.Role, Sites: sites, Scopes: scopes, Lifetime: in.TTL},
		fault.All(wrongName, a.checkRole(UseCreateToken, in.Role), wrongSites, wrongScopes, ttl)
}

// createToken is CreateToken within a transaction.
func (c *Console) createToken(ctx context.Context, tx *store.Tx, a Actor, by store.Actor, in CreateTokenInput) (NewToken, error) {
	n, wrong := newTokenOf(a, in)
	owner, err := c.tokenOwner(ctx, tx, a, in.Login)
	if err == nil {
		err = checkTokenRole(&owner, in.Role)
	}
	if err := fault.All(wrong, err, checkTokenSites(ctx, tx.Reader, a, &owner, n.Sites)); err != nil {
		return NewToken{}, err
	}
	n.UserID = owner.ID
	if n.CreatedBy, err = optional[store.UserID]("user", a.UserID); err != nil {
		return NewToken{}, err
	}
	if n.ParentID, err = optional[store.TokenID]("token", a.TokenID); err != nil {
		return NewToken{}, err
	}
	secret, t, err := tx.CreateAPIToken(ctx, n)
	if err != nil {
		return NewToken{}, err
	}
	out := NewToken{Token: tokenOf(t, owner.Login), Secret: secret}
	return out, tx.Audit(ctx, store.NewAudit{
		By: by, Action: string(UseCreateToken), ObjectKind: "token", ObjectID: t.ID.String(), After: out.Token,
	})
}

// checkTokenRole refuses a role that the owner does not have.
func checkTokenRole(owner *store.User, role Role) error {
	if !owner.Role.Includes(role) {
		return fault.New(fault.KindForbidden, CodeForbidden, "action", UseCreateToken, "role", role).At("role")
	}
	return nil
}

// checkTokenSites refuses sites that the actor or the owner does not have.
func checkTokenSites(ctx context.Context, r store.Reader, a Actor, owner *store.User, sites []store.SiteID) error {
	for _, s := range sites {
		if !a.InSite(s.String()) || len(owner.Sites) > 0 && !slices.Contains(owner.Sites, s) {
			return store.NotFound("site", s).At("sites")
		}
	}
	_, err := knownSites(ctx, r, siteTexts(sites))
	return err
}

// tokenOwner is the actor's own user, or another one for an admin who has at
// least the same sites.
func (c *Console) tokenOwner(ctx context.Context, tx *store.Tx, a Actor, login string) (store.User, error) {
	if login == "" {
		id, err := parse[store.UserID]("user", a.UserID)
		if err != nil {
			return store.User{}, err
		}
		return tx.User(ctx, id)
	}
	if !strings.EqualFold(login, a.Name) || a.Kind != ActorUser {
		if err := allow(a, UseCreateUser); err != nil {
			return store.User{}, err
		}
	}
	u, err := findUserByLogin(ctx, tx.Reader, a, login)
	if isNotFound(err, "user") {
		err = fault.From(err).At("login")
	}
	return u, err
}

// TokenFilter narrows ListTokens; empty fields do not.
type TokenFilter struct {
	State  string // "active", "expired", "revoked"
	Role   string
	Owner  string // login
	Search string // what its name holds, whatever its case
	SiteID string // good at this site; or its name
}

// TokenFields are the fields of a TokenFilter.
var TokenFields = []Field[TokenFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "What its name holds, whatever its case."}, func(f *TokenFilter) *string { return &f.Search }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{StateActive, "expired", "revoked"}, Doc: "Whether it is good."}, func(f *TokenFilter) *string { return &f.State }},
	{FieldInfo{Name: "role", Kind: FieldChoice, Values: []string{string(RoleViewer), string(RoleHelpdesk), string(RoleAdmin)}, Doc: "Its role."}, func(f *TokenFilter) *string { return &f.Role }},
	{FieldInfo{Name: "owner", Kind: FieldThing, Doc: "Login of its owner; of others for admins only."}, func(f *TokenFilter) *string { return &f.Owner }},
	{FieldInfo{Name: "site", Kind: FieldThing, Object: "site", Doc: "Good at this site, by name or ID."}, func(f *TokenFilter) *string { return &f.SiteID }},
}

// ListTokens lists the actor's own tokens, or everyone's for an admin (of those
// who have no more sites), newest first. A token that is no admin's, or not for
// what admins do, sees itself and those that it made: others of its owner's may
// do more. Faults: those of FieldInfo.Check, user_not_found,
// site_not_found.
func (c *Console) ListTokens(ctx context.Context, a Actor, f TokenFilter, p Page) (List[Token], error) {
	if err := allow(a, UseListTokens); err != nil {
		return List[Token]{}, err
	}
	if err := checkFilter(TokenFields, &f); err != nil {
		return List[Token]{}, err
	}
	query := store.APITokenFilter{State: f.State, Role: store.Role(f.Role), Search: f.Search, At: c.store.Now()}
	var err error
	if query.Within, err = a.sites(); err != nil {
		return List[Token]{}, err
	}
	if query.Site, err = c.siteField(ctx, a, f.SiteID); err != nil {
		return List[Token]{}, err
	}
	if a.Limited() {
		if query.Self, err = parse[store.UserID]("user", a.UserID); err != nil {
			return List[Token]{}, err
		}
	}
	if !a.Can(UseListUsers) {
		query.UserID, err = parse[store.UserID]("user", a.UserID)
		if err == nil && a.Kind == ActorToken {
			query.Line, err = parse[store.TokenID]("token", a.TokenID)
		}
	} else {
		query.UserID, err = thing("owner", f.Owner, func(login string) (store.User, error) { return findUserByLogin(ctx, c.store.Reader, a, login) },
			func(u store.User) store.UserID { return u.ID })
	}
	if err != nil {
		return List[Token]{}, err
	}
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.TokenID](p); err != nil {
		return List[Token]{}, err
	}
	rows, err := c.store.APITokens(ctx, query)
	if err != nil {
		return List[Token]{}, err
	}
	n := c.names()
	return listOf(p, rows, func(t *store.APIToken) (Token, error) {
		login, err := n.user(ctx, t.UserID)
		out := tokenOf(*t, login)
		out.Expired = t.ExpiresAt != nil && !t.ExpiresAt.After(query.At)
		return out, err
	}, func(t store.APIToken) string { return t.ID.String() })
}

// GetToken returns a token that ListTokens shows. Faults: token_not_found.
func (c *Console) GetToken(ctx context.Context, a Actor, id string) (Token, error) {
	if err := allow(a, UseListTokens); err != nil {
		return Token{}, err
	}
	t, owner, err := findToken(ctx, c.store.Reader, a, id)
	if err != nil {
		return Token{}, err
	}
	out := tokenOf(t, owner.Login)
	out.Expired = t.ExpiresAt != nil && !t.ExpiresAt.After(c.store.Now())
	return out, nil
}

// findToken finds one's own token, or anybody's for an admin who has at least
// the owner's sites; a token finds those that ListTokens shows it.
func findToken(ctx context.Context, r store.Reader, a Actor, id string) (store.APIToken, store.User, error) {
	key, err := parse[store.TokenID]("token", id)
	if err != nil {
		return store.APIToken{}, store.User{}, err
	}
	t, err := r.APIToken(ctx, key)
	if err != nil {
		return t, store.User{}, err
	}
	owner, err := r.User(ctx, t.UserID)
	if err != nil {
		return t, owner, err
	}
	mine := t.UserID.String() == a.UserID
	switch {
	case !mine && (!a.Can(UseListUsers) || !a.within(siteTexts(owner.Sites))),
		mine && a.Kind == ActorToken && !a.Can(UseListUsers) && t.ID.String() != a.TokenID && t.ParentID.String() != a.TokenID:
		return t, owner, store.NotFound("token", id)
	}
	return t, owner, nil
}

// RevokeToken ends a token and those that it made at once: one that GetToken
// shows. Revoking it again changes nothing. Whatever a token was made for, it may
// end itself. Faults: token_not_found.
func (c *Console) RevokeToken(ctx context.Context, a Actor, id string) error {
	if a.Kind == ActorToken && id == a.TokenID {
		a.Scopes = nil
	}
	return c.change(ctx, a, UseRevokeToken, func(tx *store.Tx, by store.Actor) error {
		t, _, err := findToken(ctx, tx.Reader, a, id)
		if err != nil || t.RevokedAt != nil {
			return err
		}
		if _, err := tx.RevokeAPIToken(ctx, t.ID); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseRevokeToken), ObjectKind: "token", ObjectID: id})
	})
}

func tokenOf(t store.APIToken, login string) Token {
	return Token{
		ID: t.ID.String(), Name: t.Name, Role: t.Role, Sites: siteTexts(t.Sites), Scopes: tokenScopesOf(t.Scopes), UserID: t.UserID.String(), Login: login,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt, RevokedAt: t.RevokedAt, Revision: t.Revision,
	}
}

// lifetime brings a wanted duration into bounds.
func lifetime(want, usual, longest time.Duration) time.Duration {
	if want <= 0 {
		return usual
	}
	return min(want, longest)
}
