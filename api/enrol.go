package api

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Enrolment is a single-use permission for one host to join.
type Enrolment struct {
	Token     string    `json:"token"` // shown only once
	SiteID    string    `json:"site_id"`
	ExpiresAt time.Time `json:"expires_at"`
}

// CreateEnrolmentInput describes an enrolment token.
type CreateEnrolmentInput struct {
	SiteID string        // or its name; empty means the default site, or the first of a limited actor's
	TTL    time.Duration // 0 means one hour; at most 7 days
}

const (
	enrolmentLifetime = time.Hour
	enrolmentLongest  = 7 * 24 * time.Hour
)

// CreateEnrolment makes an enrolment token (admin). Faults: site_not_found,
// site_closed.
func (c *Console) CreateEnrolment(ctx context.Context, a Actor, in CreateEnrolmentInput) (Enrolment, error) {
	if in.SiteID == "" && a.Limited() {
		in.SiteID = a.Sites[0]
	}
	var out Enrolment
	err := c.change(ctx, a, UseCreateEnrolment, func(tx *store.Tx, by store.Actor) error {
		found, err := findSite(ctx, tx.Reader, a, in.SiteID)
		if err != nil {
			return err
		}
		site := found.ID
		if _, err := tx.OpenSite(ctx, site); err != nil {
			return fault.RenamedTo(err, "site_id")
		}
		secret, token, err := tx.CreateOneTimeToken(ctx, store.NewOneTimeToken{
			Purpose: store.PurposeEnroll, SiteID: site, Lifetime: lifetime(in.TTL, enrolmentLifetime, enrolmentLongest), By: by,
		})
		if err != nil {
			return err
		}
		out = Enrolment{Token: secret, SiteID: site.String(), ExpiresAt: token.ExpiresAt}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseCreateEnrolment), ObjectKind: "site", ObjectID: out.SiteID,
			After: map[string]any{"expires_at": out.ExpiresAt},
		})
	})
	return out, err
}

// EnrollHost exchanges an enrolment token for a place in the inventory and
// tells the agent the server's identity, which it pins. A request that is
// refused leaves the token unspent. Faults: token_invalid, host_key_invalid,
// name_invalid, name_taken, host_enrolled, site_closed, too_many_attempts.
func (c *Console) EnrollHost(ctx context.Context, a Actor, in protocol.EnrollRequest) (protocol.EnrollResponse, error) {
	if err := allow(a, UseEnrollHost); err != nil {
		return protocol.EnrollResponse{}, err
	}
	if ok, wait := c.limits.enroll.take(a.Address, ""); !ok {
		return protocol.EnrollResponse{}, fault.New(fault.KindTooMany, CodeTooManyAttempts, "retry_seconds", int(wait/time.Second)+1)
	}
	if len(in.PublicKey) != ed25519.PublicKeySize {
		return protocol.EnrollResponse{}, fault.New(fault.KindInvalid, CodeHostKeyInvalid).At("public_key")
	}
	name, err := cleanName("host", in.Name)
	if err != nil {
		return protocol.EnrollResponse{}, err
	}
	key, err := c.ServerKey(ctx)
	if err != nil {
		return protocol.EnrollResponse{}, err
	}
	var host store.Host
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		token, err := tx.UseOneTimeToken(ctx, store.PurposeEnroll, in.Token)
		if err != nil {
			return err
		}
		if _, err := tx.OpenSite(ctx, token.SiteID); err != nil {
			return err
		}
		host, err = tx.EnrollHost(ctx, store.NewHost{
			SiteID: token.SiteID, Name: name, PublicKey: in.PublicKey, AgentVersion: in.Version, OS: in.OS, Arch: in.Arch,
		})
		if err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: a.as(store.HostActor(host.ID)), Action: string(UseEnrollHost), ObjectKind: "host", ObjectID: host.ID.String(),
			After: map[string]any{
				"name": host.Name, "site_id": host.SiteID, "public_key": in.PublicKey,
				"invited_by": store.ActorText(token.CreatedByKind, token.CreatedByID),
			},
		})
	})
	if err != nil {
		return protocol.EnrollResponse{}, err
	}
	c.log.InfoContext(ctx, "host enrolled", "host_id", host.ID.String(), "host", host.Name, "address", a.Address)
	return protocol.EnrollResponse{HostID: host.ID.String(), ServerKey: key.Public().(ed25519.PublicKey)}, nil
}

// RevokeHost ends a host's right to connect; its socket closes at once, on
// whichever replica it is (admin). What it held fails with host_lost, and its
// queued builds are cancelled. Revoking it again changes nothing.
// Faults: host_not_found, stale.
func (c *Console) RevokeHost(ctx context.Context, a Actor, in ChangeHostInput) (Host, error) {
	return c.endHost(ctx, a, in, UseRevokeHost, (*store.Tx).RevokeHost)
}

// DeclareHostLost says that a host will not come back soon: its unfinished
// builds fail with host_lost and count their sticks as incomplete. The host
// stays enrolled; should it come back, it is told to stop before its next
// write (admin). Faults: host_not_found, stale.
func (c *Console) DeclareHostLost(ctx context.Context, a Actor, in ChangeHostInput) (Host, error) {
	return c.endHost(ctx, a, in, UseDeclareHostLost, (*store.Tx).DeclareHostLost)
}

func (c *Console) endHost(ctx context.Context, a Actor, in ChangeHostInput, u UseCase,
	end func(*store.Tx, context.Context, store.HostID, store.Actor) (store.Host, error),
) (Host, error) {
	id, err := parse[store.HostID]("host", in.ID)
	if err != nil {
		return Host{}, err
	}
	err = c.change(ctx, a, u, func(tx *store.Tx, by store.Actor) error {
		before, err := findHost(ctx, tx.Reader, a, in.ID)
		if err != nil {
			return err
		}
		if in.Revision != 0 && in.Revision != before.Revision {
			return fault.New(fault.KindStale, store.CodeStale, "kind", "host", "id", in.ID)
		}
		if before.State == store.HostRevoked && u == UseRevokeHost {
			return nil
		}
		host, err := end(tx, ctx, id, by)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(u), ObjectKind: "host", ObjectID: in.ID,
			Before: map[string]any{"state": before.State, "session": before.Session},
			After:  map[string]any{"state": host.State, "session": host.Session, "reason": in.Reason},
		})
	})
	if err != nil {
		return Host{}, err
	}
	return c.GetHost(ctx, a, in.ID)
}
