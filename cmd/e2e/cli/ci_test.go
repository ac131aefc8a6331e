package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/cmd/e2e/recipe"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// The shell of each recipe in docs/ci publishes an image under the number of
// its commit, is done when that is there already, and fails when the file is no
// image.
func TestPipelines(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.SetUp()
	token := pipelineToken(w)
	repository := t.TempDir()
	for _, p := range []struct {
		page   string
		runner []string // as the system's own runner calls a step
		number string
	}{
		{"github-actions.md", []string{"bash", "-e"}, "1.4.0"},
		{"gitlab.md", []string{"bash", "-eo", "pipefail"}, "1.4.1-dev.1+g"},
		{"jenkins.md", []string{"sh", "-xe"}, "1.4.1-dev.2+g"},
	} {
		r := newPipeline(w, token, repository, p.page, p.runner)
		r.commit(p.number == "1.4.0")
		r.image(w.Sample())
		if out, err := r.run(); err != nil {
			t.Fatalf("%s: %v: %s", p.page, err, out)
		}
		v, err := w.Client.FindVersion(w.Context(), "win11-ent", "", "testing")
		if err != nil || !strings.HasPrefix(v.Version, p.number) || v.Commit != r.head() {
			t.Errorf("%s: testing is %s of %s, want %s… of %s; %v", p.page, v.Version, v.Commit, p.number, r.head(), err)
		}
		if out, err := r.run(); err != nil || !strings.Contains(out, "version "+v.Version+" is there already") {
			t.Errorf("%s: the same commit again: %v: %s", p.page, err, out)
		}
		r.commit(false)
		r.write("garbage", strings.Repeat("no image ", 1000))
		r.image(filepath.Join(r.dir, "garbage"))
		out, err := r.run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.Contains(out, "image_not_readable") {
			t.Errorf("%s: garbage: %v: %s", p.page, err, out)
		}
		if now, err := w.Client.FindVersion(w.Context(), "win11-ent", "", "testing"); err != nil || now.ID != v.ID {
			t.Errorf("%s: garbage moved the channel to %+v, %v", p.page, now, err)
		}
		r.git("reset", "--quiet", "--hard", "HEAD~1")
	}
}

// pipelineToken makes the token that docs/ci tells to make, as it tells it.
func pipelineToken(w *world.World) string {
	w.T.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "ci", "README.md"))
	if err != nil {
		w.T.Fatal(err)
	}
	_, command, _ := strings.Cut(string(page), "`stickpress token create ")
	command, _, ok := strings.Cut(command, "`")
	if !ok || !strings.Contains(command, "--scope ") {
		w.T.Fatalf("docs/ci/README.md makes no token for a scope: %q", command)
	}
	secret, err := w.Stickpress(w.Token, append([]string{"token", "create"}, strings.Fields(command)...)...)
	if err != nil {
		w.T.Fatal(err)
	}
	return strings.TrimSpace(secret)
}

// pipeline runs a recipe's steps in a repository.
type pipeline struct {
	*world.World
	token  string
	dir    string
	runner []string
	steps  []recipe.Step
}

func newPipeline(w *world.World, token, repository, page string, runner []string) *pipeline {
	w.T.Helper()
	blocks, err := recipe.Blocks(filepath.Join("..", "..", "..", "docs", "ci", page))
	if err != nil {
		w.T.Fatal(err)
	}
	p := &pipeline{World: w, token: token, dir: repository, runner: runner}
	for _, b := range blocks {
		steps, err := b.Steps()
		if err != nil {
			w.T.Fatal(err)
		}
		p.steps = append(p.steps, steps...)
	}
	if len(p.steps) == 0 {
		w.T.Fatalf("%s has no steps", page)
	}
	p.git("init", "--quiet", "--initial-branch", "main")
	script, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "ci", "version.sh"))
	if err != nil {
		w.T.Fatal(err)
	}
	p.write("ci/version.sh", string(script))
	p.write("build-image", "#!/bin/sh\ncp \"$BUILT\" \"$1\"\n")
	return p
}

// image is what ./build-image makes from now on.
func (p *pipeline) image(path string) { p.write(".git/built", path) }

// commit makes a commit, and of the first one the release 1.4.0.
func (p *pipeline) commit(release bool) {
	p.T.Helper()
	p.git("commit", "--quiet", "--allow-empty", "-m", "change")
	if release {
		p.git("tag", "v1.4.0")
	}
}

func (p *pipeline) head() string { return p.git("rev-parse", "HEAD") }

// run runs the steps as a runner does: each in a shell of its own, until one
// fails.
func (p *pipeline) run() (said string, err error) {
	p.T.Helper()
	built, err := os.ReadFile(filepath.Join(p.dir, ".git", "built"))
	if err != nil {
		p.T.Fatal(err)
	}
	for _, s := range p.steps {
		script := filepath.Join(p.T.TempDir(), "step.sh")
		if err := os.WriteFile(script, []byte(s.Shell), 0o600); err != nil {
			p.T.Fatal(err)
		}
		cmd := exec.CommandContext(p.Context(), p.runner[0], append(p.runner[1:], script)...)
		cmd.Dir = p.dir
		cmd.Env = append(os.Environ(), "PATH="+p.Programs()+string(os.PathListSeparator)+os.Getenv("PATH"), "XDG_CONFIG_HOME="+p.T.TempDir(),
			"STICKPRESS_SERVER="+p.URL, "STICKPRESS_TOKEN="+p.token, "STICKPRESS_PIN=", "BUILT="+string(built),
			"GITHUB_SHA="+p.head(), "CI_COMMIT_SHA="+p.head())
		out, err := cmd.CombinedOutput()
		said += string(out)
		if err != nil {
			return said, err
		}
	}
	return said, nil
}

func (p *pipeline) git(args ...string) string {
	p.T.Helper()
	cmd := exec.CommandContext(p.Context(), "git", append([]string{"-C", p.dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.T.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (p *pipeline) write(name, text string) {
	p.T.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.T.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		p.T.Fatal(err)
	}
}
