package store

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Page asks for a page of a list that is ordered by ID, newest first: the rows
// before Before (zero: the newest), or those nearest after After, at most Limit
// (0: 50, never more than 500).
type Page[K kind] struct {
	Before ID[K]
	After  ID[K]
	Limit  int
}

func (p Page[K]) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["before"], args["limit"] = p.Before, pageSize(p.Limit)
	return args
}

// of picks the page out of IDs that are all there is.
func (p Page[K]) of(ids []ID[K]) []ID[K] {
	up := func(a, b ID[K]) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(ids, up)
	ids = slices.Compact(ids)
	if !p.After.IsZero() {
		i, found := slices.BinarySearchFunc(ids, p.After, up)
		if found {
			i++
		}
		ids = ids[i:]
		return ids[:min(len(ids), pageSize(p.Limit))]
	}
	if !p.Before.IsZero() {
		i, _ := slices.BinarySearchFunc(ids, p.Before, up)
		ids = ids[:i]
	}
	return ids[max(0, len(ids)-pageSize(p.Limit)):]
}

type (
	// JobPage is a page of jobs.
	JobPage = Page[jobKind]
	// BuildPage is a page of builds.
	BuildPage = Page[buildKind]
	// StickPage is a page of sticks.
	StickPage = Page[stickKind]
	// TokenPage is a page of API tokens.
	TokenPage = Page[tokenKind]
	// VersionPage is a page of image versions.
	VersionPage = Page[versionKind]
	// HostPage is a page of revoked hosts.
	HostPage = Page[hostKind]
	// RequestPage is a page of stick requests.
	RequestPage = Page[requestKind]
	// WriteBackPage is a page of what was told to tickets.
	WriteBackPage = Page[writeBackKind]
	// WebhookPage is a page of webhooks.
	WebhookPage = Page[webhookKind]
	// MessagePage is a page of a webhook's messages.
	MessagePage = Page[messageKind]
	// AuditPage is a page of the audit log.
	AuditPage = Page[auditKind]
)

// ByName asks for a page of a list that is ordered by name, whatever its case:
// the rows after the name After ("" begins), or those nearest before the name
// Before, at most Limit (0: 50, never more than 500).
type ByName struct {
	After  string
	Before string
	Limit  int
}

func (p ByName) args() pgx.NamedArgs {
	return pgx.NamedArgs{"after": p.After, "limit": pageSize(p.Limit)}
}

// The default and the greatest number of rows of a page.
const (
	defaultLimit = 50
	maxLimit     = 500
)

func pageSize(limit int) int {
	switch {
	case limit <= 0:
		return defaultLimit
	case limit > maxLimit:
		return maxLimit
	default:
		return limit
	}
}

// where collects what a list is narrowed by. A condition that does not narrow
// is not in the statement, so that Postgres plans each combination for itself.
type where struct {
	conditions []string
	args       pgx.NamedArgs
}

// and adds a condition and the argument that it names.
func (w *where) and(condition, name string, value any) {
	if w.args == nil {
		w.args = pgx.NamedArgs{}
	}
	w.conditions = append(w.conditions, condition)
	w.args[name] = value
}

// text adds a condition unless the value is empty.
func (w *where) text(condition, name, value string) {
	if value != "" {
		w.and(condition, name, cleanText(value))
	}
}

// within adds a condition of its own around those of another table, such as
// "job_id IN (SELECT id FROM jobs".
func (w *where) within(begin string, of *where) {
	if w.args == nil {
		w.args = pgx.NamedArgs{}
	}
	maps.Copy(w.args, of.args)
	w.conditions = append(w.conditions, begin+of.String()+")")
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// equal adds a condition unless the ID is zero.
func equal[K kind](w *where, condition, name string, value ID[K]) {
	if !value.IsZero() {
		w.and(condition, name, value)
	}
}

// andStates adds the condition that jobs or builds are in one of some states, if
// there are any. Those that are over are found by their outcome; the others are
// few, and no index knows their states.
func andStates[S interface {
	~string
	Final() bool
}](w *where, states []S) {
	var live, over []S
	for _, s := range states {
		if s.Final() {
			over = append(over, s)
		} else {
			live = append(live, s)
		}
	}
	switch {
	case len(states) == 0:
	case len(states) == 1 && len(over) == 1: // in the order of the index
		w.and("outcome = @over", "over", over[0])
	case len(live) == 0:
		w.and("outcome = ANY (@over)", "over", over)
	case len(over) == 0:
		w.and("outcome IS NULL AND state = ANY (@live)", "live", live)
	default:
		w.and("(outcome = ANY (@over) OR outcome IS NULL AND state = ANY (@live))", "over", over)
		w.args["live"] = live
	}
}

// listed runs the query of a list of one table. CacheDescribe has it planned
// anew with its values: a plan for all of them would be wrong for rare ones.
func listed[T any](ctx context.Context, r Reader, kind, from, columns string, w *where, order string, limit int) ([]T, error) {
	if w.args == nil {
		w.args = pgx.NamedArgs{}
	}
	w.args["limit"] = pageSize(limit)
	rows, _ := r.db.Query(ctx, `SELECT `+columns+` FROM `+from+w.String()+` ORDER BY `+order+` LIMIT @limit`,
		pgx.QueryExecModeCacheDescribe, w.args) // the error comes back from CollectRows
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	return list, fail(err, "list "+kind)
}

// byID lists one page of a table by its ID, newest first.
func byID[T any, K kind](ctx context.Context, r Reader, kind, table, columns string, w *where, p Page[K]) ([]T, error) {
	if !p.After.IsZero() {
		w.and("id > @after", "after", p.After)
		list, err := listed[T](ctx, r, kind, table, columns, w, "id", p.Limit)
		slices.Reverse(list)
		return list, err
	}
	equal(w, "id < @before", "before", p.Before)
	return listed[T](ctx, r, kind, table, columns, w, "id DESC", p.Limit)
}

// byName lists one page of a table by the name of its rows, whatever its case.
func byName[T any](ctx context.Context, r Reader, kind, table, columns string, w *where, p ByName) ([]T, error) {
	if p.Before != "" {
		w.and("lower(name) < lower(@before)", "before", p.Before)
		list, err := listed[T](ctx, r, kind, table, columns, w, "lower(name) DESC", p.Limit)
		slices.Reverse(list)
		return list, err
	}
	w.text("lower(name) > lower(@after)", "after", p.After)
	return listed[T](ctx, r, kind, table, columns, w, "lower(name)", p.Limit)
}

// likeEscaper takes the meaning of LIKE's own characters away.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// beginning is the LIKE pattern of texts that begin so, and holding that of
// texts that hold it, in lower case; nothing for nothing.
func beginning(text string) string {
	if text == "" {
		return ""
	}
	return likeEscaper.Replace(strings.ToLower(text)) + "%"
}

func holding(text string) string {
	if text == "" {
		return ""
	}
	return "%" + beginning(text)
}
