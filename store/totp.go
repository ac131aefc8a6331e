package store

import (
	"context"
	"crypto/sha256"

	"github.com/jackc/pgx/v5"
)

func totpSeal(id UserID) string { return "users totp " + id.String() }

// SetTOTPSecret keeps a secret, sealed, that a first code has yet to prove. It
// replaces one that is unproved; a proved one stays until RemoveTOTP.
func (tx *Tx) SetTOTPSecret(ctx context.Context, id UserID, secret []byte) error {
	sealed, err := tx.keys.Seal(secret, totpSeal(id))
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(ctx,
		`UPDATE users SET totp_secret = @secret, totp_key_id = @key, totp_step = 0
		WHERE id = @id AND totp_at IS NULL`, pgx.NamedArgs{"id": id, "secret": sealed.Box, "key": sealed.KeyID})
	return fail(err, "keep a second factor")
}

// TOTPSecret is a user's secret, proved or not; totp_not_found without one.
func (r Reader) TOTPSecret(ctx context.Context, id UserID) ([]byte, error) {
	type secret struct {
		Secret []byte
		Key    string
	}
	s, err := one[secret](ctx, r.db, "totp", id,
		`SELECT totp_secret AS secret, totp_key_id AS key FROM users WHERE id = @id AND totp_secret IS NOT NULL`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, err
	}
	return r.keys.Open(Sealed{KeyID: s.Key, Box: s.Secret}, totpSeal(id))
}

// UseTOTPStep spends a time step: of any number of uses at the same time one
// succeeds, and no older step is taken afterwards. It reports whether this
// was the one.
func (tx *Tx) UseTOTPStep(ctx context.Context, id UserID, step int64) (bool, error) {
	tag, err := tx.tx.Exec(ctx, `UPDATE users SET totp_step = @step WHERE id = @id AND totp_step < @step`,
		pgx.NamedArgs{"id": id, "step": step})
	return tag.RowsAffected() == 1, fail(err, "use a code")
}

// ProveTOTP says that the secret was proved: from now on codes are asked for.
func (tx *Tx) ProveTOTP(ctx context.Context, id UserID) (User, error) {
	return one[User](ctx, tx.tx, "user", id,
		`UPDATE users SET totp_at = @at, updated_at = @at, revision = revision + 1
		WHERE id = @id AND totp_secret IS NOT NULL RETURNING `+userColumns, pgx.NamedArgs{"id": id, "at": tx.at})
}

// RemoveTOTP forgets a user's secret and recovery codes.
func (tx *Tx) RemoveTOTP(ctx context.Context, id UserID) (User, error) {
	if err := tx.SetRecoveryCodes(ctx, id, nil); err != nil {
		return User{}, err
	}
	return one[User](ctx, tx.tx, "user", id,
		`UPDATE users SET totp_secret = NULL, totp_key_id = '', totp_at = NULL, totp_step = 0,
			updated_at = @at, revision = revision + 1
		WHERE id = @id RETURNING `+userColumns, pgx.NamedArgs{"id": id, "at": tx.at})
}

// SetRecoveryCodes replaces a user's recovery codes. Of each the SHA-256 is
// kept: it has too much randomness in it to be guessed.
func (tx *Tx) SetRecoveryCodes(ctx context.Context, id UserID, codes []string) error {
	hashes := make([][]byte, 0, len(codes))
	for _, c := range codes {
		sum := sha256.Sum256([]byte(c))
		hashes = append(hashes, sum[:])
	}
	if _, err := tx.tx.Exec(ctx, `DELETE FROM recovery_codes WHERE user_id = @id`, pgx.NamedArgs{"id": id}); err != nil {
		return fail(err, "replace recovery codes")
	}
	_, err := tx.tx.Exec(ctx, `INSERT INTO recovery_codes (user_id, hash) SELECT @id, unnest(@hashes::bytea[])`,
		pgx.NamedArgs{"id": id, "hashes": hashes})
	return fail(err, "keep recovery codes")
}

// UseRecoveryCode spends a code and reports whether it was good.
func (tx *Tx) UseRecoveryCode(ctx context.Context, id UserID, code string) (bool, error) {
	sum := sha256.Sum256([]byte(code))
	tag, err := tx.tx.Exec(ctx,
		`UPDATE recovery_codes SET used_at = @at WHERE user_id = @id AND hash = @hash AND used_at IS NULL`,
		pgx.NamedArgs{"id": id, "hash": sum[:], "at": tx.at})
	return tag.RowsAffected() == 1, fail(err, "use a recovery code")
}

// RecoveryCodesLeft counts a user's codes that were not used.
func (r Reader) RecoveryCodesLeft(ctx context.Context, id UserID) (int, error) {
	var n int
	err := r.db.QueryRow(ctx, `SELECT count(*) FROM recovery_codes WHERE user_id = @id AND used_at IS NULL`,
		pgx.NamedArgs{"id": id}).Scan(&n)
	return n, fail(err, "count recovery codes")
}
