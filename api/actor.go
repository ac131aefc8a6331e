package api

import (
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// ActorKind says what sort of party acts.
type ActorKind string

// The kinds of actors.
const (
	ActorAnonymous ActorKind = "anonymous" // nobody yet: may sign in, set up, enrol
	ActorUser      ActorKind = "user"      // a person in a browser
	ActorToken     ActorKind = "token"     // a program with a bearer token
	ActorHost      ActorKind = "host"      // an agent on its socket
	ActorSystem    ActorKind = "system"    // the program itself, and its command line on the server
)

// Role says how much an actor may do. Each role includes those before it.
type Role = store.Role

// The roles, least first.
const (
	RoleNone     Role = ""                 // nobody yet, and hosts
	RoleViewer        = store.RoleViewer   // sees
	RoleHelpdesk      = store.RoleHelpdesk // queues and cancels jobs
	RoleAdmin         = store.RoleAdmin    // changes images, templates, hosts, people
)

// Roles lists the roles that a person or a token can be given, least first.
var Roles = []Role{RoleViewer, RoleHelpdesk, RoleAdmin}

// Actor is on whose behalf a use case runs. The doors make one for each
// request (ActorForUser, ActorForToken, Anonymous); the console decides by it
// what is allowed and writes it into audit rows and events.
type Actor struct {
	Kind    ActorKind
	UserID  string // "user_…", of people and of tokens' owners
	TokenID string // "token_…", of tokens
	HostID  string // "host_…", of hosts
	Name    string // shown in logs: a login, a token's or a host's name
	Role    Role
	// Sites that the actor may see and act on, as IDs; empty means every site.
	Sites []string
	// Scopes of a token; empty means whatever the role and the sites allow.
	Scopes    []TokenScope
	Locale    string // "en", "zh-CN", or empty
	RequestID string
	Address   string // of the peer, without its port
	SessionID string // "session_…", of people in a browser
	Agent     string // what the browser calls itself

	repeatable *store.HeldRequest // see Repeatable
	refused    error              // see Refused
}

// Refused is the actor of a request in which its door has found something wrong, if
// err is not nil: what it asks for is checked like any other, so that all that is
// wrong is told at once (fault.All), and refused with err in the end.
func (a Actor) Refused(err error) Actor {
	a.refused = err
	return a
}

// Anonymous is the actor of a request that nobody has signed in for.
func Anonymous(locale, requestID, address string) Actor {
	return Actor{Kind: ActorAnonymous, Name: "anonymous", Locale: locale, RequestID: requestID, Address: address}
}

// System is the actor of the program itself: start-up, sweeps and the command
// line on the server's own machine. It may do everything.
func System(name string) Actor {
	return Actor{Kind: ActorSystem, Name: name, Role: RoleAdmin}
}

// InSite reports whether the actor's scope includes a site.
func (a Actor) InSite(siteID string) bool {
	if len(a.Sites) == 0 {
		return true
	}
	for _, s := range a.Sites {
		if s == siteID {
			return true
		}
	}
	return false
}

// by is the actor as history keeps it. Nobody leaves no history.
func (a Actor) by() (store.Actor, error) {
	by := store.Actor{Kind: store.ActorKind(a.Kind), RequestID: a.RequestID, Address: a.Address}
	switch a.Kind {
	case ActorSystem:
		return by, nil
	case ActorUser:
		id, err := store.ParseID[store.UserID](a.UserID)
		by.ID = store.ActorID(id)
		return by, err
	case ActorToken:
		id, err := store.ParseID[store.TokenID](a.TokenID)
		by.ID = store.ActorID(id)
		return by, err
	case ActorHost:
		id, err := store.ParseID[store.HostID](a.HostID)
		by.ID = store.ActorID(id)
		return by, err
	case ActorAnonymous:
	}
	return by, fault.New(fault.KindUnauthenticated, CodeSignInNeeded)
}

// as is a with what it turned out to be, for the audit row of a request that
// began anonymous.
func (a Actor) as(by store.Actor) store.Actor {
	by.RequestID, by.Address = a.RequestID, a.Address
	return by
}
