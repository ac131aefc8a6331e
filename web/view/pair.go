package view

import "github.com/stickpress/stickpress/api"

// PairForm is what was typed to answer a program that asks for a token.
type PairForm struct {
	Code   string
	Role   api.Role
	Days   string
	Scopes []api.TokenScope
}

// roleOptions are the roles that a token of somebody's may have.
func roleOptions(f Frame, most api.Role) (out []Option) {
	for _, role := range api.Roles {
		if most.Includes(role) {
			out = append(out, Option{Value: string(role), Label: f.T("role." + string(role))})
		}
	}
	return out
}
