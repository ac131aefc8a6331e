package api

// Permissions, Scopes and those of tokens let the tests go through the whole tables.
var (
	Permissions  = permissions
	Scopes       = scopes
	TokenScopeOf = tokenScopeOf
	ChosenScopes = tokenScopes
)

// Refusals lets the tests compare the list with what was decided.
var Refusals = refusals

// Refusal is one of them.
type Refusal = refusal
