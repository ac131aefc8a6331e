package store

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stickpress/stickpress/api/fault"
)

// ID is the key of one kind of record: a UUIDv7 in the database, and outside
// it a prefix and 26 characters of Crockford's base 32 in lower case
// ("job_01jd6y9k3te0mv8b0g2z5q4w7x", the form of TypeID). The type parameter
// keeps the ID of a job from being used as that of a build. The zero ID means
// "none": it is NULL in the database and empty text outside.
type ID[K kind] [16]byte

// kind is the prefix of an ID, as a type.
type kind interface{ prefix() string }

// The kinds of IDs.
type (
	jobKind             struct{}
	buildKind           struct{}
	stickKind           struct{}
	hostKind            struct{}
	siteKind            struct{}
	userKind            struct{}
	tokenKind           struct{}
	imageKind           struct{}
	versionKind         struct{}
	channelKind         struct{}
	templateKind        struct{}
	templateVersionKind struct{}
	sequenceKind        struct{}
	sequenceVersionKind struct{}
	auditKind           struct{}
	serverKeyKind       struct{}
	certificateKind     struct{}
	viewKind            struct{}
	taskKind            struct{}
	sessionKind         struct{}
	connectorKind       struct{}
	payloadKind         struct{}
	requestKind         struct{}
	writeBackKind       struct{}
	webhookKind         struct{}
	messageKind         struct{}
	actorKind           struct{}
	pairingKind         struct{}
)

func (jobKind) prefix() string             { return "job" }
func (buildKind) prefix() string           { return "build" }
func (stickKind) prefix() string           { return "stick" }
func (hostKind) prefix() string            { return "host" }
func (siteKind) prefix() string            { return "site" }
func (userKind) prefix() string            { return "user" }
func (tokenKind) prefix() string           { return "token" }
func (imageKind) prefix() string           { return "image" }
func (versionKind) prefix() string         { return "ver" }
func (channelKind) prefix() string         { return "chan" }
func (templateKind) prefix() string        { return "tpl" }
func (templateVersionKind) prefix() string { return "tplver" }
func (sequenceKind) prefix() string        { return "seq" }
func (sequenceVersionKind) prefix() string { return "seqver" }
func (auditKind) prefix() string           { return "audit" }
func (serverKeyKind) prefix() string       { return "key" }
func (certificateKind) prefix() string     { return "cert" }
func (viewKind) prefix() string            { return "view" }
func (taskKind) prefix() string            { return "task" }
func (sessionKind) prefix() string         { return "session" }
func (connectorKind) prefix() string       { return "conn" }
func (payloadKind) prefix() string         { return "payload" }
func (requestKind) prefix() string         { return "request" }
func (writeBackKind) prefix() string       { return "writeback" }
func (webhookKind) prefix() string         { return "webhook" }
func (messageKind) prefix() string         { return "msg" }
func (actorKind) prefix() string           { return "actor" }
func (pairingKind) prefix() string         { return "pairing" }

type (
	// JobID names a job: job_….
	JobID = ID[jobKind]
	// BuildID names a build: build_….
	BuildID = ID[buildKind]
	// StickID names a stick: stick_….
	StickID = ID[stickKind]
	// HostID names a host: host_….
	HostID = ID[hostKind]
	// SiteID names a site: site_….
	SiteID = ID[siteKind]
	// UserID names a user: user_….
	UserID = ID[userKind]
	// TokenID names an API token: token_….
	TokenID = ID[tokenKind]
	// ImageID names an image: image_….
	ImageID = ID[imageKind]
	// VersionID names an image version: ver_….
	VersionID = ID[versionKind]
	// ChannelID names a channel: chan_….
	ChannelID = ID[channelKind]
	// TemplateID names an unattend template: tpl_….
	TemplateID = ID[templateKind]
	// TemplateVersionID names a version of one: tplver_….
	TemplateVersionID = ID[templateVersionKind]
	// SequenceID names a task sequence: seq_….
	SequenceID = ID[sequenceKind]
	// SequenceVersionID names a version of one: seqver_….
	SequenceVersionID = ID[sequenceVersionKind]
	// AuditID names an audit entry: audit_….
	AuditID = ID[auditKind]
	// ServerKeyID names an identity of the console: key_….
	ServerKeyID = ID[serverKeyKind]
	// CertificateID names a certificate of a wiped stick: cert_….
	CertificateID = ID[certificateKind]
	// PairingID names a program that asks a person for a token: pairing_….
	PairingID = ID[pairingKind]
	// ViewID names a saved view of a list: view_….
	ViewID = ID[viewKind]
	// StickTaskID is the key of a StickTask.
	StickTaskID = ID[taskKind]
	// SessionID names a place where a user is signed in: session_….
	SessionID = ID[sessionKind]
	// ConnectorID names a connector of a ticket system: conn_….
	ConnectorID = ID[connectorKind]
	// PayloadID names a delivery that is kept: payload_….
	PayloadID = ID[payloadKind]
	// RequestID names a stick request: request_….
	RequestID = ID[requestKind]
	// WriteBackID names something that is told to a ticket: writeback_….
	WriteBackID = ID[writeBackKind]
	// WebhookID names a webhook: webhook_….
	WebhookID = ID[webhookKind]
	// MessageID names a message of a webhook: msg_….
	MessageID = ID[messageKind]
	// ActorID names whoever did something; see Actor for its text form.
	ActorID = ID[actorKind]
)

