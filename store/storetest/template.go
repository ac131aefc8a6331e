package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/stickpress/stickpress/migrations"
)

// templateName is the database that the others are copied from, once made.
var templateName string

// migrated makes the template. It uses golang-migrate itself and not package
// store, whose own tests use this package.
func migrated() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	name := freshName()
	if err := admin(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", err
	}
	templateName = name
	config, err := pgx.ParseConfig(withDatabase(server.url, name))
	if err != nil {
		return "", err
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	source, err := iofs.New(migrations.FS, ".")
	if err != nil {
		return "", fmt.Errorf("read the migrations: %w", err)
	}
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	if err != nil {
		return "", fmt.Errorf("prepare the migrations: %w", err)
	}
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", driver)
	if err != nil {
		return "", fmt.Errorf("prepare the migrations: %w", err)
	}
	if err := m.Up(); err != nil {
		return "", fmt.Errorf("apply the migrations: %w", err)
	}
	// A database with a connection cannot be copied.
	return name, errors.Join(m.Close())
}

// dropTemplate cleans up a server that is not ours.
func dropTemplate(ctx context.Context) error {
	if templateName == "" {
		return nil
	}
	return drop(ctx, templateName)
}
