package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// Applied is what became of the events of a host.
type Applied struct {
	// Acked says for each attempt up to which HostSeq its events are stored: an
	// Ack each, once the transaction is committed.
	Acked map[protocol.AttemptRef]int64
	// Fenced are attempts of this host that it must stop: they were declared
	// lost. Their events are kept and change nothing.
	Fenced []protocol.AttemptRef
	// Refused are attempts that this host was never given. Their events are
	// dropped; acknowledge them, or the host sends them for ever.
	Refused []protocol.AttemptRef
	// Refusal is why nothing was stored: session_stale.
	Refusal error
	// Wiped are the sticks that were found to be erased. In the same
	// transaction the caller certifies each, see IssueCertificate.
	Wiped []Wiped
}

// Wiped is a stick that was erased and read back.
type Wiped struct {
	CertificateID CertificateID // named in the stick's history already
	Holder        string        // for whom its content had been pressed
	Stick         Stick
	Job           Job
	Build         Build
}

// HostReport is what one host reports at once.
type HostReport struct {
	Host    HostID
	Session int64
	Events  []protocol.Event
}

// ApplyHostEvents is ApplyReports of one host. A session that is not the host's
// newest is the fault session_stale.
func (tx *Tx) ApplyHostEvents(ctx context.Context, host HostID, session int64, events []protocol.Event) (Applied, error) {
	applied, err := tx.ApplyReports(ctx, []HostReport{{Host: host, Session: session, Events: events}})
	if err == nil {
		err = applied[0].Refusal
	}
	if err != nil {
		return Applied{}, err
	}
	return applied[0], nil
}

// ApplyReports stores what hosts report, and says of each what became of it.
// Events that are stored already are skipped; after a gap in the numbers of an
// attempt the rest of it waits for what is missing. An event of an attempt that
// is over is stored and changes nothing. Of a session that is not its host's
// newest nothing is stored; the reports of the others are.
func (tx *Tx) ApplyReports(ctx context.Context, reports []HostReport) ([]Applied, error) {
	applied := make([]Applied, len(reports))
	taken, err := tx.holdSessions(ctx, reports, applied)
	if err != nil {
		return nil, err
	}
	r := &reporter{change: tx.change(Actor{})}
	if err := r.load(ctx, taken); err != nil {
		return nil, err
	}
	for i := range reports {
		if applied[i].Refusal == nil {
			if err := r.applyAll(&reports[i], &applied[i]); err != nil {
				return nil, err
			}
		}
	}
	r.save()
	r.saveAttempts()
	return applied, nil
}

// holdSessions locks the hosts against new connections and revocations until
// the end of the transaction. It refuses reports of sessions that are not the
// newest, and returns the others.
func (tx *Tx) holdSessions(ctx context.Context, reports []HostReport, applied []Applied) ([]HostReport, error) {
	ids := make([]HostID, len(reports))
	for i := range reports {
		ids[i] = reports[i].Host
	}
	rows, _ := tx.tx.Query(ctx, `SELECT id, session FROM hosts WHERE id = ANY (@ids) AND state = @enrolled ORDER BY id FOR SHARE`,
		pgx.NamedArgs{"ids": ids, "enrolled": HostEnrolled})
	newest := map[HostID]int64{}
	var id HostID
	var session int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &session}, func() error {
		newest[id] = session
		return nil
	}); err != nil {
		return nil, fail(err, "lock the hosts")
	}
	taken := make([]HostReport, 0, len(reports))
	for i := range reports {
		if session, ok := newest[reports[i].Host]; !ok || session != reports[i].Session {
			applied[i].Refusal = fault.New(fault.KindConflict, CodeSessionStale)
			continue
		}
		taken = append(taken, reports[i])
	}
	return taken, nil
}

// applyAll stores the events of one host.
func (r *reporter) applyAll(report *HostReport, applied *Applied) error {
	r.by, r.applied = HostActor(report.Host), applied
	applied.Acked = map[protocol.AttemptRef]int64{}
	for i := range report.Events {
		e := &report.Events[i]
		a, ok := r.attempts[e.AttemptRef]
		if !ok || a.HostID != report.Host {
			if !slices.Contains(applied.Refused, e.AttemptRef) {
				applied.Refused = append(applied.Refused, e.AttemptRef)
			}
			continue
		}
		if e.HostSeq == a.HostSeq+1 {
			if err := r.apply(a, e); err != nil {
				return err
			}
			a.HostSeq = e.HostSeq
		}
		applied.Acked[e.AttemptRef] = a.HostSeq
	}
	for ref := range applied.Acked {
		if state := r.attempts[ref].State; state == AttemptLost || state == AttemptReturned {
			applied.Fenced = append(applied.Fenced, ref)
		}
	}
	return nil
}

