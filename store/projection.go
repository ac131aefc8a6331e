package store

import (
	"strings"
)

// projection writes whole rows of a table whose key is id, in one of the ways.
type projection map[way]string

// way is how rows are written.
type way int

// Live, a row is known to be new or to be there: to find that out while writing
// costs twice as much. Only a replay does not know.
const (
	insert way = iota
	update
	upsert
)

// wayOf is how the rows of a stream are written that had so many events.
func wayOf(loaded int64) way {
	if loaded == 0 {
		return insert
	}
	return update
}

// The tables that are projections of histories, with their columns beside the
// key. Revisions of jobs and sticks are generated.
var (
	jobTable = projected("jobs", `site_id, host_id, kind, state, image_version_id, channel, task_sequence_version_id,
		layout, edition, options, overrides, reference, reference_system, holder, variables, not_before, created_by_kind, created_by_id, created_at,
		cancel_requested_at, started_at, ended_at, seq`)
	buildTable = projected("builds", `job_id, host_id, position, state, attempt, stick_id, device, reference, reference_system, holder, variables,
		step, touched, fault, result, cancel_requested_at, assigned_at, started_at, ended_at, revision`)
	stickTable = projected("sticks", `state, life, data, holder, reference, kind, serial, vid_pid, vendor, model, bytes, host_id, port, lun,
		image_version_id, layout, disk_id, last_build_id, fault, verified_at, checked_at, check_result, check_fault,
		created_at, updated_at, seq`)
)

func projected(table, columns string) projection {
	names := strings.FieldsFunc(columns, func(r rune) bool { return strings.ContainsRune(", \n\t", r) })
	sets := make([]string, len(names))
	for i, name := range names {
		sets[i] = name + " = @" + name
	}
	set := " SET " + strings.Join(sets, ", ")
	rows := "INSERT INTO " + table + " (id, " + strings.Join(names, ", ") + ") VALUES (@id, @" + strings.Join(names, ", @") + ")"
	return projection{
		insert: rows,
		update: "UPDATE " + table + set + " WHERE id = @id",
		upsert: rows + " ON CONFLICT (id) DO UPDATE" + set,
	}
}
