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

// What failed attempts cost, whether there is somebody of that name or not.
//
// Of a login from one address it is a quarter of an hour in the end, which
// shuts out nobody elsewhere. All addresses together have a count of their own,
// for who has many: it lets ten times as much pass and then rests for a minute
// at most, since whoever knows a login could keep its owner out by it. Codes and
// passwords that are asked for once more come after a first step that a
// stranger does not get past: they are counted by the person alone.
var (
	signInBackoff   = store.Backoff{Free: 5, First: 30 * time.Second, Most: 15 * time.Minute, Forget: 24 * time.Hour}
	everyoneBackoff = store.Backoff{Free: 50, First: time.Second, Most: time.Minute, Forget: 24 * time.Hour}
)

// tries are the counts that an attempt to get in adds to.
type tries []store.Try

// attempt counts one try to get in: by address, and in further counts that are
// everybody's and outlive this program.
func (c *Console) attempt(ctx context.Context, a Actor, counts tries) error {
	if err := c.attemptFrom(a); err != nil {
		return err
	}
	return c.countTries(ctx, counts)
}

func (c *Console) countTries(ctx context.Context, counts tries) error {
	wait, err := c.store.BeginAttempt(ctx, counts...)
	if err == nil && wait > 0 {
		err = errTooMany(wait)
	}
	return err
}

// attemptFrom counts one try to get in by address alone.
func (c *Console) attemptFrom(a Actor) error {
	if ok, wait := c.limits.address.take(a.Address, ""); !ok {
		return errTooMany(wait)
	}
	return nil
}

func errTooMany(wait time.Duration) error {
	return fault.New(fault.KindTooMany, CodeTooManyAttempts, "retry_seconds", int(wait/time.Second)+1)
}

// Whose attempts are counted.
const (
	ofLogin   = "login"   // as it was typed
	ofEntry   = "ldap"    // what the directory found by it, by its ID: a filter may find one by many spellings
	ofFactor  = "factor"  // a person's second factor, by their ID
	ofRecheck = "recheck" // a person's password, once more, by their ID
	ofPairing = "pairing" // codes of programs that a person tried, by their ID
)

// passwordTries are the counts of a password: of one address and of all.
func (c *Console) passwordTries(ctx context.Context, a Actor, kind, of string) (tries, error) {
	all, err := c.attemptHash(ctx, kind, of)
	if err != nil {
		return nil, err
	}
	here, err := c.attemptHash(ctx, kind, of, limiterAddress(a.Address))
	return tries{{Key: here, Subject: all, Backoff: signInBackoff}, {Key: all, Subject: all, Backoff: everyoneBackoff}}, err
}

// personTries is the count of a person who is known already.
func (c *Console) personTries(ctx context.Context, kind string, id store.UserID) (tries, error) {
	all, err := c.attemptHash(ctx, kind, id.String())
	return tries{{Key: all, Subject: all, Backoff: signInBackoff}}, err
}

// attemptSubjects are all under which somebody's attempts may be counted.
func (c *Console) attemptSubjects(ctx context.Context, login, id, subject string) ([][32]byte, error) {
	var out [][32]byte
	for _, of := range [][2]string{{ofLogin, login}, {ofEntry, subject}, {ofFactor, id}, {ofRecheck, id}, {ofPairing, id}} {
		if of[1] == "" {
			continue
		}
		key, err := c.attemptHash(ctx, of[0], of[1])
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	return out, nil
}

// attemptHash is what attempts are counted under: a hash that needs the
// server's key, since a password may have been typed into the wrong field.
func (c *Console) attemptHash(ctx context.Context, kind, of string, more ...string) ([32]byte, error) {
	key, err := c.ServerKey(ctx)
	if err != nil {
		return [32]byte{}, err
	}
	mac := hmac.New(sha256.New, key.Seed())
	for _, part := range append([]string{"stickpress sign-in attempts", kind, strings.ToLower(of)}, more...) {
		mac.Write([]byte(part + "\x00"))
	}
	return [32]byte(mac.Sum(nil)), nil
}

// forget clears counts: somebody came in.
func (c *Console) forget(ctx context.Context, counts tries) error {
	return c.store.InTx(ctx, func(tx *store.Tx) error { return tx.ForgetAttempts(ctx, counts...) })
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
