package store

import (
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// eventRows are events of one table, column by column: inserted by one
// statement, however many they are.
type eventRows[K kind] struct {
	of         []ID[K]
	seqs       []int64
	builds     []BuildID
	attempts   []*int
	hostSeqs   []*int64
	types      []EventType
	versions   []int
	payloads   []json.RawMessage
	actorKinds []ActorKind
	actors     []ActorID
	happened   []time.Time
	hostTimes  []*time.Time
}

func (r *eventRows[K]) add(of ID[K], e *Event) {
	r.of, r.seqs, r.builds = append(r.of, of), append(r.seqs, e.Seq), append(r.builds, e.BuildID)
	r.attempts, r.hostSeqs = append(r.attempts, unlessZero(e.Attempt)), append(r.hostSeqs, unlessZero(e.HostSeq))
	r.types, r.versions, r.payloads = append(r.types, e.Type), append(r.versions, e.PayloadVersion), append(r.payloads, e.Payload)
	r.actorKinds, r.actors = append(r.actorKinds, e.ActorKind), append(r.actors, e.ActorID)
	r.happened, r.hostTimes = append(r.happened, e.At), append(r.hostTimes, e.HostAt)
}

// unlessZero is nil for a number that says that there is none.
func unlessZero[T int | int64](n T) *T {
	if n == 0 {
		return nil
	}
	return &n
}

// insert queues the insertion into job_events or stick_events, in the order in
// which the events were added.
func (r *eventRows[K]) insert(batch *pgx.Batch, stream string) {
	if len(r.of) == 0 {
		return
	}
	batch.Queue(
		`INSERT INTO `+stream+`_events (`+stream+`_id, seq, build_id, attempt, host_seq, type, payload_version, payload,
			actor_kind, actor_id, at, host_at)
		SELECT * FROM unnest(@of::uuid[], @seqs::bigint[], @builds::uuid[], @attempts::integer[], @host_seqs::bigint[], @types::text[],
			@versions::integer[], @payloads::jsonb[], @actor_kinds::text[], @actors::uuid[], @happened::timestamptz[],
			@host_times::timestamptz[])`,
		pgx.NamedArgs{
			"of": r.of, "seqs": r.seqs, "builds": r.builds, "attempts": r.attempts, "host_seqs": r.hostSeqs, "types": r.types,
			"versions": r.versions, "payloads": r.payloads, "actor_kinds": r.actorKinds, "actors": r.actors,
			"happened": r.happened, "host_times": r.hostTimes,
		})
}
