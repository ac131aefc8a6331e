package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// externalRefs are the references of builds that are to be open, each once.
type externalRefs struct{ systems, references []string }

func (x *externalRefs) add(system, reference string) {
	if system == "" || reference == "" {
		return
	}
	for i := range x.references {
		if x.systems[i] == system && x.references[i] == reference {
			return
		}
	}
	x.systems, x.references = append(x.systems, system), append(x.references, reference)
}

// checkReferences refuses references that another job has which is not over. Who
// asks for the same ones waits until this transaction is over. The constraint
// builds_reference_open_excl holds the rule; this only gives the better answer, and
// keeps two transactions from waiting for each other.
func (tx *Tx) checkReferences(ctx context.Context, id JobID, refs externalRefs) error {
	if len(refs.references) == 0 {
		return nil
	}
	_, err := tx.tx.Exec(ctx,
		`SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended(system || chr(10) || reference, 20) AS key
			FROM unnest(@systems::text[], @references::text[]) AS wanted (system, reference) ORDER BY key) AS keys`,
		pgx.NamedArgs{"systems": refs.systems, "references": refs.references})
	if err != nil {
		return fail(err, "lock references")
	}
	type taken struct {
		JobID           JobID
		ReferenceSystem string
		Reference       string
	}
	open, err := many[taken](ctx, tx.db, "references",
		`SELECT b.job_id, b.reference_system, b.reference FROM builds b
		JOIN unnest(@systems::text[], @references::text[]) AS wanted (system, reference)
			ON b.reference_system = wanted.system AND b.reference = wanted.reference
		WHERE b.state IN ('queued', 'assigned', 'running') AND b.reference <> '' AND b.reference_system <> '' AND b.job_id IS DISTINCT FROM @id
		LIMIT 1`,
		pgx.NamedArgs{"id": id, "systems": refs.systems, "references": refs.references})
	if err != nil || len(open) == 0 {
		return err
	}
	return fault.New(fault.KindConflict, CodeReferenceOpen,
		"system", open[0].ReferenceSystem, "reference", open[0].Reference, "job", open[0].JobID).At("external_ref")
}
