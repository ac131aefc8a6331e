package api

import (
	"context"
	"errors"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// SetupFromSettingsInput makes a first run that needs no browser.
type SetupFromSettingsInput struct {
	Login     string // of the first admin
	Password  string // at least MinPassword characters
	HostToken string // enrols one host at the default site; empty: none
}

// setupHostLifetime is how long the host of a first run may take to come.
const setupHostLifetime = 7 * 24 * time.Hour

// SetupFromSettings makes the first admin, and a permission for one host to
// join, from what the server was told beside it (system). It reports whether
// it did: where there is somebody already, or another replica is quicker, it
// changes nothing, so each start may repeat it. Faults: login_invalid,
// password_too_short, password_too_long.
func (c *Console) SetupFromSettings(ctx context.Context, a Actor, in SetupFromSettingsInput) (made bool, err error) {
	if err := allow(a, UseCreateUser); err != nil {
		return false, err
	}
	if needed, err := c.SetupNeeded(ctx); err != nil || !needed {
		return false, err
	}
	fields, err := c.firstUser(ctx, CreateUserInput{Login: in.Login, Role: RoleAdmin, Password: in.Password})
	if err != nil {
		return false, err
	}
	err = c.change(ctx, a, UseCreateUser, func(tx *store.Tx, by store.Actor) error {
		u, err := tx.CreateFirstUser(ctx, fields)
		if err != nil {
			return err
		}
		if in.HostToken != "" {
			if err := setupHost(ctx, tx, a, by, in.HostToken); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSetup), ObjectKind: "user", ObjectID: u.ID.String(), After: userOf(u),
		})
	})
	if errors.Is(err, fault.New(fault.KindConflict, store.CodeSetupDone)) {
		return false, nil
	}
	return err == nil, err
}

func setupHost(ctx context.Context, tx *store.Tx, a Actor, by store.Actor, secret string) error {
	site, err := findSite(ctx, tx.Reader, a, "")
	if err != nil {
		return err
	}
	_, token, err := tx.CreateOneTimeToken(ctx, store.NewOneTimeToken{
		Purpose: store.PurposeEnroll, SiteID: site.ID, Lifetime: setupHostLifetime, By: by, Secret: secret,
	})
	if err != nil {
		return err
	}
	return tx.Audit(ctx, store.NewAudit{
		By: by, Action: string(UseCreateEnrolment), ObjectKind: "site", ObjectID: site.ID.String(),
		After: map[string]any{"expires_at": token.ExpiresAt},
	})
}
