package store

import (
	"strings"

	"github.com/stickpress/stickpress/api/fault"
)

// ActorKind says what sort of actor did something.
type ActorKind string

// The kinds of actors.
const (
	ActorUser      ActorKind = "user"      // a person with a session
	ActorToken     ActorKind = "token"     // a program with an API token
	ActorHost      ActorKind = "host"      // an imaging host
	ActorSystem    ActorKind = "system"    // the console itself
	ActorAnonymous ActorKind = "anonymous" // nobody known; in the audit log only
)

// Actor is who did something, as history and the audit log keep it: by ID,
// never by name. RequestID and Address go to the audit log only.
type Actor struct {
	Kind      ActorKind
	ID        ActorID // zero for ActorSystem and ActorAnonymous
	RequestID string
	Address   string
}

// System is the console acting by itself.
var System = Actor{Kind: ActorSystem}

// Anonymous is whoever failed to sign in.
var Anonymous = Actor{Kind: ActorAnonymous}

// UserActor is a person.
func UserActor(id UserID) Actor { return Actor{Kind: ActorUser, ID: ActorID(id)} }

// HostActor is an imaging host.
func HostActor(id HostID) Actor { return Actor{Kind: ActorHost, ID: ActorID(id)} }

// String returns the actor's ID with the prefix of its kind, or the kind of one
// without an ID ("system").
func (a Actor) String() string { return ActorText(a.Kind, a.ID) }

// ActorText is the text form of an actor of the given kind.
func ActorText(kind ActorKind, id ActorID) string {
	if id.IsZero() {
		return string(kind)
	}
	return encodeID(string(kind), id)
}

// ParseActor reads what ActorText wrote. Anything else is the fault id_invalid.
func ParseActor(text string) (ActorKind, ActorID, error) {
	switch kind, _, _ := strings.Cut(text, "_"); ActorKind(kind) {
	case ActorUser:
		id, err := ParseID[UserID](text)
		return ActorUser, ActorID(id), err
	case ActorToken:
		id, err := ParseID[TokenID](text)
		return ActorToken, ActorID(id), err
	case ActorHost:
		id, err := ParseID[HostID](text)
		return ActorHost, ActorID(id), err
	case ActorSystem, ActorAnonymous:
		if text == kind {
			return ActorKind(kind), ActorID{}, nil
		}
	}
	return "", ActorID{}, fault.New(fault.KindInvalid, "id_invalid", "id", text)
}
