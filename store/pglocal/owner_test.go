package pglocal

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRefusesSharedDirectory(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	s := mustStart(t, opts)
	_, err := Start(testContext(t), opts)
	wantFault(t, err, "postgres_data_in_use")
	if got := ask(t, s.URL(), "SELECT 'alive'"); got != "alive" {
		t.Errorf("the first server was disturbed: %q", got)
	}
}

// TestReleasedDespiteCopy is the moment in which another goroutine has forked: the
// child has the lock's descriptor, too, until it runs its own program.
func TestReleasedDespiteCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	held, err := unix.Dup(int(lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(held)
	(&Server{lock: lock}).release()
	again, err := takeLock(dir)
	if err != nil {
		t.Fatalf("the lock is still held: %v", err)
	}
	again.Close()
}

// startByHand runs a postmaster on a stopped server's cluster with extra
// arguments and returns when it answers.
func startByHand(t *testing.T, s *Server, extra ...string) *exec.Cmd {
	t.Helper()
	attr, err := s.account.attr()
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.MkdirTemp("/tmp", socketPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	if s.account.drop {
		if err := os.Chown(sockets, s.account.uid, s.account.gid); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"-D", s.cluster, "-c", "listen_addresses=", "-k", sockets}, extra...)
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), args...)
	cmd.SysProcAttr, cmd.Dir, cmd.Env = attr, "/", environment()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGQUIT); <-ended })
	other := &Server{opts: s.opts, sockets: sockets, pass: s.pass}
	if err := other.awaitAnswer(testContext(t)); err != nil {
		t.Fatalf("postgres by hand: %v", err)
	}
	return cmd
}

func TestRefusesForeignPostmaster(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	s := mustStart(t, opts)
	mustStop(t, s)
	cmd := startByHand(t, s)
	_, err := Start(testContext(t), opts)
	if p := faultParams(t, err, "postgres_data_in_use"); p["pid"] != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("pid %s, want %d", p["pid"], cmd.Process.Pid)
	}
	if !alive(cmd.Process.Pid) {
		t.Error("the other's postmaster was stopped")
	}
}

func TestStopsOrphan(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	s := mustStart(t, opts)
	do(t, s.URL(), "CREATE TABLE kept AS SELECT 'yes'::text AS v")
	mustStop(t, s)
	cmd := startByHand(t, s, "-c", marker)
	s = mustStart(t, opts)
	if isOurs(cmd.Process.Pid, s.cluster) {
		t.Error("the orphan lives")
	}
	if got := ask(t, s.URL(), "SELECT v FROM kept"); got != "yes" {
		t.Errorf("after the orphan: %q", got)
	}
}

// A number in postmaster.pid that a process of the same account has got since
// would make Postgres refuse to start.
func TestStalePIDOfAnotherProcess(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	s := mustStart(t, opts)
	mustStop(t, s)
	cat := exec.Command("/bin/cat")
	cat.SysProcAttr, _ = s.account.attr()
	in, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); _ = cat.Wait() }()
	leavePID(t, s, cat.Process.Pid, time.Unix(1_000_000_000, 0))
	s = mustStart(t, opts)
	if got := ask(t, s.URL(), "SELECT 'up'"); got != "up" {
		t.Errorf("got %q", got)
	}
	if !alive(cat.Process.Pid) {
		t.Error("the innocent process was ended")
	}
}

// A postmaster that was killed together with its server may stay a zombie for
// as long as the process that inherited it likes.
func TestStalePIDOfZombie(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	s := mustStart(t, opts)
	mustStop(t, s)
	program := filepath.Join(openDir(t), "postgres")
	copyFile(t, "/bin/true", program)
	dead := exec.Command(program)
	dead.SysProcAttr, _ = s.account.attr()
	if err := dead.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dead.Wait() }()
	for alive(dead.Process.Pid) {
		runtime.Gosched()
	}
	leavePID(t, s, dead.Process.Pid, time.Now())
	s = mustStart(t, opts)
	if got := ask(t, s.URL(), "SELECT 'up'"); got != "up" {
		t.Errorf("got %q", got)
	}
}

// leavePID writes the postmaster.pid of a crash.
func leavePID(t *testing.T, s *Server, pid int, began time.Time) {
	t.Helper()
	stale := strconv.Itoa(pid) + "\n" + s.cluster + "\n" + strconv.FormatInt(began.Unix(), 10) + "\n5432\n" + s.sockets + "\n\n  5432001   1234567\nready   \n"
	path := filepath.Join(s.cluster, "postmaster.pid")
	if err := os.WriteFile(path, []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.account.drop {
		if err := os.Chown(path, s.account.uid, s.account.gid); err != nil {
			t.Fatal(err)
		}
	}
}
