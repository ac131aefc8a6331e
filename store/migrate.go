package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	driver "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/migrations"
)

// AppLevel is the level of this program. A migration that an older program
// could not live with raises schema_requirement.min_app to the level that can.
const AppLevel = 6

// migrationLock is the advisory lock that one migrating program holds: "press"
// in ASCII.
const migrationLock = 0x7072657373

// Migrate brings the schema up to this program's. It may be run by any number
// of programs at once: they take turns. A migration that was interrupted left
// golang-migrate's dirty mark and nothing else, so it is run again. A schema
// that is newer is left alone, and refused with the fault schema_too_new if it
// needs a newer program. Faults, too, where the role could not make what the
// schema needs: extension_missing, database_rights.
func Migrate(ctx context.Context, url string, log *slog.Logger) error {
	return migrateFS(ctx, url, log, migrations.FS)
}

// MigrateTo is Migrate up to a schema that this program had once, for a backup
// that was made then; a schema that is beyond it is an error. Migrate follows.
func MigrateTo(ctx context.Context, url string, schema uint, log *slog.Logger) error {
	return migrateFS(ctx, url, log, migrations.FS, schema)
}

// Schema is the number of this program's newest migration.
func Schema() (uint, error) {
	src, err := iofs.New(migrations.FS, ".")
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	at, err := src.First()
	for newest := at; err == nil; newest = at {
		if at, err = src.Next(at); errors.Is(err, fs.ErrNotExist) {
			return newest, src.Close()
		}
	}
	return 0, errors.Join(fmt.Errorf("read the migrations: %w", err), src.Close())
}

func migrateFS(ctx context.Context, url string, log *slog.Logger, files fs.FS, to ...uint) (err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("read the database URL: %w", err)
	}
	lock, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	// Closing the session gives the lock back, whatever happened.
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = lock.Close(closing)
	}()
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		return fmt.Errorf("wait for the migration lock: %w", err)
	}
	if err := checkLevel(ctx, lock); err != nil {
		return err
	}
	if err := checkRights(ctx, lock); err != nil {
		return err
	}

	src, err := iofs.New(files, ".")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	db, err := driver.WithInstance(stdlib.OpenDB(*config), &driver.Config{})
	if err != nil {
		return errors.Join(fmt.Errorf("open the database for migration: %w", err), src.Close())
	}
	m, err := migrate.NewWithInstance("iofs", src, "pgx5", db)
	if err != nil {
		return errors.Join(fmt.Errorf("prepare the migration: %w", err), src.Close(), db.Close())
	}
	defer func() {
		srcErr, dbErr := m.Close()
		err = errors.Join(err, srcErr, dbErr)
	}()
	if err := up(ctx, m, src, log, to...); err != nil {
		return err
	}
	return checkLevel(ctx, lock)
}

// up runs what is missing; the caller holds the lock.
func up(ctx context.Context, m *migrate.Migrate, src source.Driver, log *slog.Logger, to ...uint) error {
	version, dirty, err := m.Version()
	if err == nil && len(to) > 0 && version > to[0] {
		return fmt.Errorf("the schema is at %d, behind %d", version, to[0])
	}
	switch {
	case errors.Is(err, migrate.ErrNilVersion):
	case err != nil:
		return fmt.Errorf("read the schema's version: %w", err)
	default:
		newer, err := newerThan(src, version)
		if err != nil {
			return err
		}
		if newer {
			log.Info("schema is newer than this program", "schema_version", version)
			return nil
		}
		if dirty {
			before, err := src.Prev(version)
			last := int(before)
			if errors.Is(err, fs.ErrNotExist) {
				last = database.NilVersion
			} else if err != nil {
				return fmt.Errorf("find the migration before %d: %w", version, err)
			}
			log.Warn("a migration was interrupted; running it again", "schema_version", version)
			if err := m.Force(last); err != nil {
				return fmt.Errorf("clear the mark of migration %d: %w", version, err)
			}
		}
	}
	stop := context.AfterFunc(ctx, func() { m.GracefulStop <- true })
	defer stop()
	if len(to) > 0 {
		err = m.Migrate(to[0])
	} else {
		err = m.Up()
	}
	if err != nil && !errors.Is(err, migrate.ErrNoChange) {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	return ctx.Err()
}

// newerThan reports whether version comes after everything in src.
func newerThan(src source.Driver, version uint) (bool, error) {
	at, err := src.First()
	for err == nil {
		if at >= version {
			return false, nil
		}
		at, err = src.Next(at)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, fmt.Errorf("read the migrations: %w", err)
}

// checkLevel refuses a schema that needs a newer program. A database without a
// schema is no obstacle.
func checkLevel(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('schema_requirement') IS NOT NULL`).Scan(&exists); err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if !exists {
		return nil
	}
	var minApp int
	if err := conn.QueryRow(ctx, `SELECT min_app FROM schema_requirement`).Scan(&minApp); err != nil {
		return fmt.Errorf("read the schema's requirement: %w", err)
	}
	if minApp > AppLevel {
		return fault.New(fault.KindUnavailable, CodeSchemaTooNew, "min_app", minApp, "app", AppLevel)
	}
	return nil
}
