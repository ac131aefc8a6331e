package api

import (
	"context"
	"slices"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// UpdateUserInput is what an admin changes about a person.
type UpdateUserInput struct {
	ID       string
	Name     string
	Role     Role
	Sites    []string // IDs; empty means every site
	Revision int64    // as seen; 0 does not check
}

// UpdateUser changes a person's name, role and sites (admin). What is given
// must be the admin's own, and so must be what is taken: somebody with more
// is not there for them. It holds from the person's next request on.
// Faults: user_not_found, not_oneself, last_admin, user_of_other_origin,
// role_unknown, forbidden, sites_too_wide, site_not_found, name_invalid, stale.
func (c *Console) UpdateUser(ctx context.Context, a Actor, in UpdateUserInput) (User, error) {
	if err := allow(a, UseUpdateUser); err != nil {
		return User{}, err
	}
	name, wrongName := cleanName("user", in.Name)
	sites, wrongSites := a.grantedSites(ctx, c.store.Reader, in.Sites)
	if err := fault.All(wrongName, a.checkRole(UseUpdateUser, in.Role), wrongSites); err != nil {
		return User{}, err
	}
	return c.changeUser(ctx, a, UseUpdateUser, in.ID, func(tx *store.Tx, u *store.User) (store.User, error) {
		moved := in.Role != u.Role || !slices.Equal(siteTexts(sites), siteTexts(u.Sites))
		switch {
		case moved && u.Origin != store.OriginLocal: // the next sign-in would undo it
			return store.User{}, errOrigin(u)
		case moved && u.ID.String() == a.UserID:
			return store.User{}, fault.New(fault.KindConflict, CodeOneself)
		}
		if in.Role != RoleAdmin || len(sites) > 0 {
			if err := keepsChief(ctx, tx, u); err != nil {
				return store.User{}, err
			}
		}
		revision := in.Revision
		if revision == 0 {
			revision = u.Revision
		}
		now, err := tx.UpdateUser(ctx, u.ID, revision, store.UserChange{Name: name, Role: in.Role, Sites: sites})
		if err == nil && demoted(u, &now) {
			err = tx.DropOneTimeTokensBy(ctx, u.ID)
		}
		return now, err
	})
}

// demoted reports whether somebody may do less than before: what they prepared,
// links and enrolments, is worth nothing then.
func demoted(before, after *store.User) bool {
	narrower := len(after.Sites) > 0 && (len(before.Sites) == 0 ||
		slices.ContainsFunc(before.Sites, func(s store.SiteID) bool { return !slices.Contains(after.Sites, s) }))
	return narrower || !after.Role.Includes(before.Role)
}

// SetUserDisabled shuts a person out, or lets them in again (admin). Their
// sessions end, and nothing is good any more that they had or made: links,
// enrolments, tokens, those of others, too. Repeating it changes nothing.
// Faults: user_not_found, not_oneself, last_admin.
func (c *Console) SetUserDisabled(ctx context.Context, a Actor, id string, disabled bool) (User, error) {
	return c.changeUser(ctx, a, UseDisableUser, id, func(tx *store.Tx, u *store.User) (store.User, error) {
		if !disabled {
			return tx.SetUserDisabled(ctx, u.ID, false)
		}
		if u.ID.String() == a.UserID {
			return store.User{}, fault.New(fault.KindConflict, CodeOneself)
		}
		if err := keepsChief(ctx, tx, u); err != nil {
			return store.User{}, err
		}
		if _, err := tx.EndSessions(ctx, u.ID, store.SessionID{}); err != nil {
			return store.User{}, err
		}
		if err := dropLinks(ctx, tx, u.ID); err != nil {
			return store.User{}, err
		}
		if err := tx.DropOneTimeTokensBy(ctx, u.ID); err != nil {
			return store.User{}, err
		}
		return tx.SetUserDisabled(ctx, u.ID, true)
	})
}

// UnlockUser forgets the attempts that failed, so that the person may try
// again at once (admin). Faults: user_not_found.
func (c *Console) UnlockUser(ctx context.Context, a Actor, id string) (User, error) {
	return c.changeUser(ctx, a, UseUnlockUser, id, func(tx *store.Tx, u *store.User) (store.User, error) {
		of, err := c.attemptSubjects(ctx, u.Login, u.ID.String(), u.Subject)
		if err != nil {
			return store.User{}, err
		}
		return *u, tx.ForgetSubjects(ctx, of)
	})
}

// changeUser runs a change of a person that the actor may see, with its line
// in the audit log.
func (c *Console) changeUser(ctx context.Context, a Actor, use UseCase, id string, do func(*store.Tx, *store.User) (store.User, error)) (User, error) {
	var now store.User
	err := c.change(ctx, a, use, func(tx *store.Tx, by store.Actor) error {
		before, err := findUser(ctx, tx.Reader, a, id)
		if err != nil {
			return err
		}
		if now, err = do(tx, &before); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(use), ObjectKind: "user", ObjectID: id, Before: userOf(before), After: userOf(now),
		})
	})
	return userOf(now), err
}

// keepsChief refuses to take away the last admin of every site who has a password
// here: others are admins for as long as a provider or a directory says so and
// answers. Where nobody has one, the last admin of every site stays.
func keepsChief(ctx context.Context, tx *store.Tx, u *store.User) error {
	chiefs, err := tx.HoldChiefs(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(chiefs, func(c store.Chief) bool { return c.Own }) {
		chiefs = slices.DeleteFunc(chiefs, func(c store.Chief) bool { return !c.Own })
	}
	if len(chiefs) == 1 && chiefs[0].ID == u.ID {
		return fault.New(fault.KindConflict, CodeLastAdmin)
	}
	return nil
}

// locked says which of some people rest after failed attempts, and until when.
func (c *Console) locked(ctx context.Context, users []User) error {
	var all [][32]byte
	of := make([][][32]byte, len(users))
	for i, u := range users {
		var err error
		if of[i], err = c.attemptSubjects(ctx, u.Login, u.ID, u.subject); err != nil {
			return err
		}
		all = append(all, of[i]...)
	}
	until, err := c.store.LockedUntil(ctx, all, c.store.Now())
	for i := range users {
		for _, key := range of[i] {
			if at, ok := until[key]; ok && (users[i].LockedUntil == nil || at.After(*users[i].LockedUntil)) {
				users[i].LockedUntil = &at
			}
		}
	}
	return err
}
