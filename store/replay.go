package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Difference is one place where a row is not what its events make of it.
// Values are JSON; empty means that there is no row, or no history.
type Difference struct {
	Kind     string // "job", "build" or "stick"
	ID       string
	Field    string // of the Go type; "history" if the events themselves are broken
	Stored   string
	Replayed string
}

// ReplayReport is what Replay found.
type ReplayReport struct {
	Jobs        int
	Sticks      int
	Events      int
	Differences []Difference
}

// Replay makes every stick, job and build anew from its events and compares it
// with the stored row. With check it only reports; without, it writes what the
// events say wherever that differs. It may run while the console works: each
// stream is read in one snapshot, or under its lock.
func (s *Store) Replay(ctx context.Context, check bool) (ReplayReport, error) {
	var report ReplayReport
	// Sticks first: a build names its stick.
	err := eachID(ctx, s.db, `SELECT id FROM sticks UNION SELECT stick_id FROM stick_events WHERE seq = 1`,
		func(id StickID) error {
			report.Sticks++
			return s.replayOne(ctx, check, &report, func(tx *Tx) ([]Difference, error) {
				return tx.replayStick(ctx, id, check, &report)
			})
		})
	if err != nil {
		return report, err
	}
	err = eachID(ctx, s.db, `SELECT id FROM jobs UNION SELECT job_id FROM job_events WHERE seq = 1`,
		func(id JobID) error {
			report.Jobs++
			return s.replayOne(ctx, check, &report, func(tx *Tx) ([]Difference, error) {
				return tx.replayJob(ctx, id, check, &report)
			})
		})
	return report, err
}

// eachID calls do for every ID that the query finds, in their order.
func eachID[K kind](ctx context.Context, db querier, query string, do func(ID[K]) error) error {
	const page = 500
	var after ID[K]
	for {
		rows, _ := db.Query(ctx,
			`SELECT id FROM (`+query+`) AS ids (id) WHERE @after::uuid IS NULL OR id > @after ORDER BY id LIMIT @page`,
			pgx.NamedArgs{"after": after, "page": page})
		ids, err := pgx.CollectRows(rows, pgx.RowTo[ID[K]])
		if err != nil {
			return fail(err, "list streams")
		}
		for _, id := range ids {
			if err := do(id); err != nil {
				return err
			}
		}
		if len(ids) < page {
			return nil
		}
		after = ids[len(ids)-1]
	}
}

// replayOne runs do for one stream: in a snapshot to check, under a lock to
// write.
func (s *Store) replayOne(ctx context.Context, check bool, report *ReplayReport, do func(*Tx) ([]Difference, error)) error {
	var found []Difference
	run := func(tx *Tx) (err error) {
		found, err = do(tx)
		return err
	}
	var err error
	if check {
		err = pgx.BeginTxFunc(ctx, s.pool, snapshot, func(t pgx.Tx) error {
			return run(&Tx{Reader: Reader{db: t}, tx: &pipeline{Tx: t}, store: s})
		})
	} else {
		err = s.InTx(ctx, run)
	}
	report.Differences = append(report.Differences, found...)
	return err
}

func (tx *Tx) replayJob(ctx context.Context, id JobID, check bool, report *ReplayReport) ([]Difference, error) {
	lock := ` FOR NO KEY UPDATE`
	if check {
		lock = ""
	}
	stored, err := tx.job(ctx, id, lock)
	exists := err == nil
	if err != nil && !errors.Is(err, NotFound("job", id)) {
		return nil, err
	}
	var replayed Job
	for {
		events, err := tx.JobEvents(ctx, id, replayed.Seq, maxLimit)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			report.Events++
			if err := replayed.Apply(e); err != nil {
				return []Difference{{Kind: "job", ID: id.String(), Field: "history", Replayed: err.Error()}}, nil
			}
		}
		if len(events) < maxLimit {
			break
		}
	}
	found, err := compareJobs(id, exists, stored, replayed)
	if err != nil || check || len(found) == 0 || replayed.Seq == 0 {
		return found, err
	}
	batch := &pgx.Batch{}
	jobTable.restore(batch, jobRow(&replayed))
	// As in change.save: those that are over give their sticks free.
	for _, live := range []bool{false, true} {
		for i := range replayed.Builds {
			if b := &replayed.Builds[i]; b.State.Live() == live {
				buildTable.restore(batch, buildRow(b))
			}
		}
	}
	return found, fail(tx.tx.SendBatch(ctx, batch).Close(), "write a job anew")
}

