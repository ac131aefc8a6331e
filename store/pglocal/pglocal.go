// Package pglocal keeps a private Postgres for a console that was given no
// DATABASE_URL.
//
// Think of it as a very small init system for one postmaster. Start finds the
// programs, makes the cluster on first use, starts the postmaster and returns
// when it answers; from then on a goroutine watches it and starts it again if
// it dies. The URL never changes while the Server lives, so a connection pool
// sees a crash as a few refused connections and nothing else.
//
// What lies in Options.Dir:
//
//	cluster/   the data directory (PGDATA); belongs to the account that runs Postgres
//	log/       what Postgres says, two files of at most 4 MiB
//	lock       held with flock for as long as a Server lives
//	password   of the console's role, mode 0600
//	sockets    the path of the socket directory, so that the next start removes a leftover
//
// The console connects as the role "stickpress", which owns the database of
// the same name, may create databases, and is no superuser: SQL alone can
// read no file of the host. The superuser has no password and pg_hba.conf
// admits nobody but the console's role, so nobody can be it except through
// single-user mode. There is no TCP listener; the socket lies in a directory
// of mode 0700 with a short path of its own, because a socket's path is
// limited to 107 bytes and a data directory's is not.
//
// A postmaster does not outlive its server: the kernel sends it SIGINT (a fast,
// clean shutdown) when the server dies, even by kill -9. If that did not
// happen, or is still under way, the next Start stops what is left before it
// begins.
package pglocal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/api/fault"
)

// role is both the role that the console connects as and its database.
const role = "stickpress"

// Options say where and how to run.
type Options struct {
	// Dir holds everything; it is made if it does not exist. Required.
	Dir string
	// Logger gets starts, crashes and restarts. Required.
	Logger *slog.Logger
	// NoSync trades crash safety for speed: tests only. Such a cluster may be
	// damaged after a power cut.
	NoSync bool
	// OnChange, if not nil, is told when the postmaster died (Down, with the
	// reason), answers again (Up), or was given up (GaveUp, with the reason).
	// It is not called for the first start and for Stop. Calls come one after
	// the other and must not block.
	OnChange func(Change, error)

	binDirs []string // instead of where binaries looks
	access  access   // instead of the first that works
	tries   int      // instead of restartTries
}

// Change is what happened to the postmaster after the first start.
type Change string

// The changes that Options.OnChange reports.
const (
	Down   Change = "down"
	Up     Change = "up"
	GaveUp Change = "gave_up"
)

// Server is a running private Postgres.
type Server struct {
	opts    Options
	log     *logFile
	lock    *os.File
	bin     string // directory of the programs
	cluster string
	sockets string
	pass    string
	account *account

	mu       sync.Mutex
	proc     *os.Process // nil when none runs
	stopping bool
	quit     chan struct{} // closed with stopping
	done     chan struct{}
	err      error // set before done is closed
}

// Start makes the cluster if there is none, starts Postgres and returns when
// it accepts connections. Recovery after a crash may take minutes; ctx bounds
// the wait and has no meaning afterwards. The caller must Stop the Server.
//
// Refusals are *fault.Error of kind Unavailable: postgres_not_found,
// postgres_version_mismatch, postgres_data_in_use, postgres_no_account,
// postgres_not_owner, postgres_dir_unreachable, postgres_init_failed,
// postgres_start_failed.
func Start(ctx context.Context, opts Options) (*Server, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the Postgres directory: %w", err)
	}
	opts.Dir = dir
	s := &Server{
		opts:    opts,
		cluster: filepath.Join(dir, "cluster"),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	if err := s.prepare(ctx); err != nil {
		s.release()
		return nil, err
	}
	ready := make(chan error, 1)
	go s.supervise(ready)
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = fmt.Errorf("wait for Postgres in %s to answer: %w", dir, ctx.Err())
	}
	if err != nil {
		_ = s.Stop(context.WithoutCancel(ctx))
		return nil, err
	}
	opts.Logger.Info("private postgres is up", "dir", dir, "programs", s.bin, "account", s.account.name, "access", string(s.account.access))
	return s, nil
}

// prepare does everything that comes before the postmaster: it takes the lock,
// clears away what a killed server left, and makes or checks the cluster.
func (s *Server) prepare(ctx context.Context) error {
	// Search permission for others: the account that runs Postgres has to come
	// through. What is secret in here has a mode of its own.
	if err := os.MkdirAll(s.opts.Dir, 0o711); err != nil {
		return fmt.Errorf("make the Postgres directory: %w", err)
	}
	var err error
	if s.lock, err = takeLock(s.opts.Dir); err != nil {
		return err
	}
	if s.log, err = openLog(filepath.Join(s.opts.Dir, "log")); err != nil {
		return err
	}
	if s.bin, err = binaries(ctx, s.cluster, s.opts.binDirs); err != nil {
		return err
	}
	if err := stopOrphan(ctx, s.cluster, s.opts.Logger); err != nil {
		return err
	}
	if s.account, err = findAccount(ctx, s.opts.Dir, s.opts.access); err != nil {
		return err
	}
	if err := s.makeSockets(); err != nil {
		return err
	}
	return s.ensureCluster(ctx)
}

// URL is a connection string for pgx and libpq. It holds the password: do not
// log it. It stays the same for as long as the Server lives.
func (s *Server) URL() string {
	return socketURL(s.sockets, s.pass)
}

// Done is closed when Postgres is gone for good: after Stop, or when it could
// not be started again. Err tells which.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is nil until Done is closed and after a clean Stop; otherwise it says
// why Postgres was given up.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop shuts Postgres down (fast: open transactions are rolled back, the
// cluster is left clean), waits for its end and releases the directory. If ctx
// ends first, Postgres is told to quit at once, which is safe but makes the
// next start recover. Stop may be called again; it then only waits.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopping {
		s.stopping = true
		close(s.quit)
		s.signal(syscall.SIGINT)
	}
	s.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.signal(syscall.SIGQUIT)
	s.mu.Unlock()
	<-s.done
	return fmt.Errorf("stop Postgres in %s: it was told to quit at once: %w", s.opts.Dir, ctx.Err())
}

// signal reaches the postmaster, if one runs. s.mu is held.
func (s *Server) signal(sig syscall.Signal) {
	if s.proc == nil {
		return
	}
	if err := s.proc.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.opts.Logger.Error("signal postgres", "signal", sig.String(), "error", err)
	}
}

// release gives back what prepare took.
func (s *Server) release() {
	if s.sockets != "" {
		removeSockets(s.sockets)
		_ = os.Remove(filepath.Join(s.opts.Dir, socketsFile))
	}
	if s.log != nil {
		_ = s.log.Close()
	}
	if s.lock != nil {
		// A process that is being started elsewhere in this program may hold a
		// copy of the descriptor until it has become its program: the lock goes
		// now, not with that copy.
		_ = unix.Flock(int(s.lock.Fd()), unix.LOCK_UN)
		_ = s.lock.Close()
	}
}

func unavailable(err error, code fault.Code, pairs ...any) error {
	return fault.Wrap(err, fault.KindUnavailable, code, pairs...)
}
