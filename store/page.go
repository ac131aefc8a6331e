package store

import "github.com/jackc/pgx/v5"

// Page asks for a page of a list that is ordered by ID, newest first: the rows
// before Before (zero: the newest), at most Limit (0: 50, never more than 500).
type Page[K kind] struct {
	Before ID[K]
	Limit  int
}

func (p Page[K]) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["before"], args["limit"] = p.Before, pageSize(p.Limit)
	return args
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
	// AuditPage is a page of the audit log.
	AuditPage = Page[auditKind]
)

// ByName asks for a page of a list that is ordered by name, whatever its case:
// the rows after the name After ("" begins), at most Limit (0: 50, never more
// than 500).
type ByName struct {
	After string
	Limit int
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
