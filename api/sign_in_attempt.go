package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// attempt counts one try to get in, by address and by login. The login's count
// is everybody's and outlives this program; SignIn clears it.
func (c *Console) attempt(ctx context.Context, a Actor, login string) error {
	if err := c.attemptFrom(a); err != nil {
		return err
	}
	key, err := c.loginKey(ctx, login)
	if err != nil {
		return err
	}
	wait, err := c.store.BeginAttempt(ctx, key, signInBackoff)
	if err == nil && wait > 0 {
		err = errTooMany(wait)
	}
	return err
}

// attemptFrom counts one try to get in by address alone.
func (c *Console) attemptFrom(a Actor) error {
	if ok, wait := c.limits.address.take(limiterAddress(a.Address)); !ok {
		return errTooMany(wait)
	}
	return nil
}

func errTooMany(wait time.Duration) error {
	return fault.New(fault.KindTooMany, CodeTooManyAttempts, "retry_seconds", int(wait/time.Second)+1)
}

// loginKey is what attempts are counted under: a hash that needs the server's
// key, since a password may have been typed into the wrong field.
func (c *Console) loginKey(ctx context.Context, login string) ([32]byte, error) {
	key, err := c.ServerKey(ctx)
	if err != nil {
		return [32]byte{}, err
	}
	mac := hmac.New(sha256.New, key.Seed())
	mac.Write([]byte("stickpress sign-in attempts\x00" + strings.ToLower(login)))
	return [32]byte(mac.Sum(nil)), nil
}

// signInFailed puts a refused sign-in into the audit log and returns the
// refusal. Of whom it names a login only where that is somebody's: anything
// else may be a password in the wrong field, and the log cannot be erased. The
// limits on attempts bound how much a stranger can write.
func (c *Console) signInFailed(ctx context.Context, a Actor, u UseCase, of store.User, refusal *fault.Error) error {
	row := store.NewAudit{By: a.as(store.Anonymous), Action: string(u) + failed, ObjectKind: "user"}
	if !of.ID.IsZero() {
		row.ObjectID, row.After = of.ID.String(), map[string]any{"login": of.Login}
	}
	if err := c.store.InTx(ctx, func(tx *store.Tx) error { return tx.Audit(ctx, row) }); err != nil {
		return err
	}
	return refusal
}
