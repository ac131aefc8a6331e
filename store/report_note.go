package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Bounds of what an attempt may say beside its states.
const (
	// maxNotes is how many events of an attempt are kept that change no state:
	// lines of the log, checks, steps. An agent makes some 250 at most.
	maxNotes = 500
	// maxNote is the length of the longest of them, in bytes of JSON.
	maxNote = 16 << 10
	// maxOwn is the length of the longest own part of a record, in bytes of
	// JSON, so that it fits into one message with the common part.
	maxOwn = 256 << 10
)

// countNotes counts what the attempts have said so far. Their jobs are locked.
func (r *reporter) countNotes(ctx context.Context, builds []BuildID) error {
	r.notes = map[protocol.AttemptRef]int{}
	rows, _ := r.tx.db.Query(ctx,
		`SELECT build_id, attempt, count(*) FROM job_events
		WHERE build_id = ANY (@builds) AND host_seq IS NOT NULL AND type = ANY (@types)
		GROUP BY build_id, attempt`, pgx.NamedArgs{"builds": builds, "types": noteTypes})
	var id BuildID
	var attempt, n int
	_, err := pgx.ForEachRow(rows, []any{&id, &attempt, &n}, func() error {
		r.notes[protocol.AttemptRef{BuildID: id.String(), Attempt: attempt}] = n
		return nil
	})
	return fail(err, "count what attempts said")
}

// noteTypes are the events that may be dropped.
var noteTypes = []EventType{EventBuildLog, EventBuildPreflight, EventBuildStepBegun, EventBuildStepDone}

// bound keeps what an attempt says within its bounds: what is too long is
// replaced by a line that says so, and so is the first that is too many. It
// reports false for what is dropped.
func (r *reporter) bound(ref protocol.AttemptRef, event *Event, report *BuildReport) (bool, error) {
	if event.Type == EventBuildVerified {
		return true, boundRecord(report.Result)
	}
	if !slices.Contains(noteTypes, event.Type) {
		return true, nil
	}
	n := r.notes[ref]
	r.notes[ref]++
	if n > maxNotes {
		return false, nil
	}
	raw, err := json.Marshal(report)
	if err != nil {
		return false, fmt.Errorf("encode an event of a host: %w", err)
	}
	line := &protocol.LogLine{Level: "warn"}
	switch {
	case n == maxNotes:
		line.Code, line.Params = "events_dropped", map[string]string{"most": strconv.Itoa(maxNotes)}
	case len(raw) > maxNote:
		line.Code, line.Params = "event_too_long", map[string]string{"bytes": strconv.Itoa(len(raw))}
	default:
		return true, nil
	}
	event.Type, *report = EventBuildLog, BuildReport{Log: line}
	return true, nil
}

// boundRecord leaves a record out that no message could carry: its stick is
// good, and cannot be proven later.
func boundRecord(res *protocol.Result) error {
	if res == nil || res.Record == nil {
		return nil
	}
	raw, err := json.Marshal(res.Record)
	if err == nil && len(raw) > maxOwn {
		res.Record = nil
	}
	return err
}
