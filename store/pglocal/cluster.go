package pglocal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// settings are appended to postgresql.conf once, when the cluster is made, so
// that an admin may tune them there. What keeps the cluster private is on the
// command line instead and cannot be edited away by mistake.
const settings = `
# Modest sizes: Postgres shares this machine with the console.
max_connections = 100
shared_buffers = 64MB
max_wal_size = 512MB
min_wal_size = 80MB
wal_compression = on
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
log_min_duration_statement = 1000
log_parameter_max_length = 0  # no values: they may be secrets
`

// admission is pg_hba.conf: the console's role, on the socket, with its
// password; nobody else, the superuser included.
const admission = "# Written by Stickpress. One role, on the Unix socket only.\n" +
	"local  all  " + role + "  scram-sha-256\n"

// ensureCluster makes the cluster on first use. It is made beside its final
// place and renamed, so that a kill in the middle leaves no half of one.
func (s *Server) ensureCluster(ctx context.Context) error {
	fresh := s.cluster + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove an unfinished cluster: %w", err)
	}
	known, err := s.readPassword()
	if err != nil {
		return err
	}
	if major, err := clusterMajor(s.cluster); err != nil {
		return err
	} else if major > 0 {
		if err := s.own(s.cluster); err != nil {
			return err
		}
		if known {
			return nil
		}
		// The password file is lost, the cluster is not: give the role a new one.
		return s.single(ctx, s.cluster, "ALTER ROLE "+role+" PASSWORD '"+s.pass+"'")
	}
	s.opts.Logger.Info("make the private postgres", "dir", s.opts.Dir, "programs", s.bin)
	if err := s.initdb(ctx, fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, s.cluster); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return syncDir(s.opts.Dir)
}

func (s *Server) initdb(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the cluster's directory: %w", err)
	}
	if err := s.own(dir); err != nil {
		return err
	}
	args := []string{
		"-D", dir, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
		"--auth=reject", "--data-checksums",
	}
	if s.opts.NoSync {
		args = append(args, "--no-sync")
	}
	if err := s.tool(ctx, "", "initdb", args...); err != nil {
		return err
	}
	conf, err := os.OpenFile(filepath.Join(dir, "postgresql.conf"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("open the new cluster's postgresql.conf: %w", err)
	}
	_, err = conf.WriteString(settings)
	if err = errors.Join(err, conf.Close()); err != nil {
		return fmt.Errorf("write the new cluster's postgresql.conf: %w", err)
	}
	// The file exists and keeps its owner.
	if err := os.WriteFile(filepath.Join(dir, "pg_hba.conf"), []byte(admission), 0o600); err != nil {
		return fmt.Errorf("write the new cluster's pg_hba.conf: %w", err)
	}
	return s.single(ctx, dir,
		"CREATE ROLE "+role+" LOGIN CREATEDB PASSWORD '"+s.pass+"'",
		"CREATE DATABASE "+role+" OWNER "+role)
}

// single runs statements as the superuser in single-user mode, where a line
// is a statement. It is the only way to be the superuser.
func (s *Server) single(ctx context.Context, dir string, statements ...string) error {
	args := append([]string{"--single", "-D", dir}, s.durability()...)
	// exit_on_error: otherwise a failed statement goes unnoticed.
	args = append(args, "-c", "exit_on_error=on", "-c", "log_min_messages=warning", "postgres")
	return s.tool(ctx, strings.Join(statements, "\n")+"\n", "postgres", args...)
}

// tool runs a program of Postgres to its end.
func (s *Server) tool(ctx context.Context, stdin, name string, args ...string) error {
	attr, err := s.account.attr()
	if err != nil {
		return err
	}
	// A killed server must not leave an initdb that still writes; see supervise
	// for the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	attr.Pdeathsig = syscall.SIGTERM
	s.log.forget()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir, cmd.Env = attr, "/", environment()
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Run(); err != nil {
		return unavailable(fmt.Errorf("run %s: %w", name, err), "postgres_init_failed", "dir", s.opts.Dir, "detail", s.log.Tail())
	}
	return nil
}

// readPassword sets s.pass from the file, or to a new one that it writes
// there; known tells which.
func (s *Server) readPassword() (known bool, err error) {
	path := filepath.Join(s.opts.Dir, "password")
	raw, err := os.ReadFile(path)
	if err == nil && len(raw) > 0 {
		s.pass = strings.TrimSpace(string(raw))
		return true, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the password of the private Postgres: %w", err)
	}
	s.pass = rand.Text()
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return false, fmt.Errorf("write the password of the private Postgres: %w", err)
	}
	_, err = f.WriteString(s.pass + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return false, fmt.Errorf("write the password of the private Postgres: %w", err)
	}
	return false, syncDir(s.opts.Dir)
}

// own gives dir and all below it to the account. It only walks when the
// directory itself has another owner, as after a restore or a changed account.
func (s *Server) own(dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return fmt.Errorf("look at the cluster: %w", err)
	}
	if int(st.Uid) == s.account.uid {
		return nil
	}
	if !s.account.drop {
		return ownedBy(dir, s.account.uid)
	}
	// The top directory comes last: its owner says that the walk was finished.
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		return os.Lchown(path, s.account.uid, s.account.gid)
	})
	if err == nil {
		err = os.Lchown(dir, s.account.uid, s.account.gid)
	}
	if err != nil {
		return fmt.Errorf("give the cluster to %s: %w", s.account.name, err)
	}
	return nil
}

// environment is all that Postgres gets: no PG… variable of the caller may
// change what it does.
func environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
