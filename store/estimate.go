package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// TimesFilter says of which builds the times are asked for.
type TimesFilter struct {
	HostID     HostID
	Kind       protocol.JobKind
	SequenceID SequenceID            // zero: of any
	VersionID  VersionID             // zero: of any
	Wipe       *protocol.WipeOptions // nil: of any
	// The device's size, in bytes: at least, and below; 0 has no upper bound.
	Least, Below int64
}

// Times is how long builds took, from the host's acceptance to their end.
type Times struct {
	Count    int
	P10, P90 float64 // percentiles, in seconds
}

// timesDepth is how many of a host's newest verified builds are looked through.
const timesDepth = 1000

// hostAt is when the newest attempt of a build b said something, by the host's
// clock.
const hostAt = `SELECT host_at FROM job_events e
	WHERE e.build_id = b.id AND e.attempt = b.attempt AND e.host_seq IS NOT NULL ORDER BY e.host_seq`

// BuildTimes looks through the newest verified builds of a host. How long each took
// its host's clock says, from the first event of the attempt to the last: what was
// done while the host was cut off the server heard of much later. Where that clock
// was put back, or nobody knows it, the server's has to do.
func (r Reader) BuildTimes(ctx context.Context, f TimesFilter) (Times, error) {
	return one[Times](ctx, r.db, "host", f.HostID, // sums always make a row
		`WITH recent AS (
			SELECT job_id, device, ended_at - started_at AS heard, (`+hostAt+` DESC LIMIT 1) - (`+hostAt+` LIMIT 1) AS took
			FROM builds b WHERE host_id = @host AND outcome = 'verified' ORDER BY id DESC LIMIT @depth),
		timed AS (
			SELECT job_id, device, extract(epoch FROM CASE WHEN took >= interval '0' THEN took ELSE heard END)::double precision AS seconds
			FROM recent)
		SELECT count(*)::integer AS count,
			coalesce(percentile_cont(0.1) WITHIN GROUP (ORDER BY seconds), 0) AS p10,
			coalesce(percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds), 0) AS p90
		FROM timed r JOIN jobs j ON j.id = r.job_id
		LEFT JOIN task_sequence_versions v ON v.id = j.task_sequence_version_id
		WHERE r.seconds IS NOT NULL AND j.kind = @kind
			AND (@sequence::uuid IS NULL OR v.task_sequence_id = @sequence)
			AND (@version::uuid IS NULL OR j.image_version_id = @version)
			AND (@wipe::jsonb IS NULL OR j.options -> 'wipe' = @wipe::jsonb)
			AND (r.device ->> 'bytes')::bigint >= @least
			AND (@below::bigint = 0 OR (r.device ->> 'bytes')::bigint < @below)`,
		pgx.NamedArgs{
			"host": f.HostID, "kind": f.Kind, "sequence": f.SequenceID, "version": f.VersionID, "wipe": f.Wipe,
			"least": f.Least, "below": f.Below, "depth": timesDepth,
		})
}

// NewestJobBy finds the newest job of a kind that an actor queued, or fails
// with job_not_found.
func (r Reader) NewestJobBy(ctx context.Context, by ActorID, kind protocol.JobKind) (Job, error) {
	job, err := one[Job](ctx, r.db, "job", by,
		`SELECT `+jobColumns+` FROM jobs WHERE created_by_id = @by AND kind = @kind ORDER BY id DESC LIMIT 1`,
		pgx.NamedArgs{"by": by, "kind": kind})
	if err != nil {
		return Job{}, err
	}
	jobs := []Job{job}
	err = r.loadBuilds(ctx, jobs)
	return jobs[0], err
}

// Low and High are the times as durations.
func (t Times) Low() time.Duration { return time.Duration(t.P10 * float64(time.Second)) }

// High is how long nine of ten builds took at most.
func (t Times) High() time.Duration { return time.Duration(t.P90 * float64(time.Second)) }
