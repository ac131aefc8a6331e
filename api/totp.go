package api

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// TOTPSecret is what a person's telephone needs to make codes (RFC 6238: SHA-1,
// six digits, 30 s, which is what every app understands). It is shown until a
// first code has proved it.
type TOTPSecret struct {
	Text string // base32, for typing
	URI  string // otpauth://…, for a QR code
}

// SecondFactor is how a person's second factor stands.
type SecondFactor struct {
	Since *time.Time `json:"since,omitempty"` // nil: there is none
	Codes int        `json:"codes"`           // recovery codes that were not used
}

// Of a recovery code: 80 random bits, in four groups.
const (
	recoveryCodes = 10
	recoveryBytes = 10
)

const (
	totpIssuer = "Stickpress"
	totpBytes  = 20 // RFC 4226 section 4, R6
	totpStep   = 30 // seconds
)

var (
	totpOptions = totp.ValidateOpts{Period: totpStep, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
	totpForm    = regexp.MustCompile(`^[0-9]{6}$`)
	b32         = base32.StdEncoding.WithPadding(base32.NoPadding)
)

// GetSecondFactor tells how the actor's second factor stands.
func (c *Console) GetSecondFactor(ctx context.Context, a Actor) (SecondFactor, error) {
	u, err := c.oneself(ctx, a, UseEnableTOTP)
	if err != nil || u.TOTPAt == nil {
		return SecondFactor{}, err
	}
	n, err := c.store.RecoveryCodesLeft(ctx, u.ID)
	return SecondFactor{Since: u.TOTPAt, Codes: n}, err
}

// BeginTOTP makes a secret for the actor's telephone; one that was not proved
// yet is made anew. Codes are asked for from ConfirmTOTP on.
// Faults: people_only, user_of_other_origin, second_factor_on.
func (c *Console) BeginTOTP(ctx context.Context, a Actor) (TOTPSecret, error) {
	u, err := c.oneself(ctx, a, UseEnableTOTP)
	if err != nil {
		return TOTPSecret{}, err
	}
	if err := mayHaveTOTP(&u); err != nil {
		return TOTPSecret{}, err
	}
	secret := make([]byte, totpBytes)
	if _, err := io.ReadFull(c.rand, secret); err != nil {
		return TOTPSecret{}, fmt.Errorf("make a secret: %w", err)
	}
	if err := c.store.InTx(ctx, func(tx *store.Tx) error { return tx.SetTOTPSecret(ctx, u.ID, secret) }); err != nil {
		return TOTPSecret{}, err
	}
	return totpSecret(u.Login, secret)
}

// PendingTOTP is the secret of BeginTOTP while it waits to be proved.
// Faults: second_factor_off without one.
func (c *Console) PendingTOTP(ctx context.Context, a Actor) (TOTPSecret, error) {
	u, err := c.oneself(ctx, a, UseEnableTOTP)
	if err != nil {
		return TOTPSecret{}, err
	}
	if err := mayHaveTOTP(&u); err != nil {
		return TOTPSecret{}, err
	}
	secret, err := c.store.TOTPSecret(ctx, u.ID)
	if isNotFound(err, "totp") {
		err = fault.New(fault.KindConflict, CodeSecondFactorOff)
	}
	if err != nil {
		return TOTPSecret{}, err
	}
	return totpSecret(u.Login, secret)
}

func mayHaveTOTP(u *store.User) error {
	switch {
	case u.Origin == store.OriginOIDC: // the provider asks for one, or not
		return errOrigin(u)
	case u.TOTPAt != nil:
		return fault.New(fault.KindConflict, CodeSecondFactorOn)
	}
	return nil
}

func totpSecret(login string, secret []byte) (TOTPSecret, error) {
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: totpIssuer, AccountName: login, Secret: secret,
		Period: totpStep, Digits: totpOptions.Digits, Algorithm: totpOptions.Algorithm,
	})
	if err != nil {
		return TOTPSecret{}, fmt.Errorf("write a secret's URI: %w", err)
	}
	return TOTPSecret{Text: key.Secret(), URI: key.URL()}, nil
}

// ConfirmTOTP proves the secret with a first code and turns the second factor
// on; the person's other sessions end. It returns the recovery codes, which
// are shown only here.
// Faults: people_only, password_wrong, code_wrong, second_factor_on,
// second_factor_off, too_many_attempts.
func (c *Console) ConfirmTOTP(ctx context.Context, a Actor, password, code string) ([]string, error) {
	u, err := c.oneself(ctx, a, UseEnableTOTP)
	if err != nil {
		return nil, err
	}
	if err := mayHaveTOTP(&u); err != nil {
		return nil, err
	}
	var noCode error // whether it is the right one, only who knows the password is told
	if !totpForm.MatchString(plainCode(code)) {
		noCode = errCodeWrong()
	}
	if err := fault.All(c.recheck(ctx, a, UseEnableTOTP, &u, password), noCode); err != nil {
		return nil, err
	}
	codes, err := c.newRecoveryCodes()
	if err != nil {
		return nil, err
	}
	err = c.change(ctx, a, UseEnableTOTP, func(tx *store.Tx, by store.Actor) error {
		if err := c.useCode(ctx, tx, u.ID, code); err != nil {
			return err
		}
		if _, err := tx.ProveTOTP(ctx, u.ID); err != nil {
			return err
		}
		if err := tx.SetRecoveryCodes(ctx, u.ID, codes); err != nil {
			return err
		}
		if err := endOthers(ctx, tx, a, u.ID); err != nil {
			return err
		}
		return auditFactor(ctx, tx, by, UseEnableTOTP, u.ID, false, true)
	})
	if err != nil {
		return nil, err
	}
	return readable(codes), nil
}

