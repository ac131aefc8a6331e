package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

// What can come of a delivery.
const (
	HookRequested = "requested" // there is a new open request
	HookKnown     = "known"     // the ticket has a request already; nothing changed
	HookChanged   = "changed"   // the open request is as the ticket says now
	HookWithdrawn = "withdrawn" // the ticket wants it no more
	HookReopened  = "reopened"  // the ticket wants it again
	HookIgnored   = "ignored"   // it is about no stick, or there was nothing to withdraw
	HookRepeated  = "repeated"  // this very delivery was taken before

	hookRefused = "refused"
)

// HookDelivery is what was sent to a connector's address.
type HookDelivery struct {
	Connector string // its name
	Header    http.Header
	Body      []byte
}

// HookResult is what came of a delivery.
type HookResult struct {
	Outcome string        `json:"outcome" enum:"requested,known,changed,withdrawn,reopened,ignored,repeated"`
	Request *StickRequest `json:"request,omitempty"` // the ticket's, if it has one
}

// Limits of deliveries: of one address, and of those of it that prove nothing
// to one name.
const (
	hooksPerMinute = 600
	hookFailures   = 30
	hookWindow     = 5 * time.Minute
	keptDocument   = 256 << 10 // bytes of a delivery that are kept
)

// ReceiveHook takes a delivery of a ticket system: once it has proved where it
// comes from it becomes an open request, or changes the ticket's. Nothing is
// written to a stick by it: which one, a person says (QueueJob).
// Faults: hook_refused for whatever is not proved, be the connector there or
// not; too_many_attempts; hook_body_unreadable, hook_body_too_deep,
// hook_body_too_large; hook_ticket_missing; site_not_found.
func (c *Console) ReceiveHook(ctx context.Context, a Actor, d HookDelivery) (HookResult, error) {
	if ok, wait := c.limits.hook.take(a.Address, ""); !ok {
		return HookResult{}, tooMany(wait)
	}
	to := strings.ToLower(d.Connector)
	if ok, wait := c.limits.hookFailed.peek(a.Address, to); !ok {
		return HookResult{}, tooMany(wait)
	}
	row, credentials, by, err := c.believe(ctx, a, &d)
	if err != nil {
		if fault.From(err).Code == CodeHookRefused {
			c.limits.hookFailed.take(a.Address, to)
			if err := c.store.RefuseDelivery(ctx, row.ID, a.Address, whyRefused(err)); err != nil {
				c.log.WarnContext(ctx, "a refused delivery was not noted", "connector", d.Connector, "error", err)
			}
			c.log.InfoContext(ctx, "a delivery was refused", "connector", d.Connector, "address", a.Address, "request_id", a.RequestID, "error", err)
		}
		return HookResult{}, err
	}
	if err := c.store.TouchConnector(ctx, row.ID); err != nil {
		c.log.WarnContext(ctx, "a delivery was not noted", "connector", row.Name, "error", err)
	}
	document, err := connector.Decode(d.Header.Get("Content-Type"), d.Body)
	var out HookResult
	ticket := ""
	if err == nil {
		out, ticket, err = c.takeDelivery(ctx, by, &row, d.Header, document)
	}
	c.keepPayload(ctx, a, &row, credentials, &d, document, out.Outcome, ticket, err)
	return out, err
}

func tooMany(wait time.Duration) error {
	return fault.New(fault.KindTooMany, CodeTooManyAttempts, "retry_seconds", strconv.Itoa(int(wait/time.Second)+1))
}

