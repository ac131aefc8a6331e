package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

// What the decision says about a refusal is what the program does, and no
// refusal of a device or a source is left out of either.
func TestOverridesAreDecided(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/decisions/0009-overrides.md")
	if err != nil {
		t.Fatal(err)
	}
	decided := map[fault.Code]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (yes|no) \\| .{10,} \\|$").FindAllStringSubmatch(string(doc), -1) {
		decided[fault.Code(row[1])] = row[2] == "yes"
	}
	for _, r := range api.Refusals {
		pass, ok := decided[r.Code]
		if !ok || pass != r.Pass || pass != slices.Contains(api.Overridable, r.Code) {
			t.Errorf("%s: decided %v (%v), in the program %v", r.Code, pass, ok, r.Pass)
		}
		delete(decided, r.Code)
	}
	for code := range decided {
		t.Errorf("%s is decided and not in the program", code)
	}
	groups := slices.Concat(constants(t, "../agent/protocol/fault.go", "FaultNotRemovable", "FaultTooOldForRemovable"),
		constants(t, "../agent/protocol/capture.go", "FaultCaptureNoWindows", "FaultCaptureUndeployable"))
	if len(groups) < 20 {
		t.Fatalf("found only %v", groups)
	}
	for _, code := range groups {
		if !slices.ContainsFunc(api.Refusals, func(r api.Refusal) bool { return string(r.Code) == code }) {
			t.Errorf("%s is decided nowhere", code)
		}
	}
}

// Sectors of 4096 bytes are an admin's to let pass with mbr-dual; a device that is
// larger than an MBR counts is nobody's to refuse. An override of one hides no
// other reason.
func TestLayoutsOfOddDevices(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	wide, large, both := apitest.Stick("wide"), apitest.Stick("large"), apitest.Stick("both")
	wide.SectorSize, both.SectorSize = 4096, 4096
	large.Bytes = 4_000_000_000_000
	f.Connect(t, "bench", wide, large, both)
	in := apitest.Order("win11-ent", "bench", wide)
	in.Layout = protocol.LayoutMBRDual
	_, err := f.QueueJob(t.Context(), f.Admin, in)
	wantFault(t, err, api.CodeSectorSize)
	in.Overrides = []string{protocol.FaultSectorSize}
	_, err = f.QueueJob(t.Context(), f.Helpdesk, in)
	wantFault(t, err, api.CodeForbidden)
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Admin, in))
	if job.Layout != protocol.LayoutMBRDual || !slices.Equal(job.Overrides, in.Overrides) {
		t.Errorf("layout %s, overrides %v", job.Layout, job.Overrides)
	}
	in = apitest.Order("win11-ent", "bench", large)
	in.Layout = protocol.LayoutMBRDual
	must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	in = apitest.Order("win11-ent", "bench", both)
	in.Layout, in.Edition, in.Overrides = protocol.LayoutMBRDual, 3, []string{protocol.FaultSectorSize}
	_, err = f.QueueJob(t.Context(), f.Admin, in)
	wantFault(t, err, api.CodeRemovableRefused)
}

// constants are the values of the constants of a file, from the first to the
// last that are named.
func constants(t *testing.T, path, first, last string) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	within := false
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		name := spec.Names[0].Name
		within = within || name == first
		if text, ok := spec.Values[0].(*ast.BasicLit); ok && within {
			value, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Error(err)
			}
			values = append(values, value)
		}
		within = within && name != last
		return true
	})
	return values
}