// saveAttempts writes how far the hosts have reported.
func (r *reporter) saveAttempts() {
	var builds []BuildID
	var attempts []int
	var seqs []int64
	var states []AttemptState
	var ends []*time.Time
	for _, a := range r.attempts {
		builds, attempts, seqs = append(builds, a.BuildID), append(attempts, a.Attempt), append(seqs, a.HostSeq)
		states, ends = append(states, a.State), append(ends, a.EndedAt)
	}
	if len(builds) == 0 {
		return
	}
	r.tx.tx.later(
		`UPDATE build_attempts a SET host_seq = new.host_seq, state = new.state, ended_at = new.ended_at
		FROM unnest(@builds::uuid[], @attempts::integer[], @seqs::bigint[], @states::text[], @ends::timestamptz[])
			AS new (build_id, attempt, host_seq, state, ended_at)
		WHERE a.build_id = new.build_id AND a.attempt = new.attempt`, pgx.NamedArgs{
			"builds": builds, "attempts": attempts, "seqs": seqs, "states": states, "ends": ends,
		})
}

// reporter applies the events of hosts in one transaction.
type reporter struct {
	*change
	applied  *Applied // of the host whose turn it is
	attempts map[protocol.AttemptRef]*Attempt
	of       map[BuildID]*jobStream
	captured map[JobID]VersionID         // what captures have published
	notes    map[protocol.AttemptRef]int // stored so far

	otherContents map[otherContent]*protocol.Fault
}

// load locks the jobs and the sticks that the events are about. Attempts are
// read after that: whoever changes one holds its job's lock.
func (r *reporter) load(ctx context.Context, reports []HostReport) error {
	var hosts []HostID
	var events []protocol.Event
	for i := range reports {
		hosts, events = append(hosts, reports[i].Host), append(events, reports[i].Events...)
	}
	refs := map[protocol.AttemptRef]bool{}
	named := map[BuildID]bool{}
	for i := range events {
		refs[events[i].AttemptRef] = true
		if id, err := ParseID[BuildID](events[i].BuildID); err == nil {
			named[id] = true
		}
	}
	builds := slices.Collect(maps.Keys(named))
	jobs, err := r.lockJobs(ctx,
		`host_id = ANY (@hosts) AND id IN (SELECT job_id FROM builds WHERE id = ANY (@builds)) ORDER BY id FOR NO KEY UPDATE`,
		pgx.NamedArgs{"hosts": hosts, "builds": builds})
	if err != nil {
		return err
	}
	found, err := r.tx.Attempts(ctx, hosts, slices.Collect(maps.Keys(refs)))
	if err != nil {
		return err
	}
	r.attempts = make(map[protocol.AttemptRef]*Attempt, len(found))
	for ref, a := range found {
		r.attempts[ref] = &a
	}
	r.of, r.captured = map[BuildID]*jobStream{}, map[JobID]VersionID{}
	var sticks []StickID
	for i := range events {
		if id, _ := checkedStick(&events[i]); !id.IsZero() {
			sticks = append(sticks, id)
		}
	}
	for _, s := range jobs {
		if s.job.Kind == protocol.JobCapture {
			v, err := r.tx.VersionOfJob(ctx, s.job.ID)
			if err != nil && !errors.Is(err, NotFound("image_version", s.job.ID)) {
				return err
			}
			r.captured[s.job.ID] = v.ID
		}
		for i := range s.job.Builds {
			b := &s.job.Builds[i]
			r.of[b.ID] = s
			if named[b.ID] {
				sticks = append(sticks, b.StickID)
			}
		}
	}
	if err := r.lockSticks(ctx, sticks); err != nil {
		return err
	}
	if err := r.loadOtherContents(ctx, events); err != nil {
		return err
	}
	return r.countNotes(ctx, builds)
}