// RenewRecoveryCodes replaces the actor's recovery codes.
// Faults: people_only, password_wrong, second_factor_off, too_many_attempts.
func (c *Console) RenewRecoveryCodes(ctx context.Context, a Actor, password string) ([]string, error) {
	u, err := c.oneself(ctx, a, UseRenewRecoveryCodes)
	if err == nil && u.TOTPAt == nil {
		err = fault.New(fault.KindConflict, CodeSecondFactorOff)
	}
	if err == nil {
		err = c.recheck(ctx, a, UseRenewRecoveryCodes, &u, password)
	}
	if err != nil {
		return nil, err
	}
	codes, err := c.newRecoveryCodes()
	if err != nil {
		return nil, err
	}
	err = c.change(ctx, a, UseRenewRecoveryCodes, func(tx *store.Tx, by store.Actor) error {
		if err := tx.SetRecoveryCodes(ctx, u.ID, codes); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseRenewRecoveryCodes), ObjectKind: "user", ObjectID: u.ID.String()})
	})
	if err != nil {
		return nil, err
	}
	return readable(codes), nil
}

// DisableTOTP turns the actor's second factor off; other sessions end.
// Faults: people_only, password_wrong, second_factor_off, too_many_attempts.
func (c *Console) DisableTOTP(ctx context.Context, a Actor, password string) error {
	u, err := c.oneself(ctx, a, UseDisableTOTP)
	if err == nil && u.TOTPAt == nil {
		err = fault.New(fault.KindConflict, CodeSecondFactorOff)
	}
	if err == nil {
		err = c.recheck(ctx, a, UseDisableTOTP, &u, password)
	}
	if err != nil {
		return err
	}
	return c.change(ctx, a, UseDisableTOTP, func(tx *store.Tx, by store.Actor) error {
		if _, err := tx.RemoveTOTP(ctx, u.ID); err != nil {
			return err
		}
		if err := endOthers(ctx, tx, a, u.ID); err != nil {
			return err
		}
		return auditFactor(ctx, tx, by, UseDisableTOTP, u.ID, true, false)
	})
}

// ResetTOTP turns somebody's second factor off, who lost it (admin), and ends
// their sessions. Faults: user_not_found, not_oneself.
func (c *Console) ResetTOTP(ctx context.Context, a Actor, id string) (User, error) {
	return c.changeUser(ctx, a, UseResetTOTP, id, func(tx *store.Tx, u *store.User) (store.User, error) {
		if u.ID.String() == a.UserID { // would do without the password that DisableTOTP asks for
			return store.User{}, fault.New(fault.KindConflict, CodeOneself)
		}
		if _, err := tx.EndSessions(ctx, u.ID, store.SessionID{}); err != nil {
			return store.User{}, err
		}
		return tx.RemoveTOTP(ctx, u.ID)
	})
}

// useCode spends a code of the telephone or a recovery code. A code is good for
// its step and the ones beside it, since clocks differ, and once: neither it
// nor an older one is taken again. Faults: code_wrong.
func (c *Console) useCode(ctx context.Context, tx *store.Tx, id store.UserID, code string) error {
	code = plainCode(code)
	if !totpForm.MatchString(code) {
		ok, err := tx.UseRecoveryCode(ctx, id, code)
		if err == nil && !ok {
			err = errCodeWrong()
		}
		return err
	}
	secret, err := tx.TOTPSecret(ctx, id)
	if isNotFound(err, "totp") {
		return errCodeWrong()
	}
	if err != nil {
		return err
	}
	now, found := c.now().Unix()/totpStep, int64(-1)
	for step := now - 1; step <= now+1; step++ { // all three, whichever it is
		want, err := totp.GenerateCodeCustom(b32.EncodeToString(secret), time.Unix(step*totpStep, 0), totpOptions)
		if err != nil {
			return fmt.Errorf("make a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	if found < 0 {
		return errCodeWrong()
	}
	ok, err := tx.UseTOTPStep(ctx, id, found)
	if err == nil && !ok {
		err = errCodeWrong()
	}
	return err
}

func errCodeWrong() error { return fault.New(fault.KindUnauthenticated, CodeCodeWrong).At("code") }

// plainCode is a code as it is kept, however it was typed.
func plainCode(code string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
}

func (c *Console) newRecoveryCodes() ([]string, error) {
	out := make([]string, recoveryCodes)
	for i := range out {
		raw := make([]byte, recoveryBytes)
		if _, err := io.ReadFull(c.rand, raw); err != nil {
			return nil, fmt.Errorf("make a recovery code: %w", err)
		}
		out[i] = b32.EncodeToString(raw)
	}
	return out, nil
}

// readable puts codes into groups of four.
func readable(codes []string) []string {
	out := make([]string, len(codes))
	for i, code := range codes {
		var groups []string
		for ; len(code) > 4; code = code[4:] {
			groups = append(groups, code[:4])
		}
		out[i] = strings.ToLower(strings.Join(append(groups, code), "-"))
	}
	return out
}

func auditFactor(ctx context.Context, tx *store.Tx, by store.Actor, use UseCase, id store.UserID, before, after bool) error {
	return tx.Audit(ctx, store.NewAudit{
		By: by, Action: string(use), ObjectKind: "user", ObjectID: id.String(),
		Before: map[string]any{"second_factor": before}, After: map[string]any{"second_factor": after},
	})
}
