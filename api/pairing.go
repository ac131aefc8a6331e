package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Pairing is a program that asks a person for a token: it shows a code, which
// the person types (or opens) where they are signed in, and waits for the
// answer. It is good for ten minutes and for one token, which the program alone
// gets: whoever read the code has nothing of it.
type Pairing struct {
	ID        string    `json:"id"`
	Code      string    `json:"code"`    // "BCDF-GHJK"
	Client    string    `json:"client"`  // what the program says of itself; nobody checked it
	Address   string    `json:"address"` // where it asked from
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// NewPairing is a pairing with its secret, which is shown only once.
type NewPairing struct {
	Pairing
	Secret       string `json:"secret"`
	RetrySeconds int    `json:"retry_seconds"` // between two questions whether it is answered
}

// AnswerPairingInput is what a person says of a pairing. What is allowed is a
// token of the person's own.
type AnswerPairingInput struct {
	Code   string
	Deny   bool
	Role   Role          // at most the person's own
	Scopes []TokenScope  // empty means whatever the role allows
	TTL    time.Duration // 0 means that it does not expire
}

const (
	pairingLifetime = 10 * time.Minute
	pairingPause    = 5 // seconds
)

// BeginPairing lets a program ask, which nobody vouches for yet; client is what
// it is called, 1 to 64 bytes. Faults: name_invalid, too_many_attempts,
// setup_needed.
func (c *Console) BeginPairing(ctx context.Context, a Actor, client string) (NewPairing, error) {
	if err := allow(a, UseBeginPairing); err != nil {
		return NewPairing{}, err
	}
	if err := c.setupIsDone(ctx); err != nil {
		return NewPairing{}, err
	}
	client, err := cleanName("pairing", client)
	if err != nil {
		return NewPairing{}, fault.From(err).At("client")
	}
	if err := c.attemptFrom(a); err != nil {
		return NewPairing{}, err
	}
	var out NewPairing
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		secret, p, err := tx.CreatePairing(ctx, client, a.Address, pairingLifetime)
		out = NewPairing{Pairing: pairingOf(&p), Secret: secret, RetrySeconds: pairingPause}
		return err
	})
	return out, err
}

// GetPairing shows a person the open pairing of a code as it was typed. Codes
// that there are none of are counted, so that nobody tries them all.
// Faults: people_only, pairing_not_found, too_many_attempts.
func (c *Console) GetPairing(ctx context.Context, a Actor, code string) (Pairing, error) {
	p, _, err := c.openPairing(ctx, a, UseGetPairing, code)
	return pairingOf(&p), err
}

// AnswerPairing lets a person allow or deny what a program asks. Faults:
// people_only, pairing_not_found, too_many_attempts, and those of CreateToken.
func (c *Console) AnswerPairing(ctx context.Context, a Actor, in AnswerPairingInput) (Pairing, error) {
	p, person, err := c.openPairing(ctx, a, UseAnswerPairing, in.Code)
	if err != nil {
		return Pairing{}, err
	}
	after := map[string]any{"client": p.Client, "address": p.Address, "answer": string(store.PairingDenied)}
	if !in.Deny {
		n, err := newTokenOf(a, CreateTokenInput{Name: p.Client, Role: in.Role, Scopes: in.Scopes, TTL: in.TTL})
		if err := fault.All(err, checkTokenRole(&person, in.Role)); err != nil {
			return Pairing{}, err
		}
		p.Role, p.Scopes, p.Lifetime = &n.Role, n.Scopes, n.Lifetime
		after["answer"], after["role"], after["scopes"], after["ttl_seconds"] = string(store.PairingAllowed), n.Role, n.Scopes, int64(n.Lifetime/time.Second)
	}
	err = c.change(ctx, a, UseAnswerPairing, func(tx *store.Tx, by store.Actor) error {
		locked, err := tx.LockPairing(ctx, p.ID)
		if err == nil && locked.State != store.PairingOpen {
			err = store.NotFound("pairing", in.Code)
		}
		if err != nil {
			return err
		}
		p.UserID = person.ID
		if in.Deny {
			err = tx.DenyPairing(ctx, p.ID, person.ID)
		} else {
			err = tx.AllowPairing(ctx, &p)
		}
		if err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseAnswerPairing), ObjectKind: "pairing", ObjectID: p.ID.String(), After: after})
	})
	return pairingOf(&p), err
}

