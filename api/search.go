package api

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// Found is one thing that a search found. What its fields hold depends on its
// kind.
type Found struct {
	Kind   string `json:"kind"` // "job", "stick", "host", "image" or "request"
	ID     string `json:"id"`
	Name   string `json:"name"`             // of a host or an image; a stick's maker and model; a job's or request's holder
	Detail string `json:"detail"`           // a host's name of its own; a stick's serial; a job's reference; a request's ticket
	Holder string `json:"holder,omitempty"` // of a stick
	State  string `json:"state"`
	Count  int    `json:"count"` // sticks of a job
	// Job is what a job does.
	Job protocol.JobKind `json:"job_kind,omitempty" enum:"press,capture,verify,wipe,raw"`
}

const (
	// searchEach is how many of each kind a search finds.
	searchEach = 6
	// maxSearch is how many bytes of what was typed are looked for.
	maxSearch = 100
)

// Search finds jobs, sticks, hosts and images of the actor's sites by an ID or
// by a part of a name, reference, holder or serial; without a text the newest.
// Of jobs and sticks that are not among the newest few thousand the whole
// reference, serial or holder is found, and how the ticket, holder or computer of
// one of their sticks begins.
func (c *Console) Search(ctx context.Context, a Actor, text string) ([]Found, error) {
	if err := allow(a, UseSearch); err != nil {
		return nil, err
	}
	sites, err := a.sites()
	if err != nil {
		return nil, err
	}
	text = strings.TrimSpace(text)
	for len(text) > maxSearch || !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text[:min(len(text), maxSearch)], "")
	}
	text = strings.ReplaceAll(text, "\x00", "")
	if exact, ok := c.searchID(ctx, a, text); ok {
		return []Found{exact}, nil
	}
	rows, err := c.store.Search(ctx, sites, text, searchEach)
	if err != nil {
		return nil, err
	}
	found := make([]Found, len(rows))
	for i, r := range rows {
		found[i] = Found(r)
	}
	if text == "" || !a.Can(UseListStickRequests) {
		return found, nil
	}
	requests, err := c.ListStickRequests(ctx, a, StickRequestFilter{Search: strings.Map(noControl, text)}, Page{Limit: searchEach})
	for _, q := range requests.Items {
		found = append(found, Found{Kind: "request", ID: q.ID, Name: q.Holder, Detail: q.Ticket, State: q.State, Count: q.Sticks})
	}
	return found, err
}

// noControl leaves control characters out.
func noControl(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// searchID finds what an ID names, if the actor may see it.
func (c *Console) searchID(ctx context.Context, a Actor, text string) (Found, bool) {
	prefix, _, _ := strings.Cut(text, "_")
	switch prefix {
	case "job":
		if j, err := c.GetJob(ctx, a, text); err == nil {
			return Found{Kind: "job", ID: j.ID, Name: j.Holder, Detail: j.ExternalRef.ID, State: j.State, Count: len(j.Builds), Job: j.Kind}, true
		}
	case "stick":
		if s, err := c.GetStick(ctx, a, text); err == nil {
			return Found{Kind: "stick", ID: s.ID, Name: strings.TrimSpace(s.Vendor + " " + s.Model), Detail: s.Serial, Holder: s.Holder, State: s.State}, true
		}
	case "host":
		if _, err := parse[store.HostID]("host", text); err != nil {
			return Found{}, false // a name that begins so
		}
		if h, err := c.GetHost(ctx, a, text); err == nil {
			return Found{Kind: "host", ID: h.ID, Name: h.Name, Detail: h.Hostname, State: h.State}, true
		}
	}
	return Found{}, false
}
