// Package house holds the source to the house's one rule: imports point down.
// The linter says it file by file; this says it for everything that a package
// pulls in, however far away.
package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/stickpress/stickpress/"

type pkg struct {
	ImportPath string
	Deps       []string
}

func packages(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Deps", module+"...")
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.ImportPath, module) {
			all[strings.TrimPrefix(p.ImportPath, module)] = p.Deps
		}
	}
}

// below reports whether a package is room or lies in it.
func below(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

// Who may not pull in what, directly or through others.
var walls = []struct {
	room, forbidden string
	but             []string // rooms inside forbidden that are allowed
}{
	{"agent", "api", nil},
	{"agent", "store", nil},
	{"agent", "web", nil},
	{"agent", "cmd", nil},
	{"agent/protocol", "agent", []string{"agent/protocol"}},
	{"agent/hive", "agent", []string{"agent/hive"}},
	{"agent/wim/header", "agent", []string{"agent/wim/header"}},
	{"agent/vdisk", "agent", []string{"agent/vdisk"}},
	{"agent/stream", "agent", []string{"agent/stream"}},
	{"agent/bmap", "agent", []string{"agent/bmap"}},
	{"agent/wim/exclusion", "agent", []string{"agent/wim/exclusion"}},
	{"agent/partition", "agent", []string{"agent/partition"}},
	{"agent/bcd", "agent", []string{"agent/bcd", "agent/hive"}},
	{"agent/tool", "agent", []string{"agent/tool", "agent/protocol"}},
	{"api", "agent", []string{
		"agent/protocol", "agent/bmap", "agent/partition", "agent/stream", "agent/tool", "agent/vdisk", "agent/wim/exclusion", "agent/wim/header",
	}},
	{"store", "agent", []string{"agent/protocol"}},
	{"store", "api", []string{"api/fault"}},
	{"store", "web", nil},
	{"store", "cmd", nil},
	{"api", "cmd", nil},
	{"api", "web", []string{"web/locale"}},
	{"api/hub", "web", nil},
	{"api/hub", "api/rest", nil},
	{"api/rest", "api/hub", nil},
	{"api/fault", "", []string{"api/fault"}},
	{"web", "api/rest", nil},
	{"web", "api/hub", nil},
	{"web", "cmd", nil},
	{"web/locale", "", []string{"web/locale"}},
	{"migrations", "", []string{"migrations"}},
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	all := packages(t)
	if len(all) < 20 {
		t.Fatalf("found only %d packages: the search is broken", len(all))
	}
	for path, deps := range all {
		for _, wall := range walls {
			if !below(path, wall.room) {
				continue
			}
			for _, dep := range deps {
				ours, ok := strings.CutPrefix(dep, module)
				if !ok || wall.forbidden != "" && !below(ours, wall.forbidden) {
					continue
				}
				allowed := false
				for _, room := range wall.but {
					allowed = allowed || below(ours, room)
				}
				if !allowed {
					t.Errorf("%s pulls in %s: %s must not know %q", path, ours, wall.room, wall.forbidden)
				}
			}
		}
	}
}

// Foreign packages that belong to one room.
func TestForeignPackagesStayInTheirRoom(t *testing.T) {
	t.Parallel()
	for path, deps := range packages(t) {
		if !below(path, "agent") && path != "cmd/stickpress-agent" {
			continue
		}
		for _, dep := range deps {
			for _, foreign := range []string{"github.com/jackc/pgx", "github.com/go-chi/chi", "github.com/a-h/templ"} {
				if strings.HasPrefix(dep, foreign) {
					t.Errorf("%s pulls in %s", path, dep)
				}
			}
		}
	}
}

// The agent compiles where it cannot press yet, so that what belongs to one
// system stays in the files of that system. Nothing is linked or run.
func TestAgentCompilesForOtherSystems(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "build", "./agent/...", "./cmd/stickpress-agent")
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("GOOS=windows %v: %v\n%s", cmd, err, out)
	}
}
