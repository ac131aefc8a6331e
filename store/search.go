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
	State  string
	Count  int              // sticks of a job
	Job    protocol.JobKind // of a job
}

// hit is a Found as it comes from its table.
type hit[K kind] struct {
	ID                  ID[K]
	Name, Detail, State string
	Count               int
	Job                 protocol.JobKind
}

// Search finds jobs, sticks, hosts and images by a part of their names,
// references, holders and serials: at most limit of each kind, the newest
// first. No sites means every site. An empty text finds the newest.
func (r Reader) Search(ctx context.Context, sites []SiteID, text string, limit int) ([]Found, error) {
	args := pgx.NamedArgs{
		"sites": append([]SiteID{}, sites...), "text": text, "pattern": "%" + likeEscape(text) + "%",
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
		all[i] = Found{Kind: k.prefix(), ID: h.ID.String(), Name: h.Name, Detail: h.Detail, State: h.State, Count: h.Count, Job: h.Job}
	}
	return all, err
}

const (
	searchJobs = `SELECT j.id, j.holder AS name, j.reference AS detail, j.state,
			(SELECT count(*) FROM builds b WHERE b.job_id = j.id)::int AS count, j.kind AS job
		FROM (
			(SELECT id, holder, reference, state, kind FROM jobs
				WHERE cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites) ORDER BY id DESC LIMIT @window)
			UNION
			(SELECT id, holder, reference, state, kind FROM jobs
				WHERE reference = @text AND reference <> '' AND (cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites))
				ORDER BY id DESC LIMIT @limit)
		) j
		WHERE j.reference ILIKE @pattern OR j.holder ILIKE @pattern
		ORDER BY j.id DESC LIMIT @limit`
	searchSticks = `SELECT s.id, trim(s.vendor || ' ' || s.model) AS name, s.serial AS detail, s.state, 0 AS count, '' AS job
		FROM (
			(SELECT s.id, s.vendor, s.model, s.serial, s.state, s.holder FROM sticks s JOIN hosts h ON h.id = s.host_id
				WHERE cardinality(@sites::uuid[]) = 0 OR h.site_id = ANY (@sites) ORDER BY s.id DESC LIMIT @window)
			UNION
			(SELECT s.id, s.vendor, s.model, s.serial, s.state, s.holder FROM sticks s JOIN hosts h ON h.id = s.host_id
				WHERE (s.serial = @text OR s.holder = @text) AND @text <> '' AND (cardinality(@sites::uuid[]) = 0 OR h.site_id = ANY (@sites))
				ORDER BY s.id DESC LIMIT @limit)
		) s
		WHERE s.serial ILIKE @pattern OR s.holder ILIKE @pattern OR trim(s.vendor || ' ' || s.model) ILIKE @pattern
		ORDER BY s.id DESC LIMIT @limit`
	searchHosts = `SELECT id, name, hostname AS detail, state, 0 AS count, '' AS job FROM hosts
		WHERE state = 'enrolled' AND (cardinality(@sites::uuid[]) = 0 OR site_id = ANY (@sites))
			AND (name ILIKE @pattern OR hostname ILIKE @pattern)
		ORDER BY lower(name) LIMIT @limit`
	searchImages = `SELECT id, name, '' AS detail, '' AS state, 0 AS count, '' AS job FROM images
		WHERE name ILIKE @pattern ORDER BY lower(name) LIMIT @limit`
)

// likeEscape takes the special meaning from the characters of a LIKE pattern.
func likeEscape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
