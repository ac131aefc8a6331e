package api

import (
	"context"
	"regexp"

	"github.com/stickpress/stickpress/api/unattend"
	"github.com/stickpress/stickpress/store"
)

// names looks up what IDs are called, once each. History keeps people and
// things by ID; pages show names.
type names struct {
	r         store.Reader
	known     map[string]string
	versions  map[store.VersionID]store.Version
	sequences map[store.SequenceVersionID]store.SequenceVersion
	templates map[store.TemplateVersionID]*unattend.Template

	connectors map[store.ConnectorID]store.Connector
	shown      map[string]string // of known, what may be said of lines of the log
}

func (c *Console) names() *names { return &names{r: c.store.Reader} }

// tell says what an ID is called, so that it need not be looked up.
func (n *names) tell(id, name string) {
	if n.known == nil {
		n.known = map[string]string{}
	}
	n.known[id] = name
}

// look returns the name of an ID; one that is gone has an empty name.
func (n *names) look(id, kind string, find func() (string, error)) (string, error) {
	if name, ok := n.known[id]; ok || id == "" {
		return name, nil
	}
	name, err := find()
	if err != nil && !isNotFound(err, kind) {
		return "", err
	}
	n.tell(id, name)
	return name, nil
}

func (n *names) user(ctx context.Context, id store.UserID) (string, error) {
	return n.look(id.String(), "user", func() (string, error) {
		u, err := n.r.User(ctx, id)
		return u.Login, err
	})
}

func (n *names) host(ctx context.Context, id store.HostID) (string, error) {
	return n.look(id.String(), "host", func() (string, error) {
		h, err := n.r.Host(ctx, id)
		return h.Name, err
	})
}

func (n *names) image(ctx context.Context, id store.ImageID) (string, error) {
	return n.look(id.String(), "image", func() (string, error) {
		i, err := n.r.Image(ctx, id)
		return i.Name, err
	})
}

// connector finds a connector, once.
func (n *names) connector(ctx context.Context, id store.ConnectorID) (store.Connector, error) {
	if k, ok := n.connectors[id]; ok {
		return k, nil
	}
	k, err := n.r.Connector(ctx, id)
	if err == nil {
		if n.connectors == nil {
			n.connectors = map[store.ConnectorID]store.Connector{}
		}
		n.connectors[id] = k
	}
	return k, err
}

func (n *names) site(ctx context.Context, id store.SiteID) (string, error) {
	return n.look(id.String(), "site", func() (string, error) {
		s, err := n.r.Site(ctx, id)
		return s.Name, err
	})
}

// version finds an image version, once; the zero ID gives the zero Version.
func (n *names) version(ctx context.Context, id store.VersionID) (store.Version, error) {
	if id.IsZero() {
		return store.Version{}, nil
	}
	if v, ok := n.versions[id]; ok {
		return v, nil
	}
	v, err := n.r.Version(ctx, id)
	if err == nil {
		n.tellVersion(v)
	}
	return v, err
}

func (n *names) tellVersion(v store.Version) {
	if n.versions == nil {
		n.versions = map[store.VersionID]store.Version{}
	}
	n.versions[v.ID] = v
}

// sequence finds a task sequence's version, once; the zero ID gives the zero
// SequenceVersion.
func (n *names) sequence(ctx context.Context, id store.SequenceVersionID) (store.SequenceVersion, error) {
	if id.IsZero() {
		return store.SequenceVersion{}, nil
	}
	if v, ok := n.sequences[id]; ok {
		return v, nil
	}
	v, err := n.r.SequenceVersion(ctx, id)
	if err == nil {
		n.tellSequence(v)
	}
	return v, err
}

func (n *names) tellSequence(v store.SequenceVersion) {
	if n.sequences == nil {
		n.sequences = map[store.SequenceVersionID]store.SequenceVersion{}
	}
	n.sequences[v.ID] = v
}

func (n *names) sequenceName(ctx context.Context, id store.SequenceID) (string, error) {
	return n.look(id.String(), "task_sequence", func() (string, error) {
		s, err := n.r.Sequence(ctx, id)
		return s.Name, err
	})
}

// tellActor says what who is asking is called.
func (n *names) tellActor(a Actor) {
	switch a.Kind {
	case ActorUser:
		n.tell(a.UserID, a.Name)
	case ActorToken:
		n.tell(a.TokenID, a.Name)
	case ActorHost, ActorSystem, ActorAnonymous:
	}
}

func (n *names) actor(ctx context.Context, kind store.ActorKind, id store.ActorID) (string, error) {
	switch kind {
	case store.ActorUser:
		return n.user(ctx, store.UserID(id))
	case store.ActorHost:
		return n.host(ctx, store.HostID(id))
	case store.ActorToken:
		key := store.TokenID(id)
		return n.look(key.String(), "token", func() (string, error) {
			t, err := n.r.APIToken(ctx, key)
			return t.Name, err
		})
	case store.ActorSystem, store.ActorAnonymous:
	}
	return string(kind), nil
}

// actorID is an actor's ID in the form of its kind; the system and nobody have none.
func actorID(kind store.ActorKind, id store.ActorID) string {
	if id.IsZero() {
		return ""
	}
	return store.ActorText(kind, id)
}

// idText is what may be an ID: a prefix and 26 digits of Crockford's base 32.
var idText = regexp.MustCompile(`\b[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}\b`)

// learn looks up at once who and what the lines of a page are about, and what the
// changes in them name.
func (n *names) learn(ctx context.Context, a Actor, rows []store.AuditEntry) error {
	var ids []string
	for i := range rows {
		e := &rows[i]
		ids = append(ids, idsIn(e)...)
		if by := actorID(e.ActorKind, e.ActorID); by != "" {
			ids = append(ids, by)
			n.tell(by, by) // what is gone keeps its ID
		}
	}
	named, err := n.r.Names(ctx, ids)
	if err != nil {
		return err
	}
	n.shown = map[string]string{}
	for _, x := range named {
		n.tell(x.ID, x.Name)
		if x.Shared || x.ID == a.UserID || x.ID == a.TokenID || a.within(siteTexts(x.Sites)) {
			n.shown[x.ID] = x.Name
		}
	}
	return nil
}

// in are the names of what a line is about and of what its changes name.
func (n *names) in(e *store.AuditEntry) map[string]string {
	out := map[string]string{}
	for _, id := range idsIn(e) {
		if name, ok := n.shown[id]; ok {
			out[id] = name
		}
	}
	return out
}

func idsIn(e *store.AuditEntry) []string {
	ids := append(idText.FindAllString(string(e.Before), -1), idText.FindAllString(string(e.After), -1)...)
	return append(ids, idText.FindAllString(e.ObjectID, -1)...)
}