// believe finds the connector and verifies the delivery, in about the same time
// whatever is wrong. The actor that it returns is who may do what the delivery
// asks: the owner of the token that was its password, or the system. The connector
// is also what a delivery that is refused was for, the zero one if there is none.
func (c *Console) believe(ctx context.Context, a Actor, d *HookDelivery) (store.Connector, *connector.Credentials, Actor, error) {
	var row store.Connector
	refuse := func(why error) (store.Connector, *connector.Credentials, Actor, error) {
		return row, nil, Actor{}, fault.Wrap(why, fault.KindUnauthenticated, CodeHookRefused)
	}
	row, err := c.store.ConnectorByName(ctx, d.Connector)
	missing := isNotFound(err, "connector")
	if err != nil && !missing {
		return row, nil, Actor{}, err
	}
	secret, err := c.store.ConnectorSecret(ctx, row.ID)
	if err != nil && !isNotFound(err, "connector") {
		return row, nil, Actor{}, err
	}
	credentials := &connector.Credentials{Method: connector.Method(row.Method), Header: row.Header, User: row.UserName, Secret: secret}
	if missing {
		// Somebody who guesses names is to learn nothing by the time it takes.
		credentials = &connector.Credentials{Method: connector.MethodHubSHA256, Secret: d.Connector}
		if _, _, basic := connector.Basic(d.Header); basic {
			credentials.Method = connector.MethodBasic
		}
	}
	failed := credentials.Verify(d.Header, d.Body, c.now())
	by := Actor{Kind: ActorSystem, Name: row.Name, Role: RoleHelpdesk, RequestID: a.RequestID, Address: a.Address, Locale: a.Locale}
	if _, password, basic := connector.Basic(d.Header); failed != nil && basic {
		token, err := c.ActorForToken(ctx, a, password)
		if err != nil && fault.From(err).Kind != fault.KindUnauthenticated {
			return row, nil, Actor{}, err
		}
		if err == nil && credentials.Method == connector.MethodBasic && token.Role.Includes(RoleHelpdesk) && token.inScope(UseReceiveHook) == nil {
			failed, by = nil, token
		}
	}
	switch {
	case missing, row.RetiredAt != nil:
		return refuse(errOutOfUse)
	case failed != nil:
		return refuse(failed)
	}
	return row, credentials, by, nil
}

var errOutOfUse = errors.New("no such connector, or a retired one")

// whyRefused is the cause of hook_refused as a connector keeps it.
func whyRefused(err error) string {
	switch {
	case errors.Is(err, connector.ErrNoCredentials):
		return "missing"
	case errors.Is(err, connector.ErrTooOld):
		return "too_old"
	case errors.Is(err, errOutOfUse):
		return "retired"
	}
	return "wrong"
}

// takeDelivery makes a request of a document, or changes one.
func (c *Console) takeDelivery(ctx context.Context, a Actor, row *store.Connector, h http.Header, document json.RawMessage) (HookResult, string, error) {
	var m connector.Mapping
	if err := json.Unmarshal(row.Mapping, &m); err != nil {
		return HookResult{}, "", err
	}
	_, wish := m.Apply(document)
	switch {
	case !wish.Wanted:
		return HookResult{Outcome: HookIgnored}, wish.Ticket, nil
	case wish.Ticket == "":
		return HookResult{}, "", fault.New(fault.KindInvalid, CodeHookTicket)
	}
	var out HookResult
	var now store.StickRequest
	by, err := a.by()
	if err != nil {
		return out, wish.Ticket, err
	}
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		fresh := true
		if key := connector.System(row.System).DeliveryKey(h); key != nil {
			var err error
			if fresh, err = tx.TakeDelivery(ctx, row.ID, key); err != nil {
				return err
			}
		}
		q, err := c.wanted(ctx, tx.Reader, a, row, m, wish)
		if err != nil {
			return err
		}
		if !fresh || wish.Cancelled {
			// Neither makes a request where there is none.
			now, err = tx.StickRequestOf(ctx, row.ID, wish.Ticket)
			if isNotFound(err, "stick_request") {
				out.Outcome, now = HookIgnored, store.StickRequest{}
				return nil
			}
			if err != nil || !fresh {
				out.Outcome = HookRepeated
				return err
			}
		}
		out.Outcome, now, err = settle(ctx, tx, by, &q, wish.Cancelled)
		return err
	})
	if err != nil || now.ID.IsZero() {
		return out, wish.Ticket, err
	}
	v, err := c.requestOf(ctx, c.names(), &now)
	out.Request = &v
	return out, wish.Ticket, err
}

