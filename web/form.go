package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
)

// revisionOf reads the revision that a form was made from, so that a change
// which somebody else made in between is not overwritten. A form without one is
// refused, and so is one with 0, which use cases do not check. Faults:
// revision_missing.
func revisionOf(r *http.Request) (int64, error) {
	n, err := strconv.ParseInt(r.PostFormValue("revision"), 10, 64)
	if err != nil || n == 0 {
		return 0, fault.Wrap(err, fault.KindInvalid, "revision_missing")
	}
	return n, nil
}

// seenBy is revisionOf for who may do what the form does: others are told that
// first.
func seenBy(r *http.Request, u api.UseCase) (int64, error) {
	if err := needs(r, u); err != nil {
		return 0, err
	}
	return revisionOf(r)
}

// changeHost is a use case that ends a host's work.
type changeHost = func(context.Context, api.Actor, api.ChangeHostInput) (api.Host, error)

// wrongName refuses a dangerous action whose confirmation was mistyped.
func wrongName(name string) error {
	return fault.New(fault.KindInvalid, "confirmation_wrong", "name", name).At("name")
}

// needs refuses a page that would only lead to a use case that the actor may
// not do; the use case itself decides once more.
func needs(r *http.Request, u api.UseCase) error { return actorOf(r).May(u) }

// chosen refuses a form that says "only these" and ticks none, as none says, and one
// that says "every one" and ticks some, as browsers without scripts can: to guess
// might give more than was meant.
func chosen(every bool, ticked []string, none *fault.Error) error {
	switch {
	case every && len(ticked) > 0:
		return fault.New(fault.KindInvalid, "choice_mixed").At(none.Field)
	case !every && len(ticked) == 0:
		return none
	}
	return nil
}

// noSites is the refusal of a form that chooses sites and names none.
func noSites() *fault.Error { return fault.New(fault.KindInvalid, "sites_missing").At("sites") }
