package connector

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what Zammad signs with; an HMAC of it is not broken
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// Why a delivery is not believed. Whoever sent it is told none of these.
var (
	ErrNoCredentials = errors.New("the delivery proves nothing")
	ErrWrong         = errors.New("the delivery's proof is wrong")
	ErrTooOld        = errors.New("the delivery's signature is too old, or from the future")
)

// Credentials are what a connector's deliveries are verified by.
type Credentials struct {
	Method Method
	Header string // of MethodHeader
	User   string // of MethodBasic; empty takes any
	Secret string
}

// A signature with a time in it is believed for ReplayWindow after that time:
// GLPI signs when the ticket changes, not when its cron sends. It may be Ahead
// by so much. Within the window a delivery is taken once (see DeliveryKey).
const (
	ReplayWindow = 24 * time.Hour
	Ahead        = 5 * time.Minute
)

// Verify reports whether a delivery has the connector's credentials. It takes
// the same time whether they are wrong or the secret is.
func (c *Credentials) Verify(h http.Header, body []byte, now time.Time) error {
	switch c.Method {
	case MethodBasic:
		user, password, ok := Basic(h)
		if !ok {
			return ErrNoCredentials
		}
		right := same(password, c.Secret)
		if c.User != "" {
			right = same(user, c.User) && right
		}
		return believed(right)
	case MethodHeader:
		value := h.Get(c.Header)
		if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			value = strings.TrimSpace(rest)
		}
		if value == "" {
			return ErrNoCredentials
		}
		return believed(same(value, c.Secret))
	case MethodHubSHA256:
		return signed(h.Get("X-Hub-Signature"), "sha256=", sha256.New, c.Secret, body)
	case MethodHubSHA1:
		return signed(h.Get("X-Hub-Signature"), "sha1=", sha1.New, c.Secret, body)
	case MethodGLPI:
		at := h.Get("X-GLPI-timestamp")
		if err := signed(h.Get("X-GLPI-signature"), "", sha256.New, c.Secret, body, []byte(at)); err != nil {
			return err
		}
		// What was signed is trusted now; what it says may still be old.
		seconds, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return ErrWrong
		}
		if age := now.Sub(time.Unix(seconds, 0)); age > ReplayWindow || age < -Ahead {
			return ErrTooOld
		}
		return nil
	}
	return ErrNoCredentials
}

// signed compares a signature in hexadecimal digits with the HMAC of parts.
func signed(got, prefix string, algorithm func() hash.Hash, secret string, parts ...[]byte) error {
	if got == "" {
		return ErrNoCredentials
	}
	digits, ok := strings.CutPrefix(got, prefix)
	if !ok {
		return ErrWrong
	}
	mac, err := hex.DecodeString(digits)
	if err != nil {
		return ErrWrong
	}
	want := hmac.New(algorithm, []byte(secret))
	for _, p := range parts {
		want.Write(p)
	}
	return believed(secret != "" && hmac.Equal(mac, want.Sum(nil)))
}

// same compares secrets in a time that depends on neither: of hashes, since
// their lengths are equal.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return b != "" && subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func believed(right bool) error {
	if right {
		return nil
	}
	return ErrWrong
}

// Basic is the user and the password of a request.
func Basic(h http.Header) (user, password string, ok bool) {
	return (&http.Request{Header: h}).BasicAuth()
}

// DeliveryKey is what is equal when the same delivery comes again, whatever
// the ticket; nil where the system says no such thing. Zammad keeps it through
// its retries (app/jobs/trigger_webhook_job.rb: the job's ID), and so does Jira
// ("Webhooks", retry policy); GLPI sends again what it had signed.
func (s System) DeliveryKey(h http.Header) []byte {
	value := ""
	switch s {
	case Zammad:
		value = h.Get("X-Zammad-Delivery")
	case Jira:
		value = h.Get("X-Atlassian-Webhook-Identifier")
	case GLPI:
		value = h.Get("X-GLPI-signature")
	case ServiceNow, Freshservice, Generic:
	}
	if value == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(value))
	return sum[:]
}

// Mask is what of a delivery's headers may be kept and shown: the values of
// those that prove something are not.
func (c *Credentials) Mask(h http.Header) map[string]string {
	secret := map[string]bool{
		"Authorization": true, "Cookie": true, "Proxy-Authorization": true, "X-Api-Key": true,
		"X-Hub-Signature": true, "X-Glpi-Signature": true, textproto.CanonicalMIMEHeaderKey(c.Header): true,
	}
	out := map[string]string{}
	for name, values := range h {
		text := strings.Join(values, ", ")
		if secret[name] || len(c.Secret) >= leastMasked && strings.Contains(text, c.Secret) {
			text = Masked
		}
		out[name] = clip(text, maxHeader)
		if len(out) == maxHeaders {
			break
		}
	}
	return out
}

// MaskBody takes the connector's secret out of a body.
func (c *Credentials) MaskBody(body string) string {
	if len(c.Secret) < leastMasked {
		return body
	}
	return strings.ReplaceAll(body, c.Secret, Masked)
}

// Masked stands where a secret was.
const Masked = "********"

const (
	maxHeader   = 500 // bytes of a header that are kept
	maxHeaders  = 40
	leastMasked = 8 // a shorter secret would mask words
)

// clip is a text cut to so many bytes, still text.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
