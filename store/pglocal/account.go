package pglocal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// access is how the account that runs Postgres gets through the directories
// above the cluster. A data directory is often below one of mode 0700 (/root,
// mktemp -d, the console's own), which the account may not pass.
type access string

const (
	// accessPlain: the modes let it through.
	accessPlain access = "plain"
	// accessAmbient: it keeps CAP_DAC_READ_SEARCH, as an ambient capability.
	accessAmbient access = "ambient"
	// accessNamespace: it keeps CAP_DAC_READ_SEARCH inside a user namespace
	// that maps every ID to itself. The kernel gives a new namespace all
	// capabilities over the IDs that it maps, also where the host or a
	// container took this one away from root.
	accessNamespace access = "namespace"
)

// account is who runs Postgres, which refuses to be root.
type account struct {
	name   string
	drop   bool // false: run as ourselves
	uid    int
	gid    int
	access access
}

// accountNames are tried in this order when the console runs as root.
var accountNames = []string{"postgres", "nobody"}

// findAccount picks the account and the first access with which it can enter
// dir; only, if set, is the one access to use.
func findAccount(ctx context.Context, dir string, only access) (*account, error) {
	a := &account{uid: os.Geteuid(), gid: os.Getegid(), access: accessPlain, name: strconv.Itoa(os.Geteuid())}
	if a.uid != 0 {
		return a, ownedBy(dir, a.uid)
	}
	u, err := lookupAccount()
	if err != nil {
		return nil, err
	}
	a.name, a.drop = u.Username, true
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return nil, fmt.Errorf("read the user ID of %s: %w", u.Username, err)
	}
	if a.gid, err = strconv.Atoi(u.Gid); err != nil {
		return nil, fmt.Errorf("read the group ID of %s: %w", u.Username, err)
	}
	ways := []access{accessPlain, accessAmbient, accessNamespace}
	if only != "" {
		ways = []access{only}
	}
	var tried []error
	for _, a.access = range ways {
		err := a.enter(ctx, dir)
		if err == nil {
			return a, nil
		}
		tried = append(tried, fmt.Errorf("%s: %w", a.access, err))
	}
	return nil, unavailable(errors.Join(tried...), "postgres_dir_unreachable", "dir", dir, "account", a.name)
}

func lookupAccount() (*user.User, error) {
	for _, name := range accountNames {
		if u, err := user.Lookup(name); err == nil && u.Uid != "0" {
			return u, nil
		}
	}
	return nil, unavailable(nil, "postgres_no_account", "accounts", strings.Join(accountNames, ", "))
}

// ownedBy refuses a directory of somebody else: without root it cannot be
// given to us.
func ownedBy(dir string, uid int) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if int(st.Uid) != uid {
		return unavailable(nil, "postgres_not_owner", "dir", dir, "owner", st.Uid, "account", uid)
	}
	return nil
}

// enter tries whether the account gets into dir. The shell changes directory
// itself, because capabilities take effect at exec and not before it.
func (a *account) enter(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `cd -- "$0"`, dir)
	attr, err := a.attr()
	if err != nil {
		return err
	}
	cmd.SysProcAttr = attr
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("enter %s as %s: %w: %s", dir, a.name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// attr is how to start a process as the account. It gets a session of its
// own, so that a Ctrl-C in the terminal reaches the console alone, which then
// stops Postgres last of all.
func (a *account) attr() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setsid: true}
	if !a.drop {
		return attr, nil
	}
	attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	if a.access != accessPlain {
		attr.AmbientCaps = []uintptr{unix.CAP_DAC_READ_SEARCH}
	}
	if a.access != accessNamespace {
		return attr, nil
	}
	attr.Cloneflags = syscall.CLONE_NEWUSER
	attr.GidMappingsEnableSetgroups = true
	var err error
	if attr.UidMappings, err = identity("/proc/self/uid_map"); err != nil {
		return nil, err
	}
	attr.GidMappings, err = identity("/proc/self/gid_map")
	return attr, err
}

// identity maps every ID that this process's own namespace has to itself.
// The format is in user_namespaces(7): first ID here, first ID in the parent
// namespace, length.
func identity(path string) ([]syscall.SysProcIDMap, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the ID mapping: %w", err)
	}
	defer f.Close()
	var maps []syscall.SysProcIDMap
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var first, parent, n int
		if _, err := fmt.Sscan(sc.Text(), &first, &parent, &n); err != nil {
			return nil, fmt.Errorf("read the ID mapping %s: %w", path, err)
		}
		maps = append(maps, syscall.SysProcIDMap{ContainerID: first, HostID: first, Size: n})
	}
	return maps, nil
}
