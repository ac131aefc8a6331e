package store

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Named is what an ID is called.
type Named struct {
	ID     string // its text form
	Name   string
	Shared bool     // all sites have it
	Sites  []SiteID // otherwise: where it is, or of a person, token or webhook: none means every one
}

// nameQuery asks for the names of one kind of things, by their keys in @ids.
type nameQuery struct{ prefix, sql string }

const (
	everywhere = `true, '{}'::uuid[]`
	somewhere  = `false, `
)

// nameQueries are the kinds that have names. Jobs, builds, sticks and
// certificates are called by their IDs.
var nameQueries = []nameQuery{
	{"user", `login, ` + somewhere + `sites FROM users t`},
	{"token", `name, ` + somewhere + `sites FROM api_tokens t`},
	{"site", `name, ` + somewhere + `ARRAY[id] FROM sites t`},
	{"host", `name, ` + somewhere + `ARRAY[site_id] FROM hosts t`},
	{"request", `ticket, ` + somewhere + `ARRAY[site_id] FROM stick_requests t`},
	{"webhook", `coalesce(nullif(description, ''), url), ` + somewhere + `sites FROM webhooks t`},
	{"image", `name, ` + everywhere + ` FROM images t`},
	{"ver", `i.name || ' ' || t.version, ` + everywhere + ` FROM image_versions t JOIN images i ON i.id = t.image_id`},
	{"chan", `i.name || ':' || t.name, ` + everywhere + ` FROM channels t JOIN images i ON i.id = t.image_id`},
	{"tpl", `name, ` + everywhere + ` FROM unattend_templates t`},
	{"tplver", `x.name || ' v' || t.number, ` + everywhere + ` FROM unattend_template_versions t JOIN unattend_templates x ON x.id = t.template_id`},
	{"seq", `name, ` + everywhere + ` FROM task_sequences t`},
	{"seqver", `x.name || ' v' || t.number, ` + everywhere + ` FROM task_sequence_versions t JOIN task_sequences x ON x.id = t.task_sequence_id`},
	{"view", `name, ` + everywhere + ` FROM saved_views t`},
	{"conn", `coalesce(nullif(title, ''), name), ` + everywhere + ` FROM connectors t`},
}

// Names finds what things of any kind are called, in one query. What is not an
// ID, has no name or is gone is left out.
func (r Reader) Names(ctx context.Context, ids []string) ([]Named, error) {
	args := pgx.NamedArgs{}
	var parts []string
	for _, q := range nameQueries {
		keys := keysOf(q.prefix, ids)
		if len(keys) == 0 {
			continue
		}
		args[q.prefix] = keys
		parts = append(parts, `SELECT '`+q.prefix+`' AS prefix, t.id AS key, `+q.sql+` WHERE t.id = ANY (@`+q.prefix+`)`)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	type row struct {
		Prefix string
		Key    [16]byte
		Name   string
		Shared bool
		Sites  []SiteID
	}
	rows, err := many[row](ctx, r.db, "names",
		`SELECT * FROM (`+strings.Join(parts, ` UNION ALL `)+`) AS x (prefix, key, name, shared, sites)`, args)
	out := make([]Named, len(rows))
	for i, x := range rows {
		out[i] = Named{ID: encodeID(x.Prefix, x.Key), Name: x.Name, Shared: x.Shared, Sites: x.Sites}
	}
	return out, err
}

// keysOf are the keys of those IDs that have a prefix.
func keysOf(prefix string, ids []string) [][16]byte {
	var keys [][16]byte
	for _, id := range ids {
		if key, err := decodeID(prefix, id); err == nil && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}
