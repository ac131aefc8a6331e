package rest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
)

// Match is the part of a PUT, PATCH or DELETE that guards against overwriting
// what somebody else changed: a request without it is refused (428). It is
// exported because huma looks for parameters in exported embedded types only.
type Match struct {
	IfMatch  string `header:"If-Match" doc:"ETag of the thing as seen; it is required (428). If the thing has changed since, nothing is done (412). '*' overwrites whatever is there."`
	revision int64  // as seen, or 0: any
}

// Resolve implements huma.Resolver.
func (m *Match) Resolve(huma.Context) []error {
	if m.IfMatch == "" {
		return []error{errNoMatch}
	}
	return m.read()
}

func (m *Match) read() (errs []error) {
	m.revision, errs = revisionOf(m.IfMatch)
	return errs
}

// errNoMatch is why a change without If-Match is refused.
var errNoMatch = &huma.ErrorModel{Status: http.StatusPreconditionRequired, Detail: "If-Match is required"}

// MayMatch is Match for actions: they may be done to a thing that nobody has
// looked at.
type MayMatch struct {
	IfMatch  string `header:"If-Match" doc:"ETag of the thing as seen. If it has changed since, nothing is done (412)."`
	revision int64
}

// Resolve implements huma.Resolver.
func (m *MayMatch) Resolve(huma.Context) (errs []error) {
	m.revision, errs = revisionOf(m.IfMatch)
	return errs
}

// MatchOrNone is Match for a PUT that also makes what is not there yet.
type MatchOrNone struct {
	Match
	IfNoneMatch string `header:"If-None-Match" enum:"*" doc:"'*', in place of If-Match: only if there is none yet (412 otherwise)."`
}

// Resolve implements huma.Resolver.
func (m *MatchOrNone) Resolve(ctx huma.Context) []error {
	if m.IfNoneMatch != "" && m.IfMatch == "" {
		m.revision = api.Absent
		return nil
	}
	return m.Match.Resolve(ctx)
}

// etag is a revision as an ETag; of what is not there yet it is "0".
func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// revisionOf reads an ETag of ours, also one that a proxy made weak because it
// packed the answer: what it names is the thing, not its bytes.
func revisionOf(text string) (int64, []error) {
	if text == "" || text == "*" {
		return 0, nil
	}
	tag := strings.TrimPrefix(text, "W/")
	n, err := strconv.ParseUint(strings.Trim(tag, `"`), 10, 63)
	if err != nil || len(tag) < 3 || tag != etag(int64(n)) { //nolint:gosec // 63 bits
		return 0, []error{&huma.ErrorDetail{Location: "header.If-Match", Message: "expected an ETag of this API"}}
	}
	if n == 0 {
		return api.Absent, nil
	}
	return int64(n), nil //nolint:gosec // 63 bits
}
