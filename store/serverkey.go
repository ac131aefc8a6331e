package store

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ServerKey is the console's own ed25519 identity, which agents pin when they
// enrol. Private is sealed at rest.
type ServerKey struct {
	ID        ServerKeyID
	Public    ed25519.PublicKey
	Private   ed25519.PrivateKey `json:"-"`
	CreatedAt time.Time
}

type serverKeyRow struct {
	ID            ServerKeyID
	PublicKey     []byte
	SealedPrivate []byte
	SealKeyID     string
	CreatedAt     time.Time
}

const serverKeyColumns = `id, public_key, sealed_private, seal_key_id, created_at`

// EnsureServerKey returns the current identity and makes it first where there
// is none. Replicas that start together get the same one.
func (s *Store) EnsureServerKey(ctx context.Context) (ServerKey, error) {
	key, err := s.ServerKey(ctx)
	if !errors.Is(err, NotFound("server_key", "")) {
		return key, err
	}
	if err := s.InTx(ctx, func(tx *Tx) error { return tx.createServerKey(ctx) }); err != nil {
		return ServerKey{}, err
	}
	return s.ServerKey(ctx)
}

// ServerKey returns the current identity, or fails with server_key_not_found.
func (r Reader) ServerKey(ctx context.Context) (ServerKey, error) {
	row, err := one[serverKeyRow](ctx, r.db, "server_key", "",
		`SELECT `+serverKeyColumns+` FROM server_keys WHERE retired_at IS NULL`, nil)
	if err != nil {
		return ServerKey{}, err
	}
	seed, err := r.keys.Open(Sealed{KeyID: row.SealKeyID, Box: row.SealedPrivate}, "server_keys "+row.ID.String())
	if err != nil {
		return ServerKey{}, err
	}
	if len(seed) != ed25519.SeedSize {
		return ServerKey{}, fmt.Errorf("the server key %s has %d bytes, not %d", row.ID, len(seed), ed25519.SeedSize)
	}
	return ServerKey{ID: row.ID, Public: row.PublicKey, Private: ed25519.NewKeyFromSeed(seed), CreatedAt: row.CreatedAt}, nil
}

func (tx *Tx) createServerKey(ctx context.Context) error {
	id, err := newID[serverKeyKind](tx)
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(tx.store.random)
	if err != nil {
		return fmt.Errorf("make a server key: %w", err)
	}
	sealed, err := tx.keys.Seal(private.Seed(), "server_keys "+id.String())
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(ctx,
		`INSERT INTO server_keys (`+serverKeyColumns+`)
		VALUES (@id, @public_key, @sealed_private, @seal_key_id, @at)
		ON CONFLICT DO NOTHING`,
		pgx.NamedArgs{
			"id": id, "public_key": []byte(public), "sealed_private": sealed.Box, "seal_key_id": sealed.KeyID, "at": tx.at,
		})
	return fail(err, "keep the server key")
}
