package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/store"
)

// Grant gives the people of a group a role, at some sites.
type Grant struct {
	Group string   // its name, or its DN; "*" is everybody
	Role  Role     //
	Sites []string // names; none means every site
}

// ParseGrants reads what an operator writes: "GROUP=ROLE[@SITE[,SITE…]]",
// separated by ";". A group may be a DN with "=" in it: the last one counts.
func ParseGrants(text string) ([]Grant, error) {
	var out []Grant
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		at := strings.LastIndex(part, "=")
		if at <= 0 {
			return nil, fmt.Errorf("%q: want GROUP=ROLE or GROUP=ROLE@SITE,SITE", part)
		}
		role, sites, limited := strings.Cut(part[at+1:], "@")
		g := Grant{Group: strings.TrimSpace(part[:at]), Role: Role(strings.TrimSpace(role))}
		if !slices.Contains(Roles, g.Role) {
			return nil, fmt.Errorf("%q: the role is viewer, helpdesk or admin", part)
		}
		for name := range strings.SplitSeq(sites, ",") {
			if name = strings.TrimSpace(name); name != "" {
				g.Sites = append(g.Sites, name)
			}
		}
		if limited && len(g.Sites) == 0 {
			return nil, fmt.Errorf("%q: name a site after the @", part)
		}
		out = append(out, g)
	}
	return out, nil
}

// granted is what groups give: the greatest role, at the sites of all grants
// that give it. A lesser role elsewhere is not added to it, so that nobody has
// more than some grant says. Sites that there are not give nothing.
func (c *Console) granted(ctx context.Context, r store.Reader, grants []Grant, groups []string) (Role, []store.SiteID, error) {
	role, everywhere, sites := RoleNone, false, []store.SiteID(nil)
	for _, g := range grants {
		if g.Group != "*" && !slices.ContainsFunc(groups, func(have string) bool { return strings.EqualFold(have, g.Group) }) {
			continue
		}
		if role != RoleNone && !g.Role.Includes(role) {
			continue
		}
		var at []store.SiteID
		for _, name := range g.Sites {
			s, err := r.SiteByName(ctx, name)
			if isNotFound(err, "site") {
				c.log.WarnContext(ctx, "a role mapping names a site that does not exist", "group", g.Group, "site", name)
				continue
			}
			if err != nil {
				return RoleNone, nil, err
			}
			at = append(at, s.ID)
		}
		if len(g.Sites) > 0 && len(at) == 0 {
			continue
		}
		if g.Role != role {
			role, everywhere, sites = g.Role, false, nil
		}
		everywhere = everywhere || len(g.Sites) == 0
		sites = append(sites, at...)
	}
	if everywhere {
		return role, nil, nil
	}
	slices.SortFunc(sites, func(a, b store.SiteID) int { return slices.Compare(a[:], b[:]) })
	return role, slices.Compact(sites), nil
}
