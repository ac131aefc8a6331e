package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// What the overview counts. Every query is held by an index of migration 0013
// or reads only what is under way; sites narrow them, none means all.

// LiveCounts is what is under way.
type LiveCounts struct {
	JobsQueued   int
	JobsRunning  int // cancelling included
	BuildsQueued int // sticks that wait for their host
	BuildsLive   int // sticks that a host holds
}

// LiveCounts counts what is under way.
func (r Reader) LiveCounts(ctx context.Context, sites []SiteID) (LiveCounts, error) {
	return one[LiveCounts](ctx, r.db, "counts", "",
		`WITH live AS (
			SELECT id, state FROM jobs
			WHERE outcome IS NULL AND (cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites))
		), sticks AS (
			SELECT b.state FROM builds b JOIN live ON live.id = b.job_id
			WHERE b.outcome IS NULL
		)
		SELECT (SELECT count(*) FROM live WHERE state = 'queued') AS jobs_queued,
			(SELECT count(*) FROM live WHERE state <> 'queued') AS jobs_running,
			(SELECT count(*) FROM sticks WHERE state = 'queued') AS builds_queued,
			(SELECT count(*) FROM sticks WHERE state <> 'queued') AS builds_live`,
		pgx.NamedArgs{"sites": append([]SiteID{}, sites...)})
}

// HostPresence is a host without what it sees.
type HostPresence struct {
	ID             HostID
	Name           string
	State          HostState
	ConnectedAt    *time.Time
	DisconnectedAt *time.Time
	LastSeenAt     *time.Time
	ProtocolMin    int
	ProtocolMax    int
	CacheBytes     int64
	CacheLimit     int64
}

// HostPresences lists enrolled hosts by name.
func (r Reader) HostPresences(ctx context.Context, sites []SiteID) ([]HostPresence, error) {
	return many[HostPresence](ctx, r.db, "hosts",
		`SELECT id, name, state, connected_at, disconnected_at, last_seen_at, protocol_min, protocol_max, cache_bytes, cache_limit
		FROM hosts WHERE state = 'enrolled' AND (cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites))
		ORDER BY lower(name), id`, pgx.NamedArgs{"sites": append([]SiteID{}, sites...)})
}

// VerifiedSticks counts the sticks that carry a verified version and were seen
// last at the sites.
func (r Reader) VerifiedSticks(ctx context.Context, sites []SiteID) (int, error) {
	type count struct{ Count int }
	c, err := one[count](ctx, r.db, "counts", "",
		`SELECT count(*) FROM sticks WHERE state = 'verified' AND (cardinality(@sites::uuid[]) = 0
			OR host_id IN (SELECT id FROM hosts WHERE site_id = ANY (@sites)))`,
		pgx.NamedArgs{"sites": append([]SiteID{}, sites...)})
	return c.Count, err
}

// EndedBuilds is how many builds of one kind ended on one day in one way.
type EndedBuilds struct {
	Day          time.Time // midnight, UTC
	Kind         protocol.JobKind
	State        BuildState // verified, failed or cancelled
	FaultCode    string     // why they failed
	Builds       int
	BytesWritten int64 // by those that were verified
}

// EndedBuilds sums up the builds that ended at or after a time, by day in UTC,
// oldest first.
func (r Reader) EndedBuilds(ctx context.Context, sites []SiteID, since time.Time) ([]EndedBuilds, error) {
	return many[EndedBuilds](ctx, r.db, "ended builds",
		`SELECT date_trunc('day', b.ended_at, 'UTC') AS day, j.kind, b.outcome AS state, coalesce(b.fault_code, '') AS fault_code,
			count(*) AS builds, coalesce(sum(b.bytes_written), 0)::bigint AS bytes_written
		FROM builds b JOIN jobs j ON j.id = b.job_id
		WHERE b.ended_at >= @since AND (cardinality(@sites::uuid[]) = 0 OR j.site_id = ANY (@sites))
		GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
		pgx.NamedArgs{"sites": append([]SiteID{}, sites...), "since": since})
}

// ModelRate is how fast sticks of one model were written.
type ModelRate struct {
	VIDPID    string `db:"vid_pid"` // "0781:5583", empty for virtual ones
	Vendor    string
	Model     string
	Builds    int
	WriteRate int64 // bytes per second, the median
}

// modelSample bounds how many sticks ModelRates looks at.
const modelSample = 20_000

// ModelRates lists the models that were written slowest at or after a time, at
// least least times each, the slowest first: by the newest modelSample sticks,
// which are as good as all. Sticks whose write took less than a second tell
// nothing.
func (r Reader) ModelRates(ctx context.Context, sites []SiteID, since time.Time, least, limit int) ([]ModelRate, error) {
	return many[ModelRate](ctx, r.db, "models",
		`SELECT vid_pid, vendor, model, count(*) AS builds, (percentile_cont(0.5) WITHIN GROUP (ORDER BY rate))::bigint AS write_rate
		FROM (
			SELECT coalesce(b.device ->> 'vid_pid', '') AS vid_pid, coalesce(b.device ->> 'vendor', '') AS vendor,
				coalesce(b.device ->> 'model', '') AS model, b.bytes_written::float8 * 1000 / b.write_ms AS rate
			FROM builds b JOIN jobs j ON j.id = b.job_id
			WHERE b.ended_at >= @since AND b.outcome = 'verified' AND b.write_ms >= 1000 AND b.bytes_written > 0
				AND j.kind IN ('press', 'raw') AND (cardinality(@sites::uuid[]) = 0 OR j.site_id = ANY (@sites))
			ORDER BY b.ended_at DESC LIMIT @sample
		) AS written
		GROUP BY 1, 2, 3 HAVING count(*) >= @least ORDER BY write_rate, vid_pid, vendor, model LIMIT @limit`,
		pgx.NamedArgs{"sites": append([]SiteID{}, sites...), "since": since, "least": least, "limit": limit, "sample": modelSample})
}

// FailedBuilds lists the builds that failed last, at or after a time, newest end
// first. The site is asked for one by one: it is a few that are looked at.
func (r Reader) FailedBuilds(ctx context.Context, sites []SiteID, since time.Time, limit int) ([]Build, error) {
	return many[Build](ctx, r.db, "builds",
		`SELECT `+buildColumns+` FROM builds
		WHERE outcome = 'failed' AND ended_at >= @since AND (cardinality(@sites::uuid[]) = 0
			OR (SELECT j.site_id FROM jobs j WHERE j.id = builds.job_id) = ANY (@sites))
		ORDER BY ended_at DESC, id DESC LIMIT @limit`,
		pgx.NamedArgs{"sites": append([]SiteID{}, sites...), "since": since, "limit": limit})
}

// DatabaseBytes is how much room the database takes up.
func (r Reader) DatabaseBytes(ctx context.Context) (int64, error) {
	type size struct{ Bytes int64 }
	s, err := one[size](ctx, r.db, "counts", "", `SELECT pg_database_size(current_database()) AS bytes`, nil)
	return s.Bytes, err
}
