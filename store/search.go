package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// searchWindow is how many of the newest jobs and sticks are looked through for
// a part of a word; what is older is found by its whole reference or serial.
const searchWindow = 5000

// Found is one thing that a search found.
type Found struct {
	Kind   string // "job", "stick", "host" or "image"
	ID     string
	Name   string // of a host or an image; a stick's maker and model; a job's holder
	Detail string // a host's other name; a stick's serial; a job's reference
	Holder string // of a stick
	State  string
	Count  int              // sticks of a job
	Job    protocol.JobKind // of a job
}

// hit is a Found as it comes from its table.
type hit[K kind] struct {
	ID                          ID[K]
	Name, Detail, Holder, State string
	Count                       int
	Job                         protocol.JobKind
}

// Search finds jobs, sticks, hosts and images by a part of their names,
// references, holders and serials: at most limit of each kind, the newest
// first. What each stick of a job has to itself, its reference, holder and
// computer's name, is found by how it begins. No sites means every site. An empty
// text finds the newest.
func (r Reader) Search(ctx context.Context, sites []SiteID, text string, limit int) ([]Found, error) {
	args := pgx.NamedArgs{
		"sites": append([]SiteID{}, sites...), "text": text, "pattern": "%" + likeEscape(text) + "%", "begin": beginning(text),
		"limit": limit, "window": searchWindow,
	}
	var all []Found
	for _, look := range []func() ([]Found, error){
		func() ([]Found, error) { return hits[jobKind](ctx, r.db, searchJobs, args) },
		func() ([]Found, error) { return hits[stickKind](ctx, r.db, searchSticks, args) },
		func() ([]Found, error) { return hits[hostKind](ctx, r.db, searchHosts, args) },
		func() ([]Found, error) { return hits[imageKind](ctx, r.db, searchImages, args) },
	} {
		found, err := look()
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func hits[K kind](ctx context.Context, db querier, sql string, args pgx.NamedArgs) ([]Found, error) {
	var k K
	rows, err := many[hit[K]](ctx, db, k.prefix(), sql, args)
	all := make([]Found, len(rows))
	for i, h := range rows {
		all[i] = Found{Kind: k.prefix(), ID: h.ID.String(), Name: h.Name, Detail: h.Detail, Holder: h.Holder, State: h.State, Count: h.Count, Job: h.Job}
	}
	return all, err
}

// computerName is the name of the computer on a build's stick, as it is indexed.
const computerName = "variables ->> 'computer_name'"

// searchBuilds selects a column of the builds of which one of some values begins
// with what is looked for, by the indexes that lists have: no more than the window,
// since what so many begin with says little.
func searchBuilds(column string, values ...string) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, "(SELECT "+column+" FROM builds WHERE "+v+" <> '' AND lower("+v+") LIKE @begin LIMIT @window)")
	}
	return strings.Join(parts, " UNION ALL ")
}

var (
	searchJobs = `SELECT DISTINCT ON (j.id) j.id, j.holder AS name, j.reference AS detail, '' AS holder, j.state,
			(SELECT count(*) FROM builds b WHERE b.job_id = j.id)::int AS count, j.kind AS job
		FROM (
			(SELECT id, holder, reference, state, kind, false AS met FROM jobs
				WHERE cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites) ORDER BY id DESC LIMIT @window)
			UNION
			(SELECT id, holder, reference, state, kind, true FROM jobs
				WHERE reference = @text AND reference <> '' AND (cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites))
				ORDER BY id DESC LIMIT @limit)
			UNION
			(SELECT id, holder, reference, state, kind, true FROM jobs
				WHERE @text <> '' AND id IN (` + searchBuilds("job_id", "reference", "holder") + `)
					AND (cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites))
				ORDER BY id DESC LIMIT @limit)
		) j
		WHERE j.met OR j.reference ILIKE @pattern OR j.holder ILIKE @pattern
		ORDER BY j.id DESC LIMIT @limit`
	searchSticks = `SELECT DISTINCT ON (s.id) s.id, trim(s.vendor || ' ' || s.model) AS name, s.serial AS detail, s.holder, s.state, 0 AS count, '' AS job
		FROM (
			(SELECT s.id, s.vendor, s.model, s.serial, s.state, s.holder, false AS met FROM sticks s JOIN hosts h ON h.id = s.host_id
				WHERE cardinality(@sites::uuid[]) = 0 OR h.site_id = ANY (@sites) ORDER BY s.id DESC LIMIT @window)
			UNION
			(SELECT s.id, s.vendor, s.model, s.serial, s.state, s.holder, true FROM sticks s JOIN hosts h ON h.id = s.host_id
				WHERE (s.serial = @text OR s.holder = @text) AND @text <> '' AND (cardinality(@sites::uuid[]) = 0 OR h.site_id = ANY (@sites))
				ORDER BY s.id DESC LIMIT @limit)
			UNION
			(SELECT s.id, s.vendor, s.model, s.serial, s.state, s.holder, true FROM sticks s JOIN hosts h ON h.id = s.host_id
				WHERE @text <> '' AND (s.reference <> '' AND lower(s.reference) LIKE @begin
						OR s.last_build_id IN (` + searchBuilds("id", "reference", computerName) + `))
					AND (cardinality(@sites::uuid[]) = 0 OR h.site_id = ANY (@sites))
				ORDER BY s.id DESC LIMIT @limit)
		) s
		WHERE s.met OR s.serial ILIKE @pattern OR s.holder ILIKE @pattern OR trim(s.vendor || ' ' || s.model) ILIKE @pattern
		ORDER BY s.id DESC LIMIT @limit`
	searchHosts = `SELECT id, name, hostname AS detail, '' AS holder, state, 0 AS count, '' AS job FROM hosts
		WHERE state = 'enrolled' AND (cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites))
			AND (name ILIKE @pattern OR hostname ILIKE @pattern)
		ORDER BY lower(name) LIMIT @limit`
	searchImages = `SELECT id, name, '' AS detail, '' AS holder, '' AS state, 0 AS count, '' AS job FROM images
		WHERE name ILIKE @pattern ORDER BY lower(name) LIMIT @limit`
)

// likeEscape takes the special meaning from the characters of a LIKE pattern.
func likeEscape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
