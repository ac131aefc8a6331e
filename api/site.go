package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Site is a place with hosts.
type Site struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Default   bool       `json:"default"` // where hosts are enrolled that name no other
	Hosts     int        `json:"hosts"`   // enrolled
	Jobs      int        `json:"jobs"`    // not over
	CreatedAt time.Time  `json:"created_at"`
	RetiredAt *time.Time `json:"retired_at,omitempty"` // closed: no host may come to it
	Revision  int64      `json:"revision"`
}

// ListSites lists the sites of the actor's scope by name.
// Faults: those of FieldInfo.Check.
func (c *Console) ListSites(ctx context.Context, a Actor, f ShelfFilter, p Page) (List[Site], error) {
	if err := allow(a, UseListSites); err != nil {
		return List[Site]{}, err
	}
	shelf, err := f.shelf(p)
	if err != nil {
		return List[Site]{}, err
	}
	scope, err := a.sites()
	if err != nil {
		return List[Site]{}, err
	}
	rows, err := c.store.Sites(ctx, scope, shelf)
	if err != nil {
		return List[Site]{}, err
	}
	rows, l := cut[store.Site, Site](p, rows, func(s store.Site) string { return s.Name })
	l.Items, err = sitesOf(ctx, c.store.Reader, rows)
	return l, err
}

// GetSite returns a site by ID or name; an empty ref means the default one.
// Faults: site_not_found.
func (c *Console) GetSite(ctx context.Context, a Actor, ref string) (Site, error) {
	if err := allow(a, UseListSites); err != nil {
		return Site{}, err
	}
	s, err := findSite(ctx, c.store.Reader, a, ref)
	if err != nil {
		return Site{}, err
	}
	return siteOf(ctx, c.store.Reader, s)
}

// SaveSiteInput is a new site, or what changes of one.
type SaveSiteInput struct {
	ID       string // empty for a new one
	Name     string
	Default  bool  // make it the default one; the other way is to make another one so
	Revision int64 // as seen; 0 does not check
}

// SaveSite makes or changes a site (admin).
// Faults: site_not_found, site_closed, name_invalid, name_taken, stale.
func (c *Console) SaveSite(ctx context.Context, a Actor, in SaveSiteInput) (Site, error) {
	if err := allow(a, UseSaveSite); err != nil {
		return Site{}, err
	}
	name, err := cleanName("site", in.Name)
	if err != nil {
		return Site{}, err
	}
	var out Site
	err = c.change(ctx, a, UseSaveSite, func(tx *store.Tx, by store.Actor) error {
		var before any
		var s store.Site
		var err error
		if in.ID == "" {
			s, err = tx.CreateSite(ctx, name)
		} else if s, err = findSite(ctx, tx.Reader, a, in.ID); err == nil {
			before = siteChange(s)
			s, err = tx.RenameSite(ctx, s.ID, seen(in.Revision, s.Revision), name)
		}
		if err == nil && in.Default && !s.IsDefault {
			if _, err = tx.OpenSite(ctx, s.ID); err == nil {
				s, err = tx.MakeDefaultSite(ctx, s.ID, s.Revision)
			} else {
				err = fault.RenamedTo(err, "default")
			}
		}
		if err != nil {
			return err
		}
		if out, err = siteOf(ctx, tx.Reader, s); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveSite), ObjectKind: "site", ObjectID: out.ID, Before: before, After: siteChange(s),
		})
	})
	return out, err
}

func siteChange(s store.Site) map[string]any {
	return map[string]any{"name": s.Name, "default": s.IsDefault}
}