// EndPairing gives a program the token that a person allowed, once. The token
// is the person's, as if they had made it. Faults: pairing_not_found also for a
// wrong secret and when it is over, pairing_open (retry_seconds) while nobody
// has answered, pairing_denied, too_many_attempts, and those of CreateToken.
func (c *Console) EndPairing(ctx context.Context, a Actor, id, secret string) (NewToken, error) {
	if err := allow(a, UseEndPairing); err != nil {
		return NewToken{}, err
	}
	if ok, wait := c.limits.pairing.take(a.Address, ""); !ok {
		return NewToken{}, errTooMany(wait)
	}
	key, err := parse[store.PairingID]("pairing", id)
	if err != nil {
		return NewToken{}, err
	}
	var p store.Pairing
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		p, err = answeredPairing(ctx, tx, key, secret)
		return err
	})
	if err != nil {
		return NewToken{}, err
	}
	person, err := c.ActorForUser(ctx, a, p.UserID.String())
	if errors.Is(err, fault.New(fault.KindUnauthenticated, CodeSignedOut)) { // shut out since
		err = fault.Wrap(err, fault.KindForbidden, CodePairingDenied)
	}
	if err != nil {
		return NewToken{}, err
	}
	var out NewToken
	err = c.change(ctx, person, UseCreateToken, func(tx *store.Tx, by store.Actor) error {
		if p, err = answeredPairing(ctx, tx, key, secret); err != nil {
			return err
		}
		in := CreateTokenInput{Name: p.Client, Role: *p.Role, Scopes: tokenScopesOf(p.Scopes), TTL: p.Lifetime}
		if out, err = c.createToken(ctx, tx, person, by, in); err != nil {
			return err
		}
		return tx.EndPairing(ctx, key)
	})
	return out, err
}

// answeredPairing locks a pairing that was allowed and not ended.
func answeredPairing(ctx context.Context, tx *store.Tx, id store.PairingID, secret string) (store.Pairing, error) {
	p, err := tx.LockPairing(ctx, id)
	switch {
	case err != nil:
		return p, err
	case !p.Is(secret), p.State == store.PairingEnded:
		return p, store.NotFound("pairing", id)
	case p.State == store.PairingOpen:
		return p, fault.New(fault.KindConflict, CodePairingOpen, "retry_seconds", pairingPause)
	case p.State == store.PairingDenied:
		return p, fault.New(fault.KindForbidden, CodePairingDenied)
	}
	return p, nil
}

// openPairing finds the open pairing of a code for a person who is signed in.
func (c *Console) openPairing(ctx context.Context, a Actor, use UseCase, code string) (store.Pairing, store.User, error) {
	person, err := c.oneself(ctx, a, use)
	if err != nil {
		return store.Pairing{}, person, err
	}
	counts, err := c.personTries(ctx, ofPairing, person.ID)
	if err != nil {
		return store.Pairing{}, person, err
	}
	if err := c.countTries(ctx, counts); err != nil {
		return store.Pairing{}, person, err
	}
	p, err := c.store.PairingByCode(ctx, cleanCode(code), c.store.Now())
	if err == nil && p.State != store.PairingOpen {
		err = store.NotFound("pairing", code)
	}
	if err != nil {
		return store.Pairing{}, person, err
	}
	// What was tried before stays counted: anybody can begin a pairing, and would
	// clear the count with its code between two guesses at somebody else's.
	return p, person, c.store.InTx(ctx, func(tx *store.Tx) error { return tx.TakeBackAttempt(ctx, counts...) })
}

// cleanCode is a code as it is kept: whatever people put between its letters.
func cleanCode(typed string) string {
	return strings.Map(func(r rune) rune {
		if r < 'A' || r > 'Z' {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
}

func pairingOf(p *store.Pairing) Pairing {
	code := p.Code
	if half := len(code) / 2; half > 0 {
		code = code[:half] + "-" + code[half:]
	}
	return Pairing{ID: p.ID.String(), Code: code, Client: p.Client, Address: p.Address, CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt}
}
