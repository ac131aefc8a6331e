package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
)

// revisionOf reads the revision that a form was made from, so that a change
// which somebody else made in between is not overwritten.
func revisionOf(r *http.Request) (int64, error) {
	n, err := strconv.ParseInt(r.PostFormValue("revision"), 10, 64)
	if err != nil {
		return 0, fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	return n, nil
}

// seenOf is the revision that a form was made from; 0, which does not check, for
// a form that has none.
func seenOf(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.PostFormValue("revision"), 10, 64)
	if err != nil {
		return 0
	}
	return n
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

// noSites is the refusal of a form that chooses sites and names none.
func noSites() error { return fault.New(fault.KindInvalid, "sites_missing").At("sites") }
