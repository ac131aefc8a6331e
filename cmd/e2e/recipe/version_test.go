package recipe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
)

// The numbers of a history are in its order, in every shell; those of git
// describe are not.
func TestImageVersion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"dash", "bash"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t, shell)
			var all []string
			next := func(tag string) {
				r.git("commit", "--quiet", "--allow-empty", "-m", "change")
				if tag != "" {
					r.git("tag", tag)
				}
				all = append(all, r.version())
			}
			next("")
			next("")
			next("v1.4.0")
			for range 11 {
				next("")
			}
			if described := r.git("describe", "--tags"); !semver.MustParse(strings.TrimPrefix(described, "v")).LessThan(semver.MustParse("1.4.0")) {
				t.Errorf("git describe's %s is not before the tag that it comes after: the reason for this function is gone", described)
			}
			next("v1.4.1")
			next("v2.0.0-rc.1")
			next("")
			next("")
			next("v2.0.0-rc.2")
			next("v2.0.0")
			next("")
			for i := 1; i < len(all); i++ {
				if a, b := semver.MustParse(all[i-1]), semver.MustParse(all[i]); !a.LessThan(b) {
					t.Errorf("%s is not before %s", a, b)
				}
			}
			for i, want := range map[int]string{0: "0.0.1-dev.1+g", 2: "1.4.0", 5: "1.4.1-dev.3+g", 14: "1.4.1", 16: "2.0.0-rc.1.dev.1+g", 20: "2.0.1-dev.1+g"} {
				if got, _, _ := strings.Cut(all[i], "+g"); got != strings.TrimSuffix(want, "+g") {
					t.Errorf("commit %d is %s, want %s…", i+1, all[i], want)
				}
			}
		})
	}
}

// A clone without its tags would give numbers that were given before.
func TestImageVersionShallow(t *testing.T) {
	t.Parallel()
	r := newRepository(t, "dash")
	r.git("commit", "--quiet", "--allow-empty", "-m", "one")
	r.git("commit", "--quiet", "--allow-empty", "-m", "two")
	shallow := filepath.Join(t.TempDir(), "clone")
	r.git("clone", "--quiet", "--depth", "1", "file://"+r.dir, shallow)
	r.dir = shallow
	if out, err := r.run("image_version"); err == nil || !strings.Contains(out, "the clone is shallow") {
		t.Errorf("it printed %q, %v", out, err)
	}
}

type repository struct {
	t          *testing.T
	dir, shell string
}

func newRepository(t *testing.T, shell string) *repository {
	t.Helper()
	r := &repository{t: t, dir: t.TempDir(), shell: shell}
	r.git("init", "--quiet", "--initial-branch", "main")
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", r.dir}, args...)...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) version() string {
	r.t.Helper()
	out, err := r.run("image_version")
	if err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(out)
}

// run runs a line after version.sh was sourced.
func (r *repository) run(line string) (string, error) {
	r.t.Helper()
	file, err := filepath.Abs(filepath.Join("..", "..", "..", "docs", "ci", "version.sh"))
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(r.t.Context(), r.shell, "-ec", `. "$0"; `+line, file)
	cmd.Dir, cmd.Env = r.dir, environment()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// environment keeps the settings of whoever runs the tests out of them.
func environment() []string {
	return append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
}
