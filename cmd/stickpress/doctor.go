package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/api/imagefile"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/pglocal"
)

// Bounds of the checks.
const (
	roomFail   = 1 << 30  // bytes
	roomWarn   = 10 << 30 // bytes: a master or an image is that long
	clockWarn  = 2 * time.Second
	clockFail  = time.Minute
	backupOld  = 7 * 24 * time.Hour
	stuckAfter = 15 * time.Minute
)

// all runs every check that can be run.
func (d *doctor) all(ctx context.Context, log *slog.Logger) {
	if err := d.config.Validate(); err != nil {
		d.fail("settings", "Mend them; 'stickpress config dump' shows where each comes from.", "%v", err)
	} else {
		d.ok("settings", "valid")
	}
	d.disk()
	d.systemClock()
	d.verifier()
	st, stop := d.database(ctx, log)
	defer stop()
	if st != nil {
		d.known(ctx, st)
	}
	d.certificate(time.Now())
	d.publicURL(ctx, st)
}

// known are the checks of what the database knows.
func (d *doctor) known(ctx context.Context, st *store.Store) {
	d.masterKey(ctx, st)
	d.imageFiles(ctx, st)
	d.hosts(ctx, st, mostHosts)
	d.waiting(ctx, st)
	d.lastBackup(ctx, st)
}

func (d *doctor) disk() {
	info, err := os.Stat(d.config.Data)
	if err != nil {
		d.fail("disk", "Name the data folder with --data, or start the server once.", "there is no data folder: %v", err)
		return
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		d.warn("disk", "chmod 700 "+d.config.Data, "others may look into %s (mode %o)", d.config.Data, mode)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(d.config.Data, &st); err != nil {
		d.fail("disk", "", "%s does not say how much is free: %v", d.config.Data, err)
		return
	}
	free := int64(st.Bavail) * st.Bsize
	do := "Make room, or move the data folder; 'stickpress admin gc' lists image files that nothing needs."
	switch {
	case free < roomFail:
		d.fail("disk", do, "%d MiB are free in %s", free>>20, d.config.Data)
	case free < roomWarn:
		d.warn("disk", do, "%d MiB are free in %s", free>>20, d.config.Data)
	default:
		d.ok("disk", "%d GiB are free in %s", free>>30, d.config.Data)
	}
}

// systemClock asks the kernel whether anybody keeps its clock right.
func (d *doctor) systemClock() {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		d.warn("clock", "", "the kernel does not say whether its clock is right: %v", err)
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		d.warn("clock", "Start a time service, such as chrony or systemd-timesyncd.", "nobody keeps this machine's clock right")
	default:
		d.ok("clock", "kept right")
	}
}

// verifier looks for the program without which no WIM can be published.
func (d *doctor) verifier() {
	if _, err := exec.LookPath(imagefile.VerifyTool); err != nil {
		d.fail("tools", "Install the package "+imagefile.VerifyPackage+" on this machine.",
			"%s is missing: what is in a WIM or ESD cannot be verified, and none can be published", imagefile.VerifyTool)
		return
	}
	d.ok("tools", "%s verifies images", imagefile.VerifyTool)
}

// database reaches the database, starting the private one if nothing runs, and
// returns nil where the rest cannot be asked.
func (d *doctor) database(ctx context.Context, log *slog.Logger) (*store.Store, func()) {
	none := func() {}
	url := d.config.DatabaseURL
	if url == "" {
		var stop func()
		if url, stop = d.privateDatabase(ctx, log); url == "" {
			return nil, none
		}
		none = stop
	}
	var keys *store.Keyring
	key := filepath.Join(d.config.Data, "master.key")
	_, err := os.Stat(key)
	if err == nil { // else it would be made here; masterKey says that it is missing
		keys, err = store.LoadKeyring(key)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.fail("master key", "Put the old file back: without it no secret can be read.", "%v", err)
		return nil, none
	}
	st, err := store.Open(ctx, url, store.Options{Keys: keys, Log: log, MaxConns: 2})
	if err != nil {
		d.fail("database", unreached(err), "%v", err)
		return nil, none
	}
	stop := func() { st.Close(); none() }
	if !d.schema(ctx, st) {
		return nil, stop
	}
	return st, stop
}

