package view

import (
	"maps"
	"net/url"

	"github.com/stickpress/stickpress/api"
)

// auditFile is the address of what the filter leaves, as a file.
func auditFile(n *Narrowing, format string) string {
	q := url.Values{}
	maps.Copy(q, n.Query)
	q.Set("format", format)
	return "/audit/export?" + q.Encode()
}

// actionName is what was done, in words; what has none is shown as it is.
func actionName(f Frame, action string) string {
	if f.L.Has("action." + action) {
		return f.T("action." + action)
	}
	return action
}

func kindName(f Frame, kind string) string {
	if f.L.Has("kind." + kind) {
		return f.T("kind." + kind)
	}
	return kind
}

// named reports whether actors of a kind have names of their own.
func named(kind api.ActorKind) bool { return kind != api.ActorSystem && kind != api.ActorAnonymous }

// actorName is who did it, or what where that has no name.
func actorName(f Frame, kind api.ActorKind, name string) string {
	if named(kind) {
		return name
	}
	return f.T("audit.by_" + string(kind))
}

// actorText is the actor as the filter spells it.
func actorText(e api.AuditEntry) string {
	if e.ActorID != "" {
		return e.ActorID
	}
	return string(e.ActorKind)
}

// by names who made something as the audit log does: the console itself has no name.
func (f Frame) by(name string) string {
	if name == string(api.ActorSystem) {
		return actorName(f, api.ActorSystem, "")
	}
	return name
}
