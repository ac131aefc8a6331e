package view

import (
	"slices"
	"strings"

	"github.com/stickpress/stickpress/api"
)

// AccountPage is what somebody's own page shows.
type AccountPage struct {
	User     api.User
	Sites    []api.Site // that the person has
	Factor   api.SecondFactor
	Sessions []api.Session
	Tokens   api.List[api.Token]
	Made     *api.NewToken
	Form     TokenForm
	Problem  Problem
	Part     string // the form that Problem is about
}

// TokenForm is what was typed of a new token.
type TokenForm struct {
	Name   string
	Role   api.Role
	Days   string
	Sites  []string
	Scopes []api.TokenScope
}

// scopeWord is the last part of the key of a scope's sentence.
func scopeWord(s api.TokenScope) string {
	word, _, _ := strings.Cut(string(s), ":")
	return word
}

// of is the problem of one of the page's forms.
func (p AccountPage) of(part string) Problem {
	if p.Part == part {
		return p.Problem
	}
	return Problem{}
}

// siteNames are the names of sites by ID, "every site" without any. A site
// that the reader does not have is counted, not named.
func siteNames(f Frame, sites []api.Site, ids []string) string {
	if len(ids) == 0 {
		return f.T("site.every")
	}
	var names []string
	others := 0
	for _, id := range ids {
		i := slices.IndexFunc(sites, func(s api.Site) bool { return s.ID == id })
		if i < 0 {
			others++
			continue
		}
		names = append(names, sites[i].Name)
	}
	if others > 0 {
		names = append(names, f.L.N("site.others", others))
	}
	return strings.Join(names, ", ")
}

// browserName is what a browser and its system are called, as far as the
// browser says so.
func browserName(f Frame, agent string) string {
	name, system := "", ""
	for _, b := range []struct{ mark, name string }{ // the later ones also name the earlier ones
		{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
	} {
		if strings.Contains(agent, b.mark) {
			name = b.name
			break
		}
	}
	for _, s := range []struct{ mark, name string }{
		{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Mac OS", "macOS"}, {"Linux", "Linux"},
	} {
		if strings.Contains(agent, s.mark) {
			system = s.name
			break
		}
	}
	switch {
	case name == "":
		return f.T("session.browser_unknown")
	case system == "":
		return name
	}
	return name + " · " + system
}
