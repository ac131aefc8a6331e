package rest_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/rest/resttest"
)

var update = flag.Bool("update", false, "write docs/api-roles.md anew")

const rolesDoc = "../../docs/api-roles.md"

const rolesHead = `# Who may do what over the API

Made of the OpenAPI document (` + "`x-access`" + ` of each operation), which has it from the tables that
decide it: ` + "`api/permission.go`, `api/scope.go` and `api/token_scope.go`" + `. A test asks for every
operation as everybody in turn, and writes this page: ` + "`go test ./api/rest -run TestRolesDoc -update`" + `.

**Role** is the least one; admins may do what the helpdesk may, and they what viewers may. Whoever
has less is refused with ` + "`403` `forbidden`" + `, and a request without a good token with ` + "`401`" + `.

**Sites**: what somebody who has some sites only gets.

| | |
|---|---|
| self | it is about oneself; what is another's is not there (` + "`404`" + `) |
| shared | what all sites share: everybody sees it |
| site | what is at another site is not there (` + "`404`" + `), and in no list |
| every | refused (` + "`403` `every_site_needed`" + `): it changes what all sites share, or tells its secrets |

**Token scope**: a token that was made for scopes must have it, or is refused (` + "`403` `scope_missing`" + `).
Scopes that are named in *also* are for some requests alone: what is another person's, what
everybody sees, a job that captures or passes a refusal.

| operation | role | sites | token scope | also |
|---|---|---|---|---|
`

// instead of a token decide about an operation.
var instead = map[string]string{"begin_pairing": "it gives nothing yet", "end_pairing": "its secret, and a person's answer"}

// The page says of each operation what the document does.
func TestRolesDoc(t *testing.T) {
	t.Parallel()
	all := resttest.Start(t).Contract.All()
	slices.SortFunc(all, func(a, b resttest.Operation) int {
		x, y := strings.Fields(a.Name), strings.Fields(b.Name)
		return cmp.Or(cmp.Compare(x[1], y[1]), cmp.Compare(x[0], y[0]))
	})
	var b strings.Builder
	b.WriteString(rolesHead)
	for _, op := range all {
		also := ""
		if n := op.Access.Besides; n != nil {
			also = n.Role + ", " + code(n.Scopes)
		}
		role := cmp.Or(op.Access.Role, "none: "+cmp.Or(instead[op.ID], "the connector's secret"))
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", op.Name, role, op.Access.Sites, code(op.Access.Scopes), also)
	}
	want := b.String()
	if *update {
		if err := os.WriteFile(rolesDoc, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(rolesDoc); err != nil || string(have) != want {
		t.Errorf("%s is not what the operations ask for: run this with -update (%v)", rolesDoc, err)
	}
}

func code(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "`" + strings.Join(words, "`, `") + "`"
}

// spots are what some operations do for somebody, by what this product is to be
// and not by its tables: 0 is that they may.
var spots = []struct {
	operation, asker string
	status           int
}{
	{"GET /overview", "nobody", 401},
	{"GET /jobs", "viewer", 200},
	{"GET /jobs", "nobody", 401},
	{"GET /jobs", "read-only admin", 200},
	{"GET /jobs/{job}", "helpdesk elsewhere", 404},
	{"GET /jobs/{job}/events", "admin elsewhere", 404},
	{"POST /jobs", "viewer", 403},
	{"POST /jobs", "helpdesk", 0},
	{"POST /jobs", "helpdesk elsewhere", 404},
	{"POST /jobs", "read-only admin", 403},
	{"POST /jobs/{job}/cancellations", "viewer", 403},
	{"POST /jobs/{job}/cancellations", "admin elsewhere", 404},
	{"GET /sticks/{stick}", "viewer", 200},
	{"GET /sticks/{stick}", "helpdesk elsewhere", 404},
	{"POST /sticks/{stick}/issues", "viewer", 403},
	{"POST /sticks/{stick}/issues", "helpdesk", 0},
	{"POST /sticks/{stick}/retirements", "helpdesk", 403},
	{"GET /hosts", "viewer", 200},
	{"GET /hosts/{host}", "admin elsewhere", 404},
	{"POST /enrolments", "helpdesk", 403},
	{"POST /hosts/{host}/revocations", "helpdesk", 403},
	{"POST /hosts/{host}/revocations", "admin elsewhere", 404},
	{"POST /images", "helpdesk", 403},
	{"POST /images", "admin elsewhere", 403},
	{"POST /uploads/", "viewer", 403},
	{"POST /versions", "read-only admin", 403},
	{"POST /versions/{version}/withdrawals", "helpdesk", 403},
	{"GET /templates/{template}", "viewer", 200},
	{"GET /templates/{template}/source", "viewer", 403},
	{"GET /templates/{template}/source", "helpdesk", 403},
	{"GET /templates/{template}/source", "admin elsewhere", 403},
	{"GET /templates/{template}/source", "read-only admin", 403},
	{"GET /users", "helpdesk", 403},
	{"POST /users", "helpdesk", 403},
	{"PUT /users/{user}", "viewer", 403},
	{"POST /users/{user}/password-links", "admin elsewhere", 404},
	{"POST /users/{user}/password-links", "read-only admin", 403},
	{"POST /tokens", "viewer", 0},
	{"POST /tokens", "read-only admin", 403},
	{"GET /audit", "helpdesk", 403},
	{"GET /audit/export", "viewer", 403},
	{"GET /settings", "helpdesk", 403},
	{"PUT /settings/{setting}", "admin elsewhere", 403},
	{"POST /sites", "admin elsewhere", 403},
	{"GET /events", "viewer", 200},
	{"GET /webhooks", "helpdesk", 403},
	{"POST /webhooks", "admin elsewhere", 403},
	{"POST /webhooks/{webhook}/secrets", "read-only admin", 403},
	{"GET /connectors", "helpdesk", 403},
	{"GET /stick-requests", "viewer", 403},
	{"GET /stick-requests", "helpdesk", 200},
	{"GET /stick-requests/{stick_request}", "helpdesk elsewhere", 404},
	{"POST /stick-requests/{stick_request}/refusals", "viewer", 403},
	{"GET /views/{view}", "admin", 404},
	{"GET /certificates/{certificate}", "admin elsewhere", 404},
}

// spotted compares them with what the world found out.
func (r *roles) spotted() {
	r.t.Helper()
	for _, x := range spots {
		if got, ok := r.got[x.operation][x.asker]; !ok || got.status != x.status {
			r.t.Errorf("%s for %s: %+v, want %d", x.operation, x.asker, got, x.status)
		}
	}
}
