package store

import (
	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// externalRefs are the references of builds that are to be open, each once.
type externalRefs struct {
	job                 JobID // that may have them already
	systems, references []string
}

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

// hold has whoever asks for the same references wait until this transaction is
// over, and refuses those that another job has which is not over. The constraint
// builds_reference_open_excl holds the rule; this only gives the better answer,
// and keeps two transactions from waiting for each other.
func (x *externalRefs) hold(q *Questions) func() error {
	if len(x.references) == 0 {
		return func() error { return nil }
	}
	args := pgx.NamedArgs{"job": x.job, "systems": x.systems, "references": x.references}
	q.batch.Queue(
		`SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended(system || chr(10) || reference, 20) AS key
			FROM unnest(@systems::text[], @references::text[]) AS wanted (system, reference) ORDER BY key) AS keys`,
		args)
	type taken struct {
		JobID           JobID
		ReferenceSystem string
		Reference       string
	}
	open := ask[taken](q,
		`SELECT b.job_id, b.reference_system, b.reference FROM builds b
		JOIN unnest(@systems::text[], @references::text[]) AS wanted (system, reference)
			ON b.reference_system = wanted.system AND b.reference = wanted.reference
		WHERE b.outcome IS NULL AND b.reference <> '' AND b.reference_system <> '' AND b.job_id IS DISTINCT FROM @job
		LIMIT 1`,
		args)
	return func() error {
		for _, t := range open.rows {
			return fault.New(fault.KindConflict, CodeReferenceOpen,
				"system", t.ReferenceSystem, "reference", t.Reference, "job", t.JobID).At("external_ref")
		}
		return nil
	}
}
