package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/jackc/pgx/v5"
)

// PairingState says how far a pairing is.
type PairingState string

// The states of a pairing: open becomes allowed or denied, and allowed ended.
const (
	PairingOpen    PairingState = "open"
	PairingAllowed PairingState = "allowed"
	PairingDenied  PairingState = "denied"
	PairingEnded   PairingState = "ended" // its program has the token
)

// Pairing is a program's wish for a token, which a person grants who is signed
// in elsewhere (after RFC 8628): the program shows the code and keeps the
// secret, the person types the code where they are signed in.
type Pairing struct {
	ID        PairingID
	Code      string // PairingCode
	Hash      []byte // of the secret
	Client    string // what the program says of itself: nobody checked it
	Address   string
	State     PairingState
	UserID    UserID // who answered
	Role      *Role  // of the token that was allowed
	Scopes    []string
	Lifetime  time.Duration // of the token; 0: does not expire
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Is reports whether a secret is the pairing's.
func (p *Pairing) Is(secret string) bool {
	hash := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(hash[:], p.Hash) == 1
}

const pairingColumns = `id, code, hash, client, address, state, user_id, role, scopes, lifetime, created_at, expires_at`

// codeLetters are those of a code: no vowels, so that it is no word, and none
// that look like another (RFC 8628 section 6.1). Eight of them have 34.5 bits.
const (
	codeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	codeLength  = 8
)

func newCode(random io.Reader) (string, error) {
	code := make([]byte, codeLength)
	for i := range code {
		n, err := rand.Int(random, big.NewInt(int64(len(codeLetters))))
		if err != nil {
			return "", fmt.Errorf("make a code: %w", err)
		}
		code[i] = codeLetters[n.Int64()]
	}
	return string(code), nil
}

// CreatePairing begins a pairing and returns its secret, which is not stored.
func (tx *Tx) CreatePairing(ctx context.Context, client, address string, lifetime time.Duration) (secret string, p Pairing, err error) {
	secret, hash, err := newToken("spp_", tx.store.random)
	if err != nil {
		return "", Pairing{}, err
	}
	code, err := newCode(tx.store.random)
	if err != nil {
		return "", Pairing{}, err
	}
	id, err := newID[pairingKind](tx)
	if err != nil {
		return "", Pairing{}, err
	}
	p, err = one[Pairing](ctx, tx.tx, "pairing", id,
		`INSERT INTO pairings (id, code, hash, client, address, state, created_at, expires_at)
		VALUES (@id, @code, @hash, @client, @address, 'open', @at, @expires_at)
		RETURNING `+pairingColumns, pgx.NamedArgs{
			"id": id, "code": code, "hash": hash[:], "client": cleanText(client), "address": address, "at": tx.at, "expires_at": tx.at.Add(lifetime),
		})
	return secret, p, err
}

// PairingByCode finds a pairing that is in time, whatever its state, or fails
// with pairing_not_found.
func (r Reader) PairingByCode(ctx context.Context, code string, now time.Time) (Pairing, error) {
	return one[Pairing](ctx, r.db, "pairing", code,
		`SELECT `+pairingColumns+` FROM pairings WHERE code = @code AND expires_at > @now`, pgx.NamedArgs{"code": code, "now": now})
}

// LockPairing finds a pairing that is in time for a transaction that changes it,
// or fails with pairing_not_found.
func (tx *Tx) LockPairing(ctx context.Context, id PairingID) (Pairing, error) {
	return one[Pairing](ctx, tx.tx, "pairing", id,
		`SELECT `+pairingColumns+` FROM pairings WHERE id = @id AND expires_at > @at FOR UPDATE`, pgx.NamedArgs{"id": id, "at": tx.at})
}

// AllowPairing grants the token that p describes: user, role, scopes and
// lifetime.
func (tx *Tx) AllowPairing(ctx context.Context, p *Pairing) error {
	_, err := tx.tx.Exec(ctx,
		`UPDATE pairings SET state = 'allowed', user_id = @user, role = @role, scopes = @scopes, lifetime = @lifetime
		WHERE id = @id AND state = 'open'`,
		pgx.NamedArgs{"id": p.ID, "user": p.UserID, "role": p.Role, "scopes": p.Scopes, "lifetime": p.Lifetime})
	return fail(err, "allow a pairing")
}

// DenyPairing refuses it.
func (tx *Tx) DenyPairing(ctx context.Context, id PairingID, user UserID) error {
	_, err := tx.tx.Exec(ctx, `UPDATE pairings SET state = 'denied', user_id = @user WHERE id = @id AND state = 'open'`,
		pgx.NamedArgs{"id": id, "user": user})
	return fail(err, "deny a pairing")
}

// EndPairing notes that its program has the token.
func (tx *Tx) EndPairing(ctx context.Context, id PairingID) error {
	_, err := tx.tx.Exec(ctx, `UPDATE pairings SET state = 'ended' WHERE id = @id AND state = 'allowed'`, pgx.NamedArgs{"id": id})
	return fail(err, "end a pairing")
}
