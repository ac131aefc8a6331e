package pglocal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// How a dead postmaster is started again: the wait doubles from firstWait to
// longestWait; the first start gives up after firstTries, so that a wrong
// setting is told at once, a running Server after restartTries, which is
// about a minute and a half.
const (
	firstWait    = 100 * time.Millisecond
	longestWait  = 5 * time.Second
	firstTries   = 4
	restartTries = 20
)

// badPassword is the SQLSTATE of a refused password.
const badPassword = "28P01"

// supervise runs the postmaster until Stop, or until it cannot be started. It
// sends exactly one value to first: nil when Postgres answers for the first
// time, or why it does not.
func (s *Server) supervise(first chan<- error) {
	// The kernel's "parent death" signal is sent at the end of the thread that
	// made the child, so that thread must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	defer s.release()

	limit := cmp.Or(s.opts.tries, restartTries)
	began := false // Postgres has answered once
	failures := 0  // starts in a row without an answer
	for {
		answered, err := s.runOnce(func() {
			if !began {
				began = true
				first <- nil
			} else {
				s.tell(Up, nil)
			}
			failures = 0
		})
		if s.isStopping() {
			if !began {
				first <- errors.New("start Postgres: stopped")
			}
			return
		}
		if answered {
			s.tell(Down, err)
		}
		failures++
		if failures >= limit || (!began && failures >= firstTries) || errors.Is(err, errForGood) {
			err = unavailable(err, "postgres_start_failed", "dir", s.opts.Dir, "detail", s.log.Tail())
			if !began {
				first <- err
				return
			}
			s.err = err
			s.tell(GaveUp, err)
			return
		}
		select {
		case <-time.After(min(firstWait<<(failures-1), longestWait)):
		case <-s.quit:
		}
	}
}

// errForGood marks a failure that trying again does not mend.
var errForGood = errors.New("will not get better")

// runOnce starts one postmaster and waits for its end. up is called, on this
// goroutine's behalf and before runOnce returns, when it answers.
func (s *Server) runOnce(up func()) (answered bool, err error) {
	s.log.forget()
	cmd, err := s.command()
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return false, nil
	}
	if err = cmd.Start(); err == nil {
		s.proc = cmd.Process
	}
	s.mu.Unlock()
	if err != nil {
		return false, fmt.Errorf("start postgres: %w", err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	polled := make(chan error, 1)
	go func() {
		err := s.awaitAnswer(ctx)
		if err == nil {
			up()
		}
		polled <- err
	}()
	exit := cmd.Wait()
	s.mu.Lock()
	s.proc = nil
	s.mu.Unlock()
	cancel()
	poll := <-polled
	if errors.Is(poll, errForGood) {
		return false, poll
	}
	if exit == nil {
		exit = errors.New("postgres ended by itself")
	}
	return poll == nil, fmt.Errorf("run postgres: %w", exit)
}

// command is the postmaster.
func (s *Server) command() (*exec.Cmd, error) {
	attr, err := s.account.attr()
	if err != nil {
		return nil, err
	}
	attr.Pdeathsig = syscall.SIGINT
	args := []string{
		"-D", s.cluster,
		"-c", marker,
		"-c", "listen_addresses=",
		"-c", "port=5432", // names the socket only
		"-c", "unix_socket_directories=" + s.sockets,
		"-c", "unix_socket_permissions=0700",
		"-c", "hba_file=" + filepath.Join(s.cluster, "pg_hba.conf"),
		"-c", "logging_collector=off",
		"-c", "log_destination=stderr",
	}
	// No context ends it: Stop does, in order.
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.bin, "postgres"), append(args, s.durability()...)...)
	cmd.SysProcAttr, cmd.Dir, cmd.Env = attr, "/", environment()
	cmd.Stdout, cmd.Stderr = s.log, s.log
	// Backends hold the pipe for a moment after their postmaster was killed.
	cmd.WaitDelay = 2 * time.Second
	return cmd, nil
}

// durability are the settings that NoSync changes. A commit still reaches the
// kernel, so also then it survives a kill of Postgres; little log is kept,
// because the directory of a test may be memory.
func (s *Server) durability() []string {
	if s.opts.NoSync {
		return []string{"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"}
	}
	return []string{"-c", "fsync=on", "-c", "full_page_writes=on", "-c", "synchronous_commit=on"}
}

// awaitAnswer returns nil once Postgres accepts the console's role, or the
// reason why it never will. While it recovers from a crash it refuses
// connections, for as long as that takes.
func (s *Server) awaitAnswer(ctx context.Context) error {
	for wait := 20 * time.Millisecond; ; wait = min(wait*3/2, 500*time.Millisecond) {
		err := s.ping(ctx)
		var pg *pgconn.PgError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &pg) && pg.Code == badPassword:
			s.mu.Lock()
			s.signal(syscall.SIGINT)
			s.mu.Unlock()
			return fmt.Errorf("%w: %w", errForGood, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.URL())
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	return conn.Close(ctx)
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

func (s *Server) tell(c Change, err error) {
	switch c {
	case Up:
		s.opts.Logger.Info("private postgres is up again", "dir", s.opts.Dir)
	case Down:
		s.opts.Logger.Error("private postgres died, starting it again", "dir", s.opts.Dir, "error", err)
	case GaveUp:
		s.opts.Logger.Error("private postgres cannot be started", "dir", s.opts.Dir, "error", err)
	}
	if s.opts.OnChange != nil {
		s.opts.OnChange(c, err)
	}
}
