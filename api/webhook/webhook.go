// Package webhook is how the console speaks to receivers of events, by the
// Standard Webhooks specification (standardwebhooks.com): what a message's
// headers say, and when one that failed is tried again. It knows nothing of the
// console; who is told of what is decided in package api.
//
// Messages come at least once and in no promised order. The ID of a message is
// the same in every attempt, so that a receiver knows what it has already.
package webhook

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// secretPrefix begins a secret, secretBytes is its entropy: the specification
// wants 24 to 64 bytes.
const (
	secretPrefix = "whsec_"
	secretBytes  = 32
)

// NewSecret makes a secret that messages are signed with.
func NewSecret(random io.Reader) (string, error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("make a webhook's secret: %w", err)
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(raw), nil
}

// Header is that of an attempt to deliver a message: its ID, the time of the
// attempt, and a signature by each secret ("v1,… v1,…").
func Header(id string, at time.Time, body []byte, secrets []string) (http.Header, error) {
	signatures := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		key, err := standard.NewWebhook(secret)
		if err != nil {
			return nil, fmt.Errorf("read a webhook's secret: %w", err)
		}
		signature, err := key.Sign(id, at, body)
		if err != nil {
			return nil, fmt.Errorf("sign a message: %w", err)
		}
		signatures = append(signatures, signature)
	}
	return http.Header{
		"Content-Type":                    {"application/json"},
		http.CanonicalHeaderKey(idHeader): {id},
		http.CanonicalHeaderKey(atHeader): {strconv.FormatInt(at.Unix(), 10)},
		http.CanonicalHeaderKey(byHeader): {strings.Join(signatures, " ")},
	}, nil
}

// The headers of a message.
const (
	idHeader = standard.HeaderWebhookID
	atHeader = standard.HeaderWebhookTimestamp
	byHeader = standard.HeaderWebhookSignature
)

// schedule is how long after a failed attempt the next one is due: eleven
// attempts within a day.
var schedule = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 10 * time.Hour,
}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = time.Hour

// Delay is the time until the attempt after the failed one of this number
// (from 1); ok is false when nobody tries any more. Up to a fifth is taken off
// by chance, from 0 to 1, so that messages that failed together do not come back
// together. A receiver's Retry-After is waited for, for an hour at most.
func Delay(attempt int, chance float64, header http.Header) (delay time.Duration, ok bool) {
	if attempt < 1 || attempt > len(schedule) {
		return 0, false
	}
	delay = schedule[attempt-1]
	delay -= time.Duration(float64(delay) * chance / 5)
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil && seconds > 0 {
		delay = max(delay, time.Duration(min(seconds, int(maxRetryAfter/time.Second)))*time.Second)
	}
	return delay, true
}