// settle brings a ticket's request to what the ticket says now. What a job was
// queued for, or somebody declined, stays: a ticket that we wrote to may well
// tell us of it.
func settle(ctx context.Context, tx *store.Tx, by store.Actor, q *store.StickRequest, cancelled bool) (string, store.StickRequest, error) {
	row, made, err := tx.TakeStickRequest(ctx, *q)
	if err != nil {
		return "", row, err
	}
	outcome, before := HookKnown, row
	switch {
	case made:
		outcome = HookRequested
	case row.State == store.RequestOpen && cancelled:
		outcome = HookWithdrawn
		row, err = tx.MoveStickRequest(ctx, row.ID, row.Revision, store.RequestWithdrawn, "", by)
	case row.State == store.RequestOpen && !row.SameWish(q):
		outcome = HookChanged
		row, err = tx.UpdateStickRequest(ctx, row.ID, *q)
	case row.State == store.RequestWithdrawn && !cancelled:
		outcome = HookReopened
		if row, err = tx.UpdateStickRequest(ctx, row.ID, *q); err == nil {
			row, err = tx.MoveStickRequest(ctx, row.ID, row.Revision, store.RequestOpen, "", by)
		}
	}
	if err != nil || outcome == HookKnown {
		return outcome, row, err
	}
	audit := store.NewAudit{
		By: by, Action: string(UseReceiveHook), ObjectKind: "stick_request", ObjectID: row.ID.String(), After: requestChange(&row),
	}
	if !made {
		audit.Before = requestChange(&before)
	}
	return outcome, row, tx.Audit(ctx, audit)
}

// wanted is a request as a ticket asks for it. It is of the site that the
// ticket names, else of its host's, else of the connector's usual one, else of
// the default one: what a ticket names wrongly does not lose it.
func (c *Console) wanted(ctx context.Context, r store.Reader, a Actor, row *store.Connector, m connector.Mapping, w connector.Request) (store.StickRequest, error) {
	q := store.StickRequest{
		ConnectorID: row.ID, State: store.RequestOpen, Ticket: w.Ticket, TicketKey: w.TicketKey, TicketURL: w.TicketURL, Holder: w.Holder,
		ComputerName: w.Computer, Image: w.Image, Channel: w.Channel, TaskSequence: w.Sequence, Layout: w.Layout, Host: w.Host, Site: w.Site,
		Sticks: w.Sticks, Note: w.Note,
	}
	everywhere := Actor{}
	usual := m[connector.FieldSite].Otherwise
	for _, name := range []string{w.Site, usual} {
		if name == "" {
			continue
		}
		s, err := findSite(ctx, r, everywhere, name)
		if err == nil && s.RetiredAt == nil {
			q.SiteID = s.ID
			break
		}
		if err != nil && !isNotFound(err, "site") {
			return q, err
		}
	}
	if w.Host != "" && (q.SiteID.IsZero() || w.Site == usual) {
		h, err := findHost(ctx, r, everywhere, w.Host)
		if err == nil {
			q.SiteID = h.SiteID
		} else if !isNotFound(err, "host") {
			return q, err
		}
	}
	if q.SiteID.IsZero() {
		s, err := r.TheDefaultSite(ctx)
		if err != nil {
			return q, err
		}
		q.SiteID = s.ID
	}
	if !a.InSite(q.SiteID.String()) {
		return q, store.NotFound("site", w.Site)
	}
	return q, nil
}

// keepPayload keeps a delivery for looking into. That it cannot be kept is no
// reason to refuse it.
func (c *Console) keepPayload(ctx context.Context, a Actor, row *store.Connector, credentials *connector.Credentials, d *HookDelivery,
	document json.RawMessage, outcome, ticket string, refused error,
) {
	if document == nil { // it was no JSON: its beginning is kept as a text
		raw, err := json.Marshal(strings.ToValidUTF8(string(d.Body[:min(len(d.Body), 1000)]), "\uFFFD"))
		if err != nil {
			raw = []byte(`""`)
		}
		document = raw
	}
	p := store.ConnectorPayload{
		ConnectorID: row.ID, Headers: credentials.Mask(d.Header), Document: credentials.MaskBody(string(document)), Outcome: outcome, Ticket: ticket,
		RequestID: a.RequestID, Address: a.Address,
	}
	if len(p.Document) > keptDocument {
		p.Document, p.Cut = strings.ToValidUTF8(p.Document[:keptDocument], ""), true
	}
	if refused != nil {
		f := keep(fault.From(refused))
		p.Outcome, p.Fault = hookRefused, &f
	}
	if err := c.store.KeepPayload(ctx, p); err != nil {
		c.log.WarnContext(ctx, "a delivery was not kept", "connector", row.Name, "error", err)
	}
}
