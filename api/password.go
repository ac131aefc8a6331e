package api

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/stickpress/stickpress/api/fault"
)

// The cost of one password hash: the second recommendation of RFC 9106
// section 4 with a smaller memory, which fits the bound below on a small
// server (OWASP's password storage cheat sheet lists these numbers).
const (
	argonTime    = 3
	argonMemory  = 32 << 10 // KiB
	argonThreads = 1
	argonKey     = 32
	argonSalt    = 16
)

// passwords hashes and checks passwords, a few at a time: each hash takes
// argonMemory, so a flood of sign-ins must queue and not eat the machine.
type passwords struct {
	rand  io.Reader
	slots chan struct{}
	decoy string // checked for a login that does not exist
}

func newPasswords(rand io.Reader, concurrent int) (*passwords, error) {
	p := &passwords{rand: rand, slots: make(chan struct{}, concurrent)}
	decoy, err := p.Hash(context.Background(), "decoy")
	p.decoy = decoy
	return p, err
}

// Hash returns the PHC string of a password.
func (p *passwords) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, argonSalt)
	if _, err := io.ReadFull(p.rand, salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	key, err := p.derive(ctx, password, salt, argonTime, argonMemory, argonThreads)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemory, argonTime, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// Check reports whether a password is the one of a PHC string. With an empty
// string (an unknown login, a person without a password) it works as long and
// reports false.
func (p *passwords) Check(ctx context.Context, phc, password string) (bool, error) {
	real := phc != ""
	if !real {
		phc = p.decoy
	}
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, fmt.Errorf("password hash is not argon2id")
	}
	var memory, time uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return false, fmt.Errorf("read the password hash's cost: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("read the password hash's salt: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, fmt.Errorf("read the password hash: %w", err)
	}
	have, err := p.derive(ctx, password, salt, time, memory, threads)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(have, want) == 1 && real, nil
}

func (p *passwords) derive(ctx context.Context, password string, salt []byte, time, memory uint32, threads uint8) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
	defer func() { <-p.slots }()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, argonKey), nil
}

// checkPassword checks a new password's length. Faults: password_too_short,
// password_too_long.
func checkPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return fault.New(fault.KindInvalid, CodePasswordTooShort, "min", MinPassword).At("password")
	case len(password) > maxPassword:
		return fault.New(fault.KindInvalid, CodePasswordTooLong, "max", maxPassword).At("password")
	}
	return nil
}
