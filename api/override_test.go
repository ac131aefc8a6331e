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

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
)

// What the decision says about a refusal is what the program does, and no
// refusal of a device or a source is left out of either.
func TestOverridesAreDecided(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/decisions/0008-overrides.md")
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
