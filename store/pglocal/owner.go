package pglocal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// marker is in the command line of every postmaster of ours: it tells an
// orphan of a killed server from a Postgres that somebody else started on the
// same directory. The command line is readable by all, the environment is not.
const marker = "cluster_name=stickpress"

// orphanPatience is how long an orphan gets for a fast shutdown before it is
// told to quit at once.
const orphanPatience = 30 * time.Second

// takeLock makes this process the only one that uses dir. The lock goes with
// the process, so a killed server leaves none behind.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		if e := ownedBy(dir, os.Geteuid()); e != nil {
			return nil, e
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock the Postgres directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, unavailable(err, "postgres_data_in_use", "dir", dir)
		}
		return nil, fmt.Errorf("lock the Postgres directory %s: %w", dir, err)
	}
	return f, nil
}

// stopOrphan makes sure that no postmaster runs on the cluster: one that a
// killed server left is stopped, one of somebody else is refused, and a stale
// postmaster.pid whose number now names another process is made harmless.
// The lock is held.
func stopOrphan(ctx context.Context, cluster string, log *slog.Logger) error {
	path := filepath.Join(cluster, "postmaster.pid")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read postmaster.pid: %w", err)
	}
	lines := strings.Split(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return nil // half written by a crash; Postgres says what it thinks of it
	}
	switch {
	case errors.Is(syscall.Kill(pid, 0), syscall.ESRCH):
		return nil // Postgres itself recovers from this
	case isOurs(pid, cluster):
		log.Warn("stop the postgres of a killed server", "dir", cluster, "pid", pid)
		return stopProcess(ctx, pid, cluster)
	case alive(pid) && isPostmaster(pid, lines):
		return unavailable(nil, "postgres_data_in_use", "dir", filepath.Dir(cluster), "pid", pid)
	}
	// The number was given to another process since, or it is the postmaster's
	// still, which was killed and whose new parent has not asked for its end.
	// Postgres would refuse to start if that one has the same account. It takes the number of its own
	// parent for stale, and still looks for backends of the old postmaster by
	// the shared memory that the file names: so write ours.
	lines[0] = strconv.Itoa(os.Getpid())
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return fmt.Errorf("clear a stale postmaster.pid: %w", err)
	}
	return nil
}

// stopProcess ends an orphan: a fast shutdown, after orphanPatience an
// immediate one.
func stopProcess(ctx context.Context, pid int, cluster string) error {
	sig := syscall.SIGINT
	patience := time.NewTimer(orphanPatience)
	defer patience.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// The check before each signal keeps us from hitting a process that
		// got the number after the orphan's end.
		if !alive(pid) || !isOurs(pid, cluster) {
			return nil
		}
		if sig != 0 {
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop the Postgres of a killed server (process %d): %w", pid, err)
			}
			sig = 0
		}
		select {
		case <-tick.C:
		case <-patience.C:
			sig = syscall.SIGQUIT
		case <-ctx.Done():
			return fmt.Errorf("wait for the Postgres of a killed server (process %d) to end: %w", pid, ctx.Err())
		}
	}
}

// alive reports whether pid names a process that still runs; a zombie does not.
func alive(pid int) bool {
	state, _, err := procStat(pid)
	return err == nil && state != "Z" && state != "X"
}

// isOurs reports whether pid is a postmaster that pglocal started on cluster.
func isOurs(pid int, cluster string) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := strings.Split(string(bytes.TrimRight(raw, "\x00")), "\x00")
	return slices.Contains(args, marker) && slices.Contains(args, cluster)
}

// isPostmaster reports whether pid is the very process that wrote the lines
// of postmaster.pid: a postgres that began when line 3 says, give or take a
// clock that was set.
func isPostmaster(pid int, lines []string) bool {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || !strings.HasPrefix(string(comm), "post") { // postgres, postmaster
		return false
	}
	if len(lines) < 3 {
		return true
	}
	wrote, err := strconv.ParseInt(strings.TrimSpace(lines[2]), 10, 64)
	if err != nil {
		return true
	}
	_, began, err := procStat(pid)
	if err != nil {
		return false
	}
	diff := began.Sub(time.Unix(wrote, 0)).Abs()
	return diff < 2*time.Minute
}

// clockTick is USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 100

// procStat reads a process's state and the time of its start (proc(5):
// fields 3 and 22 of stat, and btime).
func procStat(pid int) (state string, began time.Time, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	// The name is in parentheses and may itself hold spaces and parentheses.
	_, rest, _ := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')')+1:]), " ")
	f := strings.Fields(rest)
	if len(f) < 20 {
		return "", time.Time{}, fmt.Errorf("look at process %d: %d fields", pid, len(f))
	}
	ticks, err := strconv.ParseInt(f[19], 10, 64)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	var up unix.Sysinfo_t
	if err := unix.Sysinfo(&up); err != nil {
		return "", time.Time{}, fmt.Errorf("ask for the uptime: %w", err)
	}
	boot := time.Now().Add(-time.Duration(up.Uptime) * time.Second)
	return f[0], boot.Add(time.Duration(ticks) * time.Second / clockTick), nil
}
