package wire

import "github.com/stickpress/stickpress/api"

// AccessExtension is where an operation of the OpenAPI document has its Access.
const AccessExtension = "x-access"

// Access says whom an operation is for.
type Access struct {
	Needs
	// Besides is what some of its requests need as well.
	Besides *Needs `json:"besides,omitempty"`
}

// Needs are what is asked of whoever has something done.
type Needs struct {
	Role     string        `json:"role"`      // the least one; empty: something else than a role decides
	Sites    string        `json:"sites"`     // an api.Scope
	Scopes   []string      `json:"scopes"`    // of a token that is made for scopes
	UseCases []api.UseCase `json:"use_cases"` // as the audit log names them
}