// unreached is what to do about a database that cannot be reached.
func unreached(err error) string {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		switch said.Code {
		case "28P01", "28000": // invalid_password, invalid_authorization_specification
			return "Mend the user or the password in database-url, or pg_hba.conf on the database's machine."
		case "3D000": // invalid_catalog_name
			return "Make the database, or name another one in database-url."
		}
	}
	return "Look whether it runs, and whether database-url names it."
}

// privateDatabase finds or starts the Postgres in the data folder.
func (d *doctor) privateDatabase(ctx context.Context, log *slog.Logger) (string, func()) {
	dir := filepath.Join(d.config.Data, "postgres")
	if _, err := os.Stat(dir); err != nil {
		d.fail("database", "Name the data folder with --data, or start the server once.", "there is no console in %s", d.config.Data)
		return "", nil
	}
	url, err := pglocal.Attach(dir)
	if err == nil {
		d.ok("tools", "the private Postgres runs")
		return url, func() {}
	}
	if !errors.Is(err, pglocal.ErrNotRunning) {
		d.fail("database", "", "%s", sentence(err))
		return "", nil
	}
	pg, err := pglocal.Start(ctx, pglocal.Options{Dir: dir, Logger: log})
	if err != nil {
		d.fail("tools", "Its log is in "+filepath.Join(dir, "log")+".", "the private Postgres does not start: %s", sentence(err))
		return "", nil
	}
	d.ok("tools", "the private Postgres starts")
	return pg.URL(), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), postgresTime)
		defer cancel()
		if err := pg.Stop(ctx); err != nil {
			log.Error("stop the private postgres", "error", err)
		}
	}
}

// schema looks at the database itself; false means that its rows cannot be read
// by this program.
func (d *doctor) schema(ctx context.Context, st *store.Store) bool {
	if err := st.CheckRights(ctx); err != nil {
		d.fail("database", "", "%s", sentence(err))
		return false
	}
	h, err := st.Health(ctx)
	if err != nil {
		d.fail("database", "Start the server once: it makes the schema.", "there is no console in it: %s", sentence(err))
		return false
	}
	ours, err := store.Schema()
	if err != nil {
		d.fail("database", "", "%v", err)
		return false
	}
	well := true
	bad := func(status, do, says string, args ...any) { well = false; d.say(status, "database", do, says, args...) }
	if h.MinApp > store.AppLevel {
		bad(findingFail, "Use the newer program.", "its schema (%d) needs a newer program", h.Schema)
		return false
	}
	if !h.Fsync {
		bad(findingFail, "Set fsync = on.", "fsync is off: a power cut may destroy it")
	}
	if h.Synchronous == "off" {
		bad(findingWarn, "Set synchronous_commit = on, or local.", "synchronous_commit is off: what was acknowledged to a host may be lost")
	}
	if h.Connections*10 > h.Most*9 {
		bad(findingWarn, "Raise max_connections, or look who holds them.", "%d of %d connections are in use", h.Connections, h.Most)
	}
	if kept, err := st.KeepsSession(ctx); err != nil || !kept {
		bad(findingFail, "Use a direct connection, or a pooler in session mode.", "sessions are not kept: a pooler in transaction mode is in between (%v)", err)
	}
	if away := time.Until(h.At).Abs(); away > clockWarn {
		status := findingWarn
		if away > clockFail {
			status = findingFail
		}
		bad(status, "Start a time service on both machines.", "its clock is %s away from this machine's", away.Round(time.Second))
	}
	if uint(h.Schema) < ours {
		bad(findingWarn, "Restart the server.", "its schema is %d, this program's is %d: the server brings it up to date when it starts", h.Schema, ours)
		return false
	}
	switch held, repair, err := st.ReferencesHeld(ctx); {
	case err != nil:
		bad(findingFail, "", "%s", sentence(err))
	case !held:
		bad(findingFail, "Run in this database: "+repair, "nothing keeps a ticket from having two jobs at a time: the extension btree_gist, or the constraint that it carries, was dropped")
	}
	if well {
		d.ok("database", "Postgres %s, schema %d, %d of %d connections", fmt.Sprintf("%d.%d", h.Version/10000, h.Version%10000), h.Schema, h.Connections, h.Most)
	}
	return true
}
