package pglocal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// runHelper is this test program run again as another process: it starts a
// Postgres in PGLOCAL_DIR, prints its URL and access, and stops it at the end
// of its input.
func runHelper(dir string) int {
	ctx := context.Background()
	s, err := Start(ctx, Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), NoSync: true})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println(s.account.access, s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(ctx); err != nil {
		return 1
	}
	return 0
}

// helper is a running helper process.
type helper struct {
	cmd         *exec.Cmd
	in          io.Closer
	access, url string
}

// startHelper runs the helper below prefix (a command that changes who it is)
// and waits for its URL.
func startHelper(t *testing.T, dir string, prefix ...string) *helper {
	t.Helper()
	// The go command's own directory is closed to other accounts.
	program := filepath.Join(openDir(t), "helper")
	copyFile(t, os.Args[0], program)
	args := append(prefix, program)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PGLOCAL_HELPER="+dir)
	cmd.Stderr = t.Output()
	cmd.Dir = "/"
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s (util-linux) is needed: %v", args[0], err)
	}
	h := &helper{cmd: cmd, in: in}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the helper said nothing: %v", err)
	}
	h.access, h.url, _ = strings.Cut(strings.TrimSpace(line), " ")
	if h.access == "error" {
		t.Fatalf("helper: %s", h.url)
	}
	return h
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	// A child forked meanwhile would hold the file open for writing, and it
	// could not be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(to, raw, 0o755); err != nil {
		t.Fatal(err)
	}
}

// needRoot: the tests of dropping credentials have to have some.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test must run as root")
	}
}

// openDir is a test directory that every account may enter; t.TempDir alone
// is below one of mode 0700.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// closedDir is a directory below one of mode 0700 that belongs to owner.
func closedDir(t *testing.T, owner int) string {
	t.Helper()
	above := filepath.Join(openDir(t), "closed")
	if err := os.Mkdir(above, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(above, owner, owner); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(above, "pg")
}

func TestBelowClosedDirectory(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, tc := range map[string]struct {
		owner      int
		only, want access
	}{
		"chosen":                 {0, "", accessAmbient},
		"namespace":              {0, accessNamespace, accessNamespace},
		"namespace, not of root": {12345, accessNamespace, accessNamespace},
		"ambient, not of root":   {12345, accessAmbient, accessAmbient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := testOptions(t, closedDir(t, tc.owner))
			opts.access = tc.only
			s := mustStart(t, opts)
			if s.account.access != tc.want {
				t.Errorf("access %s, want %s", s.account.access, tc.want)
			}
			do(t, s.URL(), "CREATE TABLE kept AS SELECT 'yes'::text AS v")
			mustStop(t, s)
			// Any access opens what another one made.
			opts.access = ""
			s = mustStart(t, opts)
			if got := ask(t, s.URL(), "SELECT v FROM kept"); got != "yes" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestOpenDirectoryNeedsNoCapability(t *testing.T) {
	t.Parallel()
	needRoot(t)
	s := mustStart(t, testOptions(t, filepath.Join(openDir(t), "pg")))
	if s.account.access != accessPlain {
		t.Errorf("access %s, want %s", s.account.access, accessPlain)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", postmasterPID(t, s)))
	if err != nil || !strings.Contains(string(status), "CapEff:\t0000000000000000") {
		t.Errorf("the postmaster has capabilities: %v\n%s", err, status)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	needRoot(t)
	opts := testOptions(t, closedDir(t, 0))
	opts.access = accessPlain
	_, err := Start(testContext(t), opts)
	wantFault(t, err, "postgres_dir_unreachable")
}

// Where root itself lacks the capability, as in many containers, the
// namespace is chosen.
func TestCapabilityTakenAway(t *testing.T) {
	t.Parallel()
	needRoot(t)
	h := startHelper(t, closedDir(t, 0), "setpriv", "--bounding-set=-dac_read_search", "--inh-caps=-dac_read_search")
	if h.access != string(accessNamespace) {
		t.Errorf("access %s, want %s", h.access, accessNamespace)
	}
	if got := ask(t, h.url, "SELECT 'up'"); got != "up" {
		t.Errorf("got %q", got)
	}
}

func TestWithoutRoot(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := closedDir(t, 65534) // its own, so no capability is needed
	h := startHelper(t, dir, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
	if h.access != string(accessPlain) {
		t.Errorf("access %s", h.access)
	}
	if got := ask(t, h.url, "SELECT 'up'"); got != "up" {
		t.Errorf("got %q", got)
	}
	h.in.Close()
	if err := h.cmd.Wait(); err != nil {
		t.Errorf("the helper did not stop cleanly: %v", err)
	}
	// Root takes the cluster over and gives it to the account.
	s := mustStart(t, testOptions(t, dir))
	if got := ask(t, s.URL(), "SELECT 'up'"); got != "up" {
		t.Errorf("as root: %q", got)
	}
}

func TestNotOwner(t *testing.T) {
	t.Parallel()
	needRoot(t)
	wantFault(t, ownedBy(t.TempDir(), 12345), "postgres_not_owner")
}

// The server is killed with -9: what it began ends, and the next one starts
// with everything that was committed.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := startHelper(t, dir)
	do(t, h.url, "CREATE TABLE kept AS SELECT 'yes'::text AS v")
	left, err := os.ReadFile(filepath.Join(dir, socketsFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Wait() // killed
	s := mustStart(t, testOptions(t, dir))
	if got := ask(t, s.URL(), "SELECT v FROM kept"); got != "yes" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(strings.TrimSpace(string(left))); !os.IsNotExist(err) {
		t.Errorf("the socket directory of the killed server is left: %v", err)
	}
}
