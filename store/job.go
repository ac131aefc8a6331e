package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Job is a request for builds on one host. It is a projection of its events.
type Job struct {
	ID                    JobID
	SiteID                SiteID
	HostID                HostID
	Kind                  protocol.JobKind
	State                 JobState
	ImageVersionID        VersionID         // what it writes; zero for kinds that write no image
	Channel               string            // that the version was resolved from, or empty
	TaskSequenceVersionID SequenceVersionID // of JobPress; zero for the others
	Layout                string            // the task sequence's, or what the request put in its place
	Edition               int               // likewise; index inside the image, from 1
	Options               protocol.JobOptions
	Overrides             []string // codes of faults that an admin allowed to pass
	Reference             string   // a ticket
	ReferenceSystem       string   // whose ticket; empty for jobs from before there were systems
	Holder                string   // who gets the sticks
	Variables             map[string]string
	NotBefore             *time.Time // no host gets it earlier; nil: at once
	CreatedByKind         ActorKind
	CreatedByID           ActorID
	CreatedAt             time.Time
	CancelRequestedAt     *time.Time
	StartedAt             *time.Time
	EndedAt               *time.Time
	Seq                   int64   // number of its events
	Revision              int64   // the same: every change is an event
	Builds                []Build `db:"-"` // by position
}

// Build is one stick of a job. It is a projection of the job's events.
type Build struct {
	ID        BuildID
	JobID     JobID
	HostID    HostID
	Position  int // within the job, from 1
	State     BuildState
	Attempt   int // the newest one, from 1; 0 before the first
	StickID   StickID
	Device    Target
	Reference string // the job's where the build has none of its own
	// ReferenceSystem is whose ticket that is. Builds that are not over have one
	// job for each reference of a system.
	ReferenceSystem string
	Holder          string
	Variables       map[string]string // the job's, overridden by the build's
	Step            protocol.Step     // begun last by the newest attempt
	Touched         bool              // the newest attempt may have written
	Fault           *protocol.Fault   // why it failed or was cancelled
	Result          *protocol.Result  // what a verified stick carries
	// CancelRequestedAt is when somebody asked to stop this build alone.
	CancelRequestedAt *time.Time
	AssignedAt        *time.Time
	StartedAt         *time.Time
	EndedAt           *time.Time
	Revision          int64 // the job's Seq when this build changed last
}

// Target is the device that a person confirmed, with what they saw of it.
type Target struct {
	protocol.Identity
	Path   string `json:"path"`
	Vendor string `json:"vendor"`
	Model  string `json:"model"`
	// Label is the number that was printed on its socket, see HostPort.Label.
	Label string `json:"label,omitempty"`
}

// TargetOf cuts a device down to what a confirmation is about.
func TargetOf(d *protocol.Device) Target {
	return Target{Identity: d.Identity, Path: d.Path, Vendor: d.Vendor, Model: d.Model}
}

// Build finds a build of the job.
func (j *Job) Build(id BuildID) (*Build, bool) {
	for i := range j.Builds {
		if j.Builds[i].ID == id {
			return &j.Builds[i], true
		}
	}
	return nil, false
}

const (
	jobColumns = `id, site_id, host_id, kind, state, image_version_id, channel, task_sequence_version_id, layout, edition,
	options, overrides, reference, reference_system, holder, variables, not_before, created_by_kind, created_by_id, created_at, cancel_requested_at, started_at, ended_at, seq, revision`
	buildColumns = `id, job_id, host_id, position, state, attempt, stick_id, device, reference, reference_system, holder, variables, step,
	touched, fault, result, cancel_requested_at, assigned_at, started_at, ended_at, revision`
)

// Job finds a job with its builds, or fails with job_not_found.
func (r Reader) Job(ctx context.Context, id JobID) (Job, error) {
	return r.job(ctx, id, "")
}

func (r Reader) job(ctx context.Context, id JobID, lock string) (Job, error) {
	job, err := one[Job](ctx, r.db, "job", id,
		`SELECT `+jobColumns+` FROM jobs WHERE id = @id`+lock, pgx.NamedArgs{"id": id})
	if err != nil {
		return Job{}, err
	}
	jobs := []Job{job}
	err = r.loadBuilds(ctx, jobs)
	return jobs[0], err
}

// JobsByID finds some jobs with their builds; what is not there is left out.
func (r Reader) JobsByID(ctx context.Context, ids []JobID) ([]Job, error) {
	jobs, err := many[Job](ctx, r.db, "jobs", `SELECT `+jobColumns+` FROM jobs WHERE id = ANY (@ids)`, pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, err
	}
	return jobs, r.loadBuilds(ctx, jobs)
}

