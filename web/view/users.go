package view

import (
	"time"

	"github.com/stickpress/stickpress/api"
)

// UserPage is one person, as an admin sees them.
type UserPage struct {
	User     api.User
	Sites    []api.Site // that the admin has
	Sessions []api.Session
	History  []api.HistoryEntry
	Link     string // a one-time link that was just made
	LinkEnds time.Time
	Form     UserForm
	Problem  Problem
	Part     string
}

// UserForm is what was typed.
type UserForm struct {
	Login, Name string
	Role        api.Role
	Sites       []string
	Everywhere  bool
}

func (p UserPage) of(part string) Problem {
	if p.Part == part {
		return p.Problem
	}
	return Problem{}
}

// userStates are what is to be said about a person.
func userStates(u api.User) []string {
	var out []string
	if u.Disabled {
		out = append(out, "disabled")
	}
	if u.NoRoleAt != nil {
		out = append(out, "no_role")
	}
	if u.LockedUntil != nil {
		out = append(out, "locked")
	}
	if len(out) == 0 {
		out = append(out, "active")
	}
	return out
}
