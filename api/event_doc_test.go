package api_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/web/locale"
)

var update = flag.Bool("update", false, "write docs/events.md anew")

const eventTable = "| type | what happened | beside the IDs |\n|---|---|---|\n"

// docs/events.md has every type of events, as the table in Go says it.
func TestEventsAreDocumented(t *testing.T) {
	t.Parallel()
	const path = "../docs/events.md"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString(eventTable)
	for _, k := range api.EventKinds {
		data := make([]string, 0, len(k.Data))
		for _, d := range k.Data {
			data = append(data, "`"+d+"`")
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", k.Type, locale.English.T("event_type."+string(k.Of)), strings.Join(data, ", "))
	}
	before, rest, ok := strings.Cut(string(raw), eventTable)
	if !ok {
		t.Fatal("the table of types is gone")
	}
	for strings.HasPrefix(rest, "|") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	want := before + table.String() + rest
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(raw) {
		t.Error("docs/events.md is not what the table says: go test ./api -run TestEventsAreDocumented -update")
	}
}

// Every type that the store has is told to programs, but the lines of logs.
func TestEveryEventIsTold(t *testing.T) {
	t.Parallel()
	known := map[string]bool{string(store.EventBuildLog): true}
	for _, k := range api.EventKinds {
		if known[string(k.Of)] {
			t.Errorf("%s is there twice", k.Of)
		}
		known[string(k.Of)] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../store/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "EventType" {
			return true
		}
		found++
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil || !known[text] {
			t.Errorf("the event %s is told to nobody", text)
		}
		return true
	})
	if found != len(known) {
		t.Errorf("%d types in the store, %d are told", found, len(known))
	}
}
