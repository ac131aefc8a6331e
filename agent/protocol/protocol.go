// Package protocol is what a server and an agent say to each other.
//
// One websocket carries small JSON messages, each in an Envelope; image bytes
// never travel on it, they go over HTTP (see Blob). A connection goes:
//
//	server → Challenge   who I am, and a nonce to sign
//	agent  → Hello       who I am, which versions I speak, my nonce, my proof
//	server → Welcome     the version we use, its own proof, the heartbeat
//	agent  → Resume      every attempt that I hold and how far it got
//	agent  → Inventory   the devices I see, again after every change
//	server → Assign      work; agent → Events, Progress; server → Ack
//
// Either side may close at any moment and nothing is lost: the agent keeps
// its events until they are acknowledged and sends them again, the server
// sends unfinished assignments again, and both sides ignore what they know.
package protocol

import (
	"encoding/json"
	"fmt"
)

// Version is the newest protocol that this program speaks, MinVersion the
// oldest. A change that an older peer would misread raises Version and adds a
// line to History; MinVersion follows one release later.
const (
	Version    = 1
	MinVersion = 1
)

// History dates every version; a test holds it in step with Version.
var History = []struct {
	Version int
	Date    string
	What    string
}{
	{1, "2026-11-22", "challenge, hello, welcome; resume, inventory, assign, events, ack, progress, cancel, drain, revoked"},
}

// Paths of the agent's door on the server.
const (
	PathEnroll = "/agent/v1/enroll"  // POST EnrollRequest → EnrollResponse
	PathSocket = "/agent/v1/socket"  // websocket
	PathBlob   = "/agent/v1/blobs/"  // GET <sha256>, ranged, bearer token of the assignment
	PathBlocks = "/agent/v1/blocks/" // GET <sha256> → BlobRecord
)

// Limits of the socket, enforced by both sides.
const (
	MaxMessage = 4 << 20 // bytes of one message; a larger one closes the socket
	SendQueue  = 256     // messages waiting to be sent; overflow closes the socket
)

// Type names a message.
type Type string

// The messages.
const (
	TypeChallenge Type = "challenge"
	TypeHello     Type = "hello"
	TypeWelcome   Type = "welcome"
	TypeReject    Type = "reject"
	TypeResume    Type = "resume"
	TypeInventory Type = "inventory"
	TypeAssign    Type = "assign"
	TypeCancel    Type = "cancel"
	TypeEvents    Type = "events"
	TypeAck       Type = "ack"
	TypeProgress  Type = "progress"
	TypeDrain     Type = "drain"
	TypeRevoked   Type = "revoked"
	TypeRefresh   Type = "refresh"
	TypeTicket    Type = "ticket"
	TypeIdentify  Type = "identify"

	TypeWantRecord Type = "want_record"
	TypeRecord     Type = "record"

	TypeFoundStick   Type = "found_stick"
	TypeStickVerdict Type = "stick_verdict"
)

// Envelope is one message on the wire.
type Envelope struct {
	V    int             `json:"v"`
	Type Type            `json:"type"`
	Body json.RawMessage `json:"body"`
}

// Encode wraps a message of this package in its envelope.
func Encode(m Message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.MessageType(), err)
	}
	return json.Marshal(Envelope{V: Version, Type: m.MessageType(), Body: body})
}

// Decode reads one message. It fails on a type that this version does not
// know, so that a newer peer's extra message is seen and logged by the caller
// rather than half understood; callers skip ErrUnknownType.
func Decode(raw []byte) (Message, error) {
	if len(raw) > MaxMessage {
		return nil, fmt.Errorf("message of %d bytes: limit is %d", len(raw), MaxMessage)
	}
	var e Envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("decode envelope: %w", err)
	}
	if e.V < MinVersion {
		return nil, fmt.Errorf("message of protocol %d: oldest is %d", e.V, MinVersion)
	}
	mk, ok := makers[e.Type]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrUnknownType, e.Type)
	}
	m := mk()
	if err := json.Unmarshal(e.Body, m); err != nil {
		return nil, fmt.Errorf("decode %s: %w", e.Type, err)
	}
	return m, nil
}

// ErrUnknownType is returned by Decode for a message type of a newer peer.
var ErrUnknownType = fmt.Errorf("unknown message type")

// Message is any body of an Envelope; the concrete types are pointers.
type Message interface{ MessageType() Type }

var makers = map[Type]func() Message{
	TypeChallenge: func() Message { return new(Challenge) },
	TypeHello:     func() Message { return new(Hello) },
	TypeWelcome:   func() Message { return new(Welcome) },
	TypeReject:    func() Message { return new(Reject) },
	TypeResume:    func() Message { return new(Resume) },
	TypeInventory: func() Message { return new(Inventory) },
	TypeAssign:    func() Message { return new(Assign) },
	TypeCancel:    func() Message { return new(Cancel) },
	TypeEvents:    func() Message { return new(Events) },
	TypeAck:       func() Message { return new(Ack) },
	TypeProgress:  func() Message { return new(Progress) },
	TypeDrain:     func() Message { return new(Drain) },
	TypeRevoked:   func() Message { return new(Revoked) },
	TypeRefresh:   func() Message { return new(Refresh) },
	TypeTicket:    func() Message { return new(Ticket) },
	TypeIdentify:  func() Message { return new(Identify) },

	TypeWantRecord: func() Message { return new(WantRecord) },
	TypeRecord:     func() Message { return new(Record) },

	TypeFoundStick:   func() Message { return new(FoundStick) },
	TypeStickVerdict: func() Message { return new(StickVerdict) },
}

// MessageType is TypeFoundStick.
func (*FoundStick) MessageType() Type { return TypeFoundStick }

// MessageType is TypeStickVerdict.
func (*StickVerdict) MessageType() Type { return TypeStickVerdict }

// MessageType is TypeWantRecord.
func (*WantRecord) MessageType() Type { return TypeWantRecord }

// MessageType is TypeRecord.
func (*Record) MessageType() Type { return TypeRecord }

// MessageType is TypeChallenge.
func (*Challenge) MessageType() Type { return TypeChallenge }

// MessageType is TypeHello.
func (*Hello) MessageType() Type { return TypeHello }

// MessageType is TypeWelcome.
func (*Welcome) MessageType() Type { return TypeWelcome }

// MessageType is TypeReject.
func (*Reject) MessageType() Type { return TypeReject }

// MessageType is TypeResume.
func (*Resume) MessageType() Type { return TypeResume }

// MessageType is TypeInventory.
func (*Inventory) MessageType() Type { return TypeInventory }

// MessageType is TypeAssign.
func (*Assign) MessageType() Type { return TypeAssign }

// MessageType is TypeCancel.
func (*Cancel) MessageType() Type { return TypeCancel }

// MessageType is TypeEvents.
func (*Events) MessageType() Type { return TypeEvents }

// MessageType is TypeAck.
func (*Ack) MessageType() Type { return TypeAck }

// MessageType is TypeProgress.
func (*Progress) MessageType() Type { return TypeProgress }

// MessageType is TypeDrain.
func (*Drain) MessageType() Type { return TypeDrain }

// MessageType is TypeRevoked.
func (*Revoked) MessageType() Type { return TypeRevoked }

// MessageType is TypeRefresh.
func (*Refresh) MessageType() Type { return TypeRefresh }

// MessageType is TypeTicket.
func (*Ticket) MessageType() Type { return TypeTicket }