// DefaultSite is the site that the first migration makes.
var DefaultSite = SiteID{0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}

// NewID makes an ID, NewID[store.JobID](now, random): UUID version 7 (RFC 9562,
// section 5.7), 48 bits of milliseconds since 1970, 12 of their fraction (its
// section 6.2, method 3) and 62 random bits. IDs of one quarter of a
// microsecond are in no order.
func NewID[T ~[16]byte](now time.Time, random io.Reader) (T, error) {
	id := T(startID(now))
	if _, err := io.ReadFull(random, id[8:]); err != nil {
		return id, fmt.Errorf("make an ID: %w", err)
	}
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// firstID is where the IDs of a time begin: those that were made earlier are
// less. The zero time gives the zero ID.
func firstID[K kind](t time.Time) ID[K] {
	if t.IsZero() {
		return ID[K]{}
	}
	return startID(t)
}

// startID is the part of a time's IDs that is not random.
func startID(t time.Time) (id [16]byte) {
	ms := t.UnixMilli()
	fraction := t.Sub(time.UnixMilli(ms)) << 12 / time.Millisecond
	binary.BigEndian.PutUint64(id[:], uint64(ms)<<16|0x7000|uint64(fraction))
	return id
}

// ParseID reads the text form: ParseID[store.JobID]("job_…"). What is not one
// is the fault id_invalid.
func ParseID[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](text string) (T, error) {
	var id T
	if text == "" {
		return id, fault.New(fault.KindInvalid, "id_invalid", "id", text)
	}
	err := P(&id).UnmarshalText([]byte(text))
	return id, err
}

// IsZero reports whether id names nothing.
func (id ID[K]) IsZero() bool { return id == ID[K]{} }

// base32 is Crockford's alphabet, as TypeID uses it.
const base32 = "0123456789abcdefghjkmnpqrstvwxyz"

// String returns the text form, "" for the zero ID.
func (id ID[K]) String() string {
	if id.IsZero() {
		return ""
	}
	var k K
	return encodeID(k.prefix(), id)
}

// encodeID writes 128 bits as 26 digits of five bits, the first one of three.
func encodeID(prefix string, id [16]byte) string {
	hi, lo := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	var digits [26]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = base32[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return prefix + "_" + string(digits[:])
}

// MarshalText is String.
func (id ID[K]) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form with the right prefix, or "" as the zero
// ID. Anything else is the fault id_invalid and leaves id alone.
func (id *ID[K]) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID[K]{}
		return nil
	}
	var k K
	key, err := decodeID(k.prefix(), string(text))
	if err == nil {
		*id = key
	}
	return err
}

// decodeID reads what encodeID wrote. Anything else, and the zero ID, is the
// fault id_invalid.
func decodeID(prefix, text string) (id [16]byte, err error) {
	invalid := fault.New(fault.KindInvalid, "id_invalid", "id", text, "prefix", prefix)
	digits, ok := strings.CutPrefix(text, prefix+"_")
	if !ok || len(digits) != 26 || digits[0] > '7' {
		return id, invalid
	}
	var hi, lo uint64
	for i := range digits {
		d := strings.IndexByte(base32, digits[i])
		if d < 0 {
			return id, invalid
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(d)
	}
	if hi == 0 && lo == 0 {
		return id, invalid
	}
	binary.BigEndian.PutUint64(id[:8], hi)
	binary.BigEndian.PutUint64(id[8:], lo)
	return id, nil
}

// lowBits are the last 32 bits of the IDs that end in these digits, whatever
// their case, as eight digits of base 16. Fewer than seven say less.
func lowBits(end string) (hex string, ok bool) {
	var low uint64
	for _, digit := range []byte(strings.ToLower(end)) {
		d := strings.IndexByte(base32, digit)
		if d < 0 {
			return "", false
		}
		low = low<<5 | uint64(d)
	}
	return fmt.Sprintf("%08x", uint32(low)), len(end) >= 7 //nolint:gosec // the last 32 bits are meant
}

// ScanUUID implements pgtype.UUIDScanner; NULL is the zero ID.
func (id *ID[K]) ScanUUID(v pgtype.UUID) error {
	*id = ID[K](v.Bytes)
	return nil
}

// UUIDValue implements pgtype.UUIDValuer; the zero ID is NULL.
func (id ID[K]) UUIDValue() (pgtype.UUID, error) {
	return pgtype.UUID{Bytes: id, Valid: !id.IsZero()}, nil
}
