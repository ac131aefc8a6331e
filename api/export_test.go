package api

// Permissions and Scopes let the tests go through the whole tables.
var (
	Permissions = permissions
	Scopes      = scopes
)

// Refusals lets the tests compare the list with what was decided.
var Refusals = refusals

// Refusal is one of them.
type Refusal = refusal
