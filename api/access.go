package api

import "github.com/stickpress/stickpress/store"

// Access is what use cases ask of whoever wants them all, as permissions, scopes
// and tokenScopes say.
type Access struct {
	Role   Role         // the least one; RoleNone: no role, but a secret of another kind
	Sites  Scope        // the strictest one
	Tokens []TokenScope // what a token made for scopes must be for; none: a token decides nothing
}

// AccessTo returns what some use cases ask for. None ask for any actor who has
// signed in.
func AccessTo(uses ...UseCase) Access {
	a := Access{Role: store.RoleViewer, Sites: ScopeSelf, Tokens: []TokenScope{}}
	if len(uses) == 1 {
		a.Role = permissions[uses[0]]
	}
	need := map[TokenScope]bool{}
	for _, u := range uses {
		if least := permissions[u]; least.Includes(a.Role) {
			a.Role = least
		}
		a.Sites = max(a.Sites, scopes[u])
		need[tokenScopeOf(u)] = true
	}
	if len(need) > 1 {
		delete(need, TokenRead) // each other one includes it
	}
	for _, s := range TokenScopes {
		if need[s] {
			a.Tokens = append(a.Tokens, s)
		}
	}
	return a
}

// String implements fmt.Stringer.
func (s Scope) String() string {
	switch s {
	case ScopeSelf:
		return "self"
	case ScopeShared:
		return "shared"
	case ScopeSite:
		return "site"
	case ScopeEvery:
		return "every"
	}
	return ""
}