// JobFilter narrows Jobs; empty fields do not.
type JobFilter struct {
	Sites          []SiteID
	HostID         HostID
	ImageID        ImageID
	ImageVersionID VersionID
	Kind           protocol.JobKind
	States         []JobState
	Reference      string // exact
	// ReferenceSystem is whose reference it is, exact.
	ReferenceSystem string
	Holder          string    // how a holder of one of its sticks begins, whatever its case
	Search          string    // how a reference or a holder of one of its sticks begins, whatever its case
	Fault           string    // code of the fault that ended one of its builds, exact
	From, To        time.Time // when it was queued: from, and before
	Page            JobPage
}

// Jobs lists jobs with their builds, newest first.
func (r Reader) Jobs(ctx context.Context, f JobFilter) ([]Job, error) {
	var w where
	if len(f.Sites) > 0 {
		w.and("site_id = ANY (@sites)", "sites", f.Sites)
	}
	andStates(&w, f.States)
	equal(&w, "host_id = @host", "host", f.HostID)
	if !f.ImageID.IsZero() {
		versions, err := r.versionIDs(ctx, f.ImageID)
		if err != nil {
			return nil, err
		}
		w.and("image_version_id = ANY (@versions)", "versions", versions)
	}
	equal(&w, "image_version_id = @version", "version", f.ImageVersionID)
	w.text("kind = @kind", "kind", string(f.Kind))
	w.text("reference = @reference", "reference", f.Reference)
	w.text("reference_system = @system", "system", f.ReferenceSystem)
	few := map[string][]JobID{}
	var err error
	if few["holder"], err = r.andBuilds(ctx, &w, "holder", f.Holder, "holder"); err != nil {
		return nil, err
	}
	if few["search"], err = r.andBuilds(ctx, &w, "search", f.Search, "holder", "reference"); err != nil {
		return nil, err
	}
	if few["fault"], err = r.andFault(ctx, &w, f.Fault); err != nil {
		return nil, err
	}
	equal(&w, "id >= @from", "from", firstID[jobKind](f.From))
	equal(&w, "id < @to", "to", firstID[jobKind](f.To))
	for name, ids := range few {
		if len(w.conditions) == 1 && ids != nil { // nothing else narrows: the page is known
			w.args[name] = f.Page.of(ids)
		}
	}
	jobs, err := byID[Job](ctx, r, "jobs", "jobs", jobColumns, &w, f.Page)
	if err != nil {
		return nil, err
	}
	return jobs, r.loadBuilds(ctx, jobs)
}

// fewBuilds is up to how many builds are looked up before their jobs.
const fewBuilds = 3000

// andBuilds adds the condition that one of some columns of a build of the job
// begins so; a build has its job's reference and holder where it has none of its
// own.
func (r Reader) andBuilds(ctx context.Context, w *where, name, text string, columns ...string) ([]JobID, error) {
	if text == "" {
		return nil, nil
	}
	text = cleanText(strings.ToLower(text))
	args := pgx.NamedArgs{"least": text, "pattern": beginning(text), "most": fewBuilds + 1}
	var parts, conditions []string
	for _, c := range columns {
		// Without an upper bound no plan but that through the index, in its order, is
		// a candidate: it ends after so many rows, whatever they hold.
		parts = append(parts, `SELECT job_id FROM (SELECT job_id, `+c+` AS value FROM builds WHERE `+c+` <> '' AND lower(`+c+`) ~>=~ @least
			ORDER BY lower(`+c+`) USING ~<~ LIMIT @most) AS begun WHERE lower(value) LIKE @pattern`)
		conditions = append(conditions, c+` <> '' AND lower(`+c+`) LIKE @`+name)
	}
	look := strings.Join(parts, " UNION ALL ")
	return r.andEither(ctx, w, name, args["pattern"], look, strings.Join(conditions, " OR "), args)
}

// andFault is andBuilds for the code of the fault that ended one.
func (r Reader) andFault(ctx context.Context, w *where, code string) ([]JobID, error) {
	if code == "" {
		return nil, nil
	}
	const look = `SELECT job_id FROM builds WHERE fault_code = @fault ORDER BY id DESC LIMIT @most`
	return r.andEither(ctx, w, "fault", code, look, `fault_code = @fault`, pgx.NamedArgs{"fault": code, "most": fewBuilds + 1})
}

