package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// PayloadsKept is how many deliveries of a connector are kept.
const PayloadsKept = 20

// ConnectorPayload is a delivery as it is kept for looking into.
type ConnectorPayload struct {
	ID          PayloadID
	ConnectorID ConnectorID
	Headers     map[string]string // secrets masked
	Document    string            // JSON
	Cut         bool              // the document was too long to be kept whole
	Outcome     string            // "requested", "known", "changed", "withdrawn", "reopened", "ignored", "repeated", "refused"
	Fault       *Refusal          // of refused
	Ticket      string
	RequestID   string
	Address     string
	CreatedAt   time.Time
}

const payloadColumns = `id, connector_id, headers, document, cut, outcome, fault, ticket, request_id, address, created_at`

// KeepPayload keeps a delivery and forgets those beyond the last PayloadsKept.
func (s *Store) KeepPayload(ctx context.Context, p ConnectorPayload) error {
	id, err := NewID[PayloadID](s.Now(), s.random)
	if err != nil {
		return err
	}
	headers, err := encodeJSON(p.Headers)
	if err != nil {
		return err
	}
	var refused any
	if p.Fault != nil {
		if refused, err = encodeJSON(p.Fault); err != nil {
			return err
		}
	}
	_, err = s.pool.Exec(ctx,
		`WITH kept AS (
			INSERT INTO connector_payloads (`+payloadColumns+`)
			VALUES (@id, @connector, @headers, @document, @cut, @outcome, @fault, @ticket, @request, @address, @at)
		)
		DELETE FROM connector_payloads WHERE connector_id = @connector AND id IN (
			SELECT id FROM connector_payloads WHERE connector_id = @connector ORDER BY id DESC OFFSET @before)`,
		pgx.NamedArgs{
			"id": id, "connector": p.ConnectorID, "headers": headers, "document": cleanText(p.Document), "cut": p.Cut, "outcome": p.Outcome,
			"fault": refused, "ticket": cleanText(p.Ticket), "request": p.RequestID, "address": p.Address, "at": s.Now(), "before": PayloadsKept - 1,
		})
	return fail(err, "keep a delivery")
}

// ConnectorPayloads lists the deliveries that are kept, newest first.
func (r Reader) ConnectorPayloads(ctx context.Context, id ConnectorID) ([]ConnectorPayload, error) {
	return many[ConnectorPayload](ctx, r.db, "deliveries",
		`SELECT `+payloadColumns+` FROM connector_payloads WHERE connector_id = @id ORDER BY id DESC LIMIT @most`,
		pgx.NamedArgs{"id": id, "most": PayloadsKept})
}
