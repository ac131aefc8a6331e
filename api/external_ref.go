package api

import (
	"context"
	"maps"
	"regexp"
	"strings"

	"github.com/stickpress/stickpress/api/fault"
)

// ExternalRef is what something is called elsewhere: a ticket of a ticketing
// system. Builds that are not over have one job for each, so that a ticket that
// arrives twice is pressed once.
type ExternalRef struct {
	System string `json:"system,omitempty" doc:"Such as servicenow: 1 to 63 of a-z 0-9 . _ -; 'ticket' if left out."`
	ID     string `json:"id" maxLength:"200" doc:"Such as INC0042."`
}

// TicketSystem is the system of a reference that names none: what helpdesk
// types.
const TicketSystem = "ticket"

// Ticket is what helpdesk types as the number of a ticket; without one it is
// nothing.
func Ticket(number string) ExternalRef {
	if strings.TrimSpace(number) == "" {
		return ExternalRef{}
	}
	return ExternalRef{System: TicketSystem, ID: strings.TrimSpace(number)}
}

var systemForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// check refuses a system that is none. Faults: reference_system_invalid.
func (r ExternalRef) check(prefix string) error {
	if r.System != "" && !systemForm.MatchString(r.System) {
		return fault.New(fault.KindInvalid, CodeReferenceSystem).At(prefix + "external_ref.system")
	}
	return nil
}

// split is the reference as it is stored.
func (r ExternalRef) split() (system, id string) {
	id = strings.TrimSpace(r.ID)
	if id == "" {
		return "", ""
	}
	if r.System == "" {
		return TicketSystem, id
	}
	return r.System, id
}

// externalRefOf is a stored reference; those from before there were systems are
// tickets.
func externalRefOf(system, id string) ExternalRef {
	if id != "" && system == "" {
		system = TicketSystem
	}
	return ExternalRef{System: system, ID: id}
}

// inTheWay takes the job out of a refusal that names one which the actor may not
// see.
func (c *Console) inTheWay(ctx context.Context, a Actor, err error) error {
	f := fault.From(err)
	if len(f.Parts) > 0 {
		parts := make([]error, len(f.Parts))
		for i, part := range f.Parts {
			parts[i] = c.inTheWay(ctx, a, part)
		}
		return fault.All(parts...)
	}
	id := f.Params["job"]
	if id == "" {
		return err
	}
	if _, hidden := c.findJob(ctx, a, id); isNotFound(hidden, "job") {
		blind := *f
		blind.Params = maps.Clone(f.Params)
		delete(blind.Params, "job")
		return &blind
	}
	return err
}