// andEither adds a condition on the builds of a job. Postgres cannot guess how many
// meet it: if look finds few, these are the jobs, which are returned; what many
// have is found on the way through the list, job by job: OFFSET keeps Postgres from
// joining all of them first, in parallel even, which takes longer to begin than
// the page.
func (r Reader) andEither(ctx context.Context, w *where, name string, value any, look, condition string, args pgx.NamedArgs) ([]JobID, error) {
	rows, _ := r.db.Query(ctx, look, pgx.QueryExecModeCacheDescribe, args)
	jobs, err := pgx.CollectRows(rows, pgx.RowTo[JobID])
	switch {
	case err != nil:
		return nil, fail(err, "list jobs by their builds")
	case len(jobs) <= fewBuilds:
		w.and("id = ANY (@"+name+")", name, jobs)
		return append([]JobID{}, jobs...), nil
	default:
		w.and(`EXISTS (SELECT FROM builds WHERE job_id = jobs.id AND (`+condition+`) OFFSET 0)`, name, value)
	}
	return nil, nil
}

// loadBuilds fills in the builds of jobs with one query.
func (r Reader) loadBuilds(ctx context.Context, jobs []Job) error {
	if len(jobs) == 0 {
		return nil
	}
	ids, at := make([]JobID, len(jobs)), make(map[JobID]*Job, len(jobs))
	for i := range jobs {
		ids[i], at[jobs[i].ID] = jobs[i].ID, &jobs[i]
	}
	builds, err := many[Build](ctx, r.db, "builds",
		`SELECT `+buildColumns+` FROM builds WHERE job_id = ANY (@jobs) ORDER BY job_id, position`,
		pgx.NamedArgs{"jobs": ids})
	for _, b := range builds {
		at[b.JobID].Builds = append(at[b.JobID].Builds, b)
	}
	return err
}

// Build finds a build, or fails with build_not_found.
func (r Reader) Build(ctx context.Context, id BuildID) (Build, error) {
	return one[Build](ctx, r.db, "build", id,
		`SELECT `+buildColumns+` FROM builds WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// LiveBuilds lists the builds of a host that are not over: at most one for each
// of its devices.
func (r Reader) LiveBuilds(ctx context.Context, host HostID) ([]Build, error) {
	return many[Build](ctx, r.db, "builds",
		`SELECT `+buildColumns+` FROM builds WHERE host_id = @host AND outcome IS NULL`,
		pgx.NamedArgs{"host": host})
}

// Place is where a device is plugged in on its host.
type Place struct {
	Port string
	LUN  int
}

// Workplace is a host with what is known of some of its sockets.
type Workplace struct {
	Host  Host            // of its devices those in these ports alone
	Busy  map[Place]JobID // which of these a build is using, and of what job
	Ports []HostPort      // how the sockets are numbered
}

// Workplace asks for a host by its ID, or for an enrolled one by its name,
// whatever its case. Faults: host_not_found.
func (q *Questions) Workplace(ref string, ports []string) func() (Workplace, error) {
	called, args := `lower(name) = lower(@ref) AND state = 'enrolled'`, pgx.NamedArgs{"ref": ref, "ports": ports}
	if id, err := ParseID[HostID](ref); err == nil {
		called, args["ref"] = `id = @ref`, id
	}
	id := `(SELECT id FROM hosts WHERE ` + called + `)`
	hosts := ask[Host](q, `SELECT `+strings.Replace(hostColumns, "inventory,", devicesIn+" AS inventory,", 1)+` FROM hosts WHERE `+called, args)
	busy := ask[busyPlace](q, busyPlaces+id+` AND device ->> 'port' = ANY (@ports)`, args)
	numbers := ask[HostPort](q, hostPorts+id+hostPortOrder, args)
	return func() (Workplace, error) {
		host, err := hosts.one("host", ref)
		return Workplace{Host: host, Busy: jobsAt(busy.rows), Ports: numbers.rows}, err
	}
}

// devicesIn is an inventory with the devices in some ports alone.
const devicesIn = `jsonb_set(inventory, '{devices}', jsonb_path_query_array(inventory, '$.devices[*] ? (@.port == $ports[*])',
	jsonb_build_object('ports', @ports::text[])))`

// busyPlace is where a device is that a build uses which is not over.
type busyPlace struct {
	Place
	JobID JobID
}

// busyPlaces lists those of the host that is put behind it.
const busyPlaces = `SELECT device ->> 'port' AS port, (device ->> 'lun')::integer AS lun, job_id FROM builds
	WHERE outcome IS NULL AND host_id = `

func jobsAt(places []busyPlace) map[Place]JobID {
	at := make(map[Place]JobID, len(places))
	for _, p := range places {
		at[p.Place] = p.JobID
	}
	return at
}

// HasQueued reports whether a build waits for the host.
func (r Reader) HasQueued(ctx context.Context, host HostID) (bool, error) {
	var has bool
	err := r.db.QueryRow(ctx,
		`SELECT EXISTS (SELECT FROM builds WHERE host_id = @host AND outcome IS NULL AND state = 'queued')`,
		pgx.NamedArgs{"host": host}).Scan(&has)
	return has, fail(err, "look for queued builds")
}
