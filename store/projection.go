package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// projection writes whole rows of a table whose key is id.
//
// Live, a row is known to be new or to be there, and a row that is there gets
// only what events may change, with all the others of its transaction in one
// statement: one for each costs twice as much. Only a replay does not know.
type projection struct {
	insert, update, upsert string

	// The columns that are written, in the order of the statements' values: the key,
	// what an update writes, and the others.
	all    []string
	moving []string // all but the others
}

// The tables that are projections of histories: the columns that have their
// value for good, and those that events change, with their types. Revisions of
// jobs and sticks are generated.
var (
	jobTable = projected("jobs",
		`site_id, host_id, kind, image_version_id, channel, task_sequence_version_id, layout, edition, options,
		reference, reference_system, holder, variables, created_by_kind, created_by_id, created_at`,
		`state text, overrides text[], not_before timestamptz, cancel_requested_at timestamptz, started_at timestamptz,
		ended_at timestamptz, seq bigint`)
	buildTable = projected("builds",
		`job_id, host_id, position, stick_id, device, reference, reference_system, holder, variables`,
		`state text, attempt integer, step text, touched boolean, fault jsonb, result jsonb, cancel_requested_at timestamptz,
		assigned_at timestamptz, started_at timestamptz, ended_at timestamptz, revision bigint`)
	stickTable = projected("sticks",
		`created_at`,
		`state text, life text, data text, holder text, reference text, kind text, serial text, vid_pid text, vendor text, model text,
		bytes bigint, host_id uuid, port text, lun integer, image_version_id uuid, layout text, disk_id text, last_build_id uuid,
		fault jsonb, verified_at timestamptz, checked_at timestamptz, check_result jsonb, check_fault jsonb, updated_at timestamptz,
		seq bigint`)
)

// row is what is written of one thing, by column.
type row map[string]any

// pick returns the values of columns, in their order.
func (r row) pick(columns []string) []any {
	values := make([]any, len(columns))
	for i, name := range columns {
		values[i] = r[name]
	}
	return values
}

func projected(table, fixed, moving string) projection {
	p := projection{moving: []string{"id"}}
	sets, unnested := []string{}, []string{"$1::uuid[]"}
	for i, column := range strings.Split(moving, ",") {
		name, kind, _ := strings.Cut(strings.TrimSpace(column), " ")
		value := "new." + name
		// Postgres takes arrays of arrays for one with more dimensions.
		if kind == "text[]" {
			kind, value = "jsonb", "ARRAY(SELECT jsonb_array_elements_text("+value+"))"
		}
		p.moving = append(p.moving, name)
		sets, unnested = append(sets, name+" = "+value), append(unnested, fmt.Sprintf("$%d::%s[]", i+2, kind))
	}
	p.update = "UPDATE " + table + " SET " + strings.Join(sets, ", ") +
		" FROM unnest(" + strings.Join(unnested, ", ") + ") AS new (" + strings.Join(p.moving, ", ") + ")" +
		" WHERE " + table + ".id = new.id"

	p.all = slices.Clone(p.moving)
	for column := range strings.SplitSeq(fixed, ",") {
		p.all = append(p.all, strings.TrimSpace(column))
	}
	holes, same := make([]string, len(p.all)), make([]string, len(p.all))
	for i, name := range p.all {
		holes[i], same[i] = fmt.Sprintf("$%d", i+1), name+" = excluded."+name
	}
	p.insert = "INSERT INTO " + table + " (" + strings.Join(p.all, ", ") + ") VALUES (" + strings.Join(holes, ", ") + ")"
	p.upsert = p.insert + " ON CONFLICT (id) DO UPDATE SET " + strings.Join(same, ", ")
	return p
}

// lot are the rows of one table that a transaction writes.
type lot struct{ fresh, known []row }

func (l *lot) add(fresh bool, r row) {
	if fresh {
		l.fresh = append(l.fresh, r)
	} else {
		l.known = append(l.known, r)
	}
}

// save queues the writing of rows: of those that are there before those that are
// new, which may take what the former give free.
func (p *projection) save(batch *pgx.Batch, l lot) {
	if len(l.known) > 0 {
		columns := make([]any, len(p.moving))
		for i, name := range p.moving {
			values := make([]any, len(l.known))
			for k, r := range l.known {
				values[k] = r[name]
			}
			columns[i] = values
		}
		batch.Queue(p.update, columns...)
	}
	for _, r := range l.fresh {
		batch.Queue(p.insert, r.pick(p.all)...)
	}
}

// restore queues the writing of a row of which nobody knows whether it is there.
func (p *projection) restore(batch *pgx.Batch, r row) { batch.Queue(p.upsert, r.pick(p.all)...) }

func jobRow(j *Job) row {
	return row{
		"id": j.ID, "site_id": j.SiteID, "host_id": j.HostID, "kind": j.Kind, "state": j.State,
		"image_version_id": j.ImageVersionID, "channel": j.Channel,
		"task_sequence_version_id": j.TaskSequenceVersionID, "layout": j.Layout, "edition": j.Edition,
		"options": j.Options, "overrides": j.Overrides, "reference": j.Reference, "reference_system": j.ReferenceSystem, "holder": j.Holder,
		"variables": j.Variables, "not_before": j.NotBefore, "created_by_kind": j.CreatedByKind, "created_by_id": j.CreatedByID,
		"created_at": j.CreatedAt, "cancel_requested_at": j.CancelRequestedAt, "started_at": j.StartedAt,
		"ended_at": j.EndedAt, "seq": j.Seq,
	}
}

func buildRow(b *Build) row {
	return row{
		"id": b.ID, "job_id": b.JobID, "host_id": b.HostID, "position": b.Position, "state": b.State,
		"attempt": b.Attempt, "stick_id": b.StickID, "device": b.Device, "reference": b.Reference, "reference_system": b.ReferenceSystem,
		"holder": b.Holder, "variables": b.Variables, "step": b.Step, "touched": b.Touched,
		"fault": b.Fault, "result": b.Result, "cancel_requested_at": b.CancelRequestedAt, "assigned_at": b.AssignedAt, "started_at": b.StartedAt,
		"ended_at": b.EndedAt, "revision": b.Revision,
	}
}

func stickRow(s *Stick) row {
	return row{
		"id": s.ID, "state": s.State, "life": s.Life, "data": s.Data, "holder": s.Holder, "reference": s.Reference, "kind": s.Kind, "serial": s.Serial, "vid_pid": s.VIDPID, "vendor": s.Vendor,
		"model": s.Model, "bytes": s.Bytes, "host_id": s.HostID, "port": s.Port, "lun": s.LUN,
		"image_version_id": s.ImageVersionID, "layout": s.Layout, "disk_id": s.DiskID,
		"last_build_id": s.LastBuildID, "fault": s.Fault, "verified_at": s.VerifiedAt,
		"checked_at": s.CheckedAt, "check_result": s.CheckResult, "check_fault": s.CheckFault,
		"created_at": s.CreatedAt, "updated_at": s.UpdatedAt, "seq": s.Seq,
	}
}