// RetireSite closes a site, or opens it again (admin). What happened there
// stays known. Faults: site_not_found, site_in_use (hosts, jobs),
// site_default, stale.
func (c *Console) RetireSite(ctx context.Context, a Actor, in RetireInput) (Site, error) {
	var out Site
	err := c.change(ctx, a, UseRetireSite, func(tx *store.Tx, by store.Actor) error {
		before, err := findSite(ctx, tx.Reader, a, in.ID)
		if err != nil {
			return err
		}
		s, err := tx.RetireSite(ctx, before.ID, seen(in.Revision, before.Revision), !in.Back)
		if err != nil {
			return err
		}
		if out, err = siteOf(ctx, tx.Reader, s); err != nil {
			return err
		}
		in.ID = out.ID
		return tx.Audit(ctx, in.audit(by, UseRetireSite, "site", before.RetiredAt != nil))
	})
	return out, err
}

// UpdateHostInput is what people may change of a host.
type UpdateHostInput struct {
	ID       string
	Name     string
	SiteID   string // or its name
	Revision int64  // as seen; 0 does not check
}

// UpdateHost renames a host or moves it to another site (admin). Jobs stay with
// the site at which they were queued.
// Faults: host_not_found, site_not_found, site_closed, name_invalid, name_taken, stale.
func (c *Console) UpdateHost(ctx context.Context, a Actor, in UpdateHostInput) (Host, error) {
	if err := allow(a, UseUpdateHost); err != nil {
		return Host{}, err
	}
	name, wrongName := cleanName("host", in.Name)
	site, wrongSite := c.siteField(ctx, a, in.SiteID)
	err := c.change(ctx, a, UseUpdateHost, func(tx *store.Tx, by store.Actor) error {
		before, err := findHost(ctx, tx.Reader, a, in.ID)
		if err != nil {
			return err
		}
		if wrongName == nil {
			other, err := tx.HostByName(ctx, name)
			wrongName = unused("host", err, other.ID == before.ID)
		}
		if err := fault.All(wrongName, wrongSite); err != nil {
			return err
		}
		if site.IsZero() {
			site = before.SiteID
		}
		in.ID = before.ID.String()
		after, err := tx.UpdateHost(ctx, before.ID, seen(in.Revision, before.Revision), name, site)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseUpdateHost), ObjectKind: "host", ObjectID: in.ID,
			Before: map[string]any{"name": before.Name, "site_id": before.SiteID}, After: map[string]any{"name": after.Name, "site_id": after.SiteID},
		})
	})
	if err != nil {
		return Host{}, err
	}
	return c.GetHost(ctx, a, in.ID)
}

// findSite takes an ID or a name; an empty ref means the default site. What
// lies outside the actor's scope is not there.
func findSite(ctx context.Context, r store.Reader, a Actor, ref string) (store.Site, error) {
	var s store.Site
	id, err := store.ParseID[store.SiteID](ref)
	switch {
	case err == nil:
		s, err = r.Site(ctx, id)
	case ref == "":
		s, err = r.TheDefaultSite(ctx)
	default:
		s, err = r.SiteByName(ctx, ref)
	}
	if err == nil && !a.InSite(s.ID.String()) {
		err = store.NotFound("site", ref)
	}
	return s, err
}

func siteOf(ctx context.Context, r store.Reader, s store.Site) (Site, error) {
	views, err := sitesOf(ctx, r, []store.Site{s})
	if err != nil {
		return Site{}, err
	}
	return views[0], nil
}

// sitesOf adds to sites what is there.
func sitesOf(ctx context.Context, r store.Reader, rows []store.Site) ([]Site, error) {
	ids := make([]store.SiteID, 0, len(rows))
	for _, s := range rows {
		ids = append(ids, s.ID)
	}
	uses, err := r.SiteUses(ctx, ids)
	out := make([]Site, 0, len(rows))
	for _, s := range rows {
		out = append(out, Site{
			ID: s.ID.String(), Name: s.Name, Default: s.IsDefault, Hosts: uses[s.ID].Hosts, Jobs: uses[s.ID].Jobs,
			CreatedAt: s.CreatedAt, RetiredAt: s.RetiredAt, Revision: s.Revision,
		})
	}
	return out, err
}
