package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// minMajor is the oldest Postgres that the migrations are written for:
// pg_current_xact_id and the xid8 type came with 13.
const minMajor = 13

// searched are the places beside PATH where distributions put the server
// programs: Debian and Ubuntu, Fedora and RHEL, Alpine, a build by hand.
var searched = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/usr/local/pgsql/bin",
}

// install is one directory with both postgres and initdb.
type install struct {
	dir   string
	major int
}

// binaries returns the directory of the programs to use: those of the
// cluster's major version, or the newest when there is no cluster yet.
func binaries(ctx context.Context, cluster string, dirs []string) (string, error) {
	want, err := clusterMajor(cluster)
	if err != nil {
		return "", err
	}
	found := installs(ctx, dirs)
	var names []string
	for _, in := range found {
		if want == 0 || in.major == want {
			return in.dir, nil
		}
		names = append(names, fmt.Sprintf("%d in %s", in.major, in.dir))
	}
	if want == 0 || len(found) == 0 {
		return "", unavailable(nil, "postgres_not_found", "searched", "PATH, "+strings.Join(searched, ", "), "oldest", minMajor)
	}
	return "", unavailable(nil, "postgres_version_mismatch", "dir", cluster, "cluster", want, "found", strings.Join(names, ", "))
}

// installs lists what is there, newest first.
func installs(ctx context.Context, dirs []string) []install {
	if dirs == nil {
		if p, err := exec.LookPath("postgres"); err == nil {
			if p, err = filepath.EvalSymlinks(p); err == nil {
				dirs = append(dirs, filepath.Dir(p))
			}
		}
		for _, pattern := range searched {
			m, _ := filepath.Glob(pattern) // errs on a bad pattern only
			dirs = append(dirs, m...)
		}
	}
	var found []install
	for _, dir := range dirs {
		if major, err := programMajor(ctx, dir); err == nil && major >= minMajor {
			found = append(found, install{dir, major})
		}
	}
	slices.SortStableFunc(found, func(a, b install) int { return b.major - a.major })
	return found
}

var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// programMajor asks the postgres in dir for its major version.
func programMajor(ctx context.Context, dir string) (int, error) {
	if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err != nil {
		return 0, fmt.Errorf("find initdb: %w", err)
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("ask %s/postgres for its version: %w", dir, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("ask %s/postgres for its version: it says %q", dir, out)
	}
	return strconv.Atoi(string(m[1]))
}

// clusterMajor reads PG_VERSION; 0 means that there is no cluster yet.
func clusterMajor(cluster string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the cluster's version: %w", err)
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, fmt.Errorf("read the cluster's version in %s: %w", cluster, err)
	}
	return v, nil
}
