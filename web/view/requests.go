package view

import (
	"slices"
	"strings"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/batch"
)

// RequestPage is what one ticket wants.
type RequestPage struct {
	Request    api.StickRequest
	WriteBacks []api.WriteBack
	History    []api.HistoryEntry
	Reason     string // as it was typed
	Problem    Problem
}

// answer is the address of the form that answers requests.
func answer(ids ...string) string {
	return "/jobs/new?request=" + strings.Join(ids, "&request=")
}

// Answer fills a new form in with what tickets want: one of them as one holder,
// several, or one with several sticks under a pattern's names, as the rows of a
// table. What they name and is not there stays for whoever fills in the rest.
func (p *NewJob) Answer() {
	q := p.Requests[0]
	p.Sequence = q.SequenceID
	if q.HostID != "" {
		p.Host = q.HostID
	} else if i := slices.IndexFunc(p.Hosts, func(h api.Host) bool { return h.SiteID == q.SiteID && h.Online }); i >= 0 {
		p.Host = p.Hosts[i].ID
	}
	p.Version, p.Channel = q.VersionID, ""
	if q.VersionID != "" && q.Channel != "" {
		p.Channel = q.Channel
	}
	p.PreferChannel()
	if len(p.Requests) == 1 {
		p.Holder, p.Reference, p.ComputerName = q.Holder, q.Ticket, q.ComputerName
		return
	}
	p.ByTable = true
	for _, q := range p.Requests {
		for n := 1; n <= q.Sticks && len(p.Rows) < batch.MaxRows; n++ {
			name, err := api.ComputerName(q.ComputerName, n, q.Ticket, q.Holder)
			if err != nil {
				name = q.ComputerName
			}
			p.Rows = append(p.Rows, Row{Row: batch.Row{Line: len(p.Rows) + 1, Holder: q.Holder, Computer: name, Reference: q.Ticket}})
		}
	}
}

// Answered are the requests that the sticks of the form are for: the only one,
// or those whose tickets are references.
func (p NewJob) Answered() []string {
	var ids []string
	for _, q := range p.Requests {
		named := slices.ContainsFunc(p.Rows, func(r Row) bool {
			return r.Reference == q.Ticket || r.Reference == "" && p.Reference == q.Ticket
		})
		if len(p.Requests) == 1 || named || len(p.Rows) == 0 && p.Reference == q.Ticket {
			ids = append(ids, q.ID)
		}
	}
	return ids
}

// Ref is what a reference is in its system: that of the connector if a request
// has it as its ticket.
func (p NewJob) Ref(reference string) api.ExternalRef {
	for _, q := range p.Requests {
		if q.Ticket == reference {
			return api.ExternalRef{System: q.Connector, ID: q.Ticket}
		}
	}
	return api.Ticket(reference)
}

// RequestedLayout is what the only request wants the sticks' layout to be, or empty.
func (p NewJob) RequestedLayout() string {
	if len(p.Requests) == 1 {
		return p.Requests[0].Layout
	}
	return ""
}

// complaintsOf are what requests name and what is not there, in words.
func complaintsOf(f Frame, q api.StickRequest) []string {
	var out []string
	for _, c := range q.Complaints {
		out = append(out, f.T("mapping.field_"+c.Field)+" “"+c.Value+"”: "+complaint(f, c.Code, c.Value))
	}
	return out
}

// complaint is why a value that a ticket names cannot be used.
func complaint(f Frame, code, value string) string {
	return f.L.Fault(code, map[string]string{"name": value, "layout": value, "pattern": value, "version": value, "id": value})
}

// requestWants says in a few words what is to be on the sticks.
func requestWants(q api.StickRequest) string {
	what := q.Image
	if q.Image != "" && q.Channel != "" {
		what += " (" + q.Channel + ")"
	}
	return what
}
