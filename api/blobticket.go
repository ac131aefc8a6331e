package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/blob"
)

// A ticket lets one host read one blob for a while, or bring the image of one
// capture:
//
//	base64url(claims as JSON) "." base64url(HMAC-SHA-256 of the part before)
//
// The HMAC's key is derived from the server's identity, which all replicas
// share, so that a ticket of one is good at every other.
type ticketClaims struct {
	Host    string `json:"h"`
	SHA256  string `json:"s,omitempty"` // of the blob, or
	Job     string `json:"j,omitempty"` // the capture
	Expires int64  `json:"e"`           // Unix seconds
}

const ticketContext = "stickpress blob ticket v1\x00"

// ticketKey derives the HMAC's key.
func (c *Console) ticketKey(ctx context.Context) ([]byte, error) {
	key, err := c.ServerKey(ctx)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key.Seed())
	mac.Write([]byte(ticketContext))
	return mac.Sum(nil), nil
}

// newTicket makes a ticket for a blob.
func (c *Console) newTicket(ctx context.Context, host store.HostID, digest string) (string, error) {
	return c.sealTicket(ctx, ticketClaims{Host: host.String(), SHA256: digest})
}

// newUploadTicket makes a ticket for what a capture brings.
func (c *Console) newUploadTicket(ctx context.Context, host store.HostID, job store.JobID) (string, error) {
	return c.sealTicket(ctx, ticketClaims{Host: host.String(), Job: job.String()})
}

func (c *Console) sealTicket(ctx context.Context, claims ticketClaims) (string, error) {
	claims.Expires = c.now().Add(c.ticketTTL).Unix()
	key, err := c.ticketKey(ctx)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode a ticket: %w", err)
	}
	body := base64.RawURLEncoding.EncodeToString(raw)
	return body + "." + base64.RawURLEncoding.EncodeToString(ticketMAC(key, body)), nil
}

func ticketMAC(key []byte, body string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(body))
	return mac.Sum(nil)
}

// readTicket refuses a ticket that is forged or old.
func (c *Console) readTicket(ctx context.Context, ticket string) (claims ticketClaims, err error) {
	invalid := fault.New(fault.KindUnauthenticated, CodeTicketInvalid)
	key, err := c.ticketKey(ctx)
	if err != nil {
		return claims, err
	}
	body, mac, _ := strings.Cut(ticket, ".")
	have, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(have, ticketMAC(key, body)) {
		return claims, invalid
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return claims, invalid
	}
	if err := json.Unmarshal(raw, &claims); err != nil || !c.now().Before(time.Unix(claims.Expires, 0)) {
		return claims, invalid
	}
	return claims, nil
}

// checkTicket refuses a ticket that is forged, old, for another blob, or of a
// host that may not be here any more. It returns the ticket's host.
func (c *Console) checkTicket(ctx context.Context, ticket, digest string) (store.HostID, error) {
	claims, err := c.readTicket(ctx, ticket)
	if err == nil && (claims.SHA256 != digest || digest == "") {
		err = fault.New(fault.KindUnauthenticated, CodeTicketInvalid)
	}
	if err != nil {
		return store.HostID{}, err
	}
	host, err := c.ticketHost(ctx, claims)
	return host.ID, err
}

// ticketHost finds a ticket's host, which must not be revoked.
func (c *Console) ticketHost(ctx context.Context, claims ticketClaims) (store.Host, error) {
	id, err := store.ParseID[store.HostID](claims.Host)
	if err != nil {
		return store.Host{}, fault.New(fault.KindUnauthenticated, CodeTicketInvalid)
	}
	host, err := c.store.Host(ctx, id)
	if err == nil && host.State != store.HostEnrolled {
		err = fault.New(fault.KindForbidden, CodeHostRevoked)
	}
	return host, err
}

// checkEnrolled refuses a host that was revoked.
func (c *Console) checkEnrolled(ctx context.Context, id store.HostID) error {
	host, err := c.store.Host(ctx, id)
	if err == nil && host.State != store.HostEnrolled {
		err = fault.New(fault.KindForbidden, CodeHostRevoked)
	}
	return err
}

// recheckEvery is how long a download may go on before its host is looked up
// again.
const recheckEvery = 2 * time.Second

// hostBlob is a blob while its host may read it: one that is revoked gets no
// more, in the middle of a download too.
type hostBlob struct {
	blob.Reader
	check func() error
	now   func() time.Time
	next  time.Time // when to check again
}

func (b *hostBlob) Read(p []byte) (int, error) {
	if now := b.now(); !now.Before(b.next) {
		// While the database is away nobody can be revoked.
		if err := b.check(); err != nil && fault.From(err).Kind != fault.KindInternal {
			return 0, err
		}
		b.next = now.Add(recheckEvery)
	}
	return b.Reader.Read(p)
}

// HostBlob opens the bytes of a blob for the host that holds a ticket for it.
// The caller closes them; ctx must last as long as the reading, which ends with
// host_revoked if that happens to the host. Faults: ticket_invalid,
// host_revoked, blob_not_found.
func (c *Console) HostBlob(ctx context.Context, ticket, digest string) (blob.Reader, error) {
	host, err := c.checkTicket(ctx, ticket, digest)
	if err != nil {
		return nil, err
	}
	b, err := c.blobs.Open(ctx, digest)
	if err != nil {
		return nil, err
	}
	check := func() error { return c.checkEnrolled(ctx, host) }
	return &hostBlob{Reader: b, check: check, now: c.now, next: c.now().Add(recheckEvery)}, nil
}

// HostBlobRecord returns what a blob's bytes hash to, under the same ticket.
func (c *Console) HostBlobRecord(ctx context.Context, ticket, digest string) (protocol.BlobRecord, error) {
	if _, err := c.checkTicket(ctx, ticket, digest); err != nil {
		return protocol.BlobRecord{}, err
	}
	return c.store.BlobRecord(ctx, digest)
}
