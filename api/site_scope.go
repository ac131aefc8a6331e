package api

import (
	"context"
	"slices"
)

// SiteScope is who may do something at a site: people and tokens whose sites
// have it, and those that are limited to none.
type SiteScope struct {
	Users  List[User]
	Tokens List[Token]
}

// GetSiteScope lists who has a site (admin), at most MaxPage of each: to an admin
// of some sites those who have no others. Disabled people and tokens that are not
// good any more are left out. Faults: site_not_found.
func (c *Console) GetSiteScope(ctx context.Context, a Actor, site string) (SiteScope, error) {
	var out SiteScope
	x, err := c.GetSite(ctx, a, site)
	if err != nil {
		return out, err
	}
	page := Page{Limit: MaxPage}
	if out.Users, err = c.ListUsers(ctx, a, UserFilter{SiteID: x.ID}, page); err != nil {
		return out, err
	}
	out.Users.Items = slices.DeleteFunc(out.Users.Items, func(u User) bool { return u.Disabled || u.NoRoleAt != nil })
	out.Tokens, err = c.ListTokens(ctx, a, TokenFilter{State: StateActive, SiteID: x.ID}, page)
	return out, err
}