func compareJobs(id JobID, exists bool, stored, replayed Job) ([]Difference, error) {
	if !exists || replayed.Seq == 0 {
		return []Difference{missingRow("job", id.String(), exists)}, nil
	}
	builds := map[BuildID]Build{}
	for _, b := range stored.Builds {
		builds[b.ID] = b
	}
	var found []Difference
	for _, want := range replayed.Builds {
		have, ok := builds[want.ID]
		if !ok {
			found = append(found, missingRow("build", want.ID.String(), false))
			continue
		}
		delete(builds, want.ID)
		diff, err := compareFields("build", want.ID.String(), have, want)
		if err != nil {
			return nil, err
		}
		found = append(found, diff...)
	}
	for extra := range builds {
		found = append(found, missingRow("build", extra.String(), true))
	}
	stored.Builds, replayed.Builds = nil, nil
	diff, err := compareFields("job", id.String(), stored, replayed)
	return append(found, diff...), err
}

func (tx *Tx) replayStick(ctx context.Context, id StickID, check bool, report *ReplayReport) ([]Difference, error) {
	if !check {
		if _, err := tx.tx.Exec(ctx, `SELECT FROM sticks WHERE id = @id FOR NO KEY UPDATE`, pgx.NamedArgs{"id": id}); err != nil {
			return nil, fail(err, "lock the stick")
		}
	}
	stored, err := tx.Stick(ctx, id)
	exists := err == nil
	if err != nil && !errors.Is(err, NotFound("stick", id)) {
		return nil, err
	}
	var replayed Stick
	for {
		events, err := tx.StickEvents(ctx, id, replayed.Seq, maxLimit)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			report.Events++
			if err := replayed.Apply(e); err != nil {
				return []Difference{{Kind: "stick", ID: id.String(), Field: "history", Replayed: err.Error()}}, nil
			}
		}
		if len(events) < maxLimit {
			break
		}
	}
	if !exists || replayed.Seq == 0 {
		found := []Difference{missingRow("stick", id.String(), exists)}
		if check || replayed.Seq == 0 {
			return found, nil
		}
		return found, tx.writeStick(ctx, &replayed)
	}
	found, err := compareFields("stick", id.String(), stored, replayed)
	if err != nil || check || len(found) == 0 {
		return found, err
	}
	return found, tx.writeStick(ctx, &replayed)
}

func (tx *Tx) writeStick(ctx context.Context, s *Stick) error {
	batch := &pgx.Batch{}
	stickTable.restore(batch, stickRow(s))
	return fail(tx.tx.SendBatch(ctx, batch).Close(), "write a stick anew")
}

func missingRow(kind, id string, stored bool) Difference {
	if stored {
		return Difference{Kind: kind, ID: id, Stored: "row"}
	}
	return Difference{Kind: kind, ID: id, Replayed: "row"}
}

// compareFields compares two structs by what JSON makes of their fields.
func compareFields(kind, id string, stored, replayed any) ([]Difference, error) {
	have, err := fieldsOf(stored)
	if err != nil {
		return nil, err
	}
	want, err := fieldsOf(replayed)
	if err != nil {
		return nil, err
	}
	var found []Difference
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !bytes.Equal(have[name], want[name]) {
			found = append(found, Difference{
				Kind: kind, ID: id, Field: name, Stored: string(have[name]), Replayed: string(want[name]),
			})
		}
	}
	return found, nil
}

func fieldsOf(v any) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("compare %T: %w", v, err)
	}
	fields := map[string]json.RawMessage{}
	return fields, json.Unmarshal(raw, &fields)
}
