package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"golang.org/x/sync/errgroup"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/hub"
	"github.com/stickpress/stickpress/api/keypair"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/blob"
	"github.com/stickpress/stickpress/store/pglocal"
)

// How long the parts of a shutdown may take.
const (
	drainTime    = 10 * time.Second // agents leave
	shutdownTime = 15 * time.Second // requests end
	postgresTime = 30 * time.Second // the private Postgres writes its last checkpoint
)

// server is a running console. Its parts are started from the bottom up and
// stopped from the top down.
type server struct {
	url     string
	console *api.Console

	config   Config
	from     origin
	log      *slog.Logger
	postgres *pglocal.Server // nil with DATABASE_URL
	store    *store.Store
	staging  *blob.Staging
	sessions *pgxstore.PostgresStore
	hub      *hub.Hub
	http     *http.Server
	listener net.Listener
	address  *os.File // where it says where it is
	ready    atomic.Bool

	group  *errgroup.Group
	ctx    context.Context // ends when a part fails
	cancel context.CancelFunc
}

// startServer starts everything and returns when the console answers. The
// caller must call stop or wait.
func startServer(ctx context.Context, c Config, from origin, log *slog.Logger) (_ *server, err error) {
	s := &server{config: c, from: from, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.group, s.ctx = errgroup.WithContext(base)

	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if err := s.openStore(ctx); err != nil {
		return nil, err
	}
	if err := s.openConsole(ctx); err != nil {
		return nil, err
	}
	if err := s.setUp(ctx); err != nil {
		return nil, err
	}
	if err := s.openDoors(ctx); err != nil {
		return nil, err
	}
	at := address{PublicURL: c.PublicURL}
	c.PublicURL = ""
	at.URL = c.URL(s.listener.Addr())
	if s.address, err = leaveAddress(c.Data, at); err != nil {
		return nil, err
	}
	s.group.Go(func() error { return s.console.Run(s.ctx) })
	s.group.Go(s.listen)
	s.ready.Store(true)
	return s, nil
}

// openStore reaches the database, which it starts if none was given, and
// brings its schema up to date.
func (s *server) openStore(ctx context.Context) error {
	url := s.config.DatabaseURL
	if url == "" {
		pg, err := pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(s.config.Data, "postgres"), Logger: s.log})
		if err != nil {
			return fmt.Errorf("start the private Postgres: %w", err)
		}
		s.postgres, url = pg, pg.URL()
	}
	if err := store.Migrate(ctx, url, s.log); err != nil {
		return fmt.Errorf("bring the database up to date: %w", err)
	}
	keys, err := store.LoadKeyring(filepath.Join(s.config.Data, "master.key"))
	if err != nil {
		return err
	}
	s.store, err = store.Open(ctx, url, store.Options{Keys: keys, Log: s.log})
	return err
}

// openConsole makes the hall over the store and the image files.
func (s *server) openConsole(ctx context.Context) error {
	blobs, err := blob.OpenFolder(filepath.Join(s.config.Data, "blobs"), time.Now())
	if err != nil {
		return err
	}
	staging, err := blob.OpenStaging(filepath.Join(s.config.Data, "uploads"), time.Now)
	if err != nil {
		return err
	}
	people, err := s.config.people()
	if err != nil {
		return err
	}
	s.console, err = api.New(api.Deps{
		Store: s.store, Blobs: blobs, Staging: staging, Logger: s.log, Config: s.config.shown(s.from), TLS: s.tlsFiles(), Service: s.config.service(), People: people,
	})
	if err != nil {
		return err
	}
	if err := s.console.EnsureDefaults(ctx); err != nil {
		return fmt.Errorf("make the defaults: %w", err)
	}
	s.staging = staging
	return nil
}

// tlsFiles lets the console keep a certificate in the data folder, unless the
// server was told where its own is, or a proxy has it.
func (s *server) tlsFiles() api.TLSFiles {
	kept, _ := keypair.Paths(s.config.Data)
	if s.config.BehindProxy != "" || s.config.TLSCert != "" && s.config.TLSCert != kept {
		return api.TLSFiles{}
	}
	return api.TLSFiles{
		Keep: func(cert, key []byte) error { return keypair.Keep(s.config.Data, cert, key, time.Now()) },
		Kept: func() bool { return keypair.Kept(s.config.Data) },
		Live: s.config.TLSCert == kept,
	}
}

// fingerprint is that of the certificate in use, if nobody issued it.
func (s *server) fingerprint() string {
	raw, err := os.ReadFile(s.config.TLSCert)
	if err != nil { // there is none
		return ""
	}
	return keypair.Fingerprint(raw)
}

// setUp makes the first admin if the settings name one and there is nobody
// yet; later starts change nothing.
func (s *server) setUp(ctx context.Context) error {
	if s.config.SetupAdmin == "" {
		return nil
	}
	made, err := s.console.SetupFromSettings(ctx, api.System("settings"), api.SetupFromSettingsInput{
		Login: s.config.SetupAdmin, Password: s.config.SetupPassword, HostToken: s.config.SetupHostToken,
	})
	if err != nil {
		return fmt.Errorf("make the first admin from setup-admin and setup-password: %w", err)
	}
	if made {
		s.log.Info("first admin made from the settings", "login", s.config.SetupAdmin, "host_token", s.config.SetupHostToken != "")
	}
	return nil
}

// openDoors builds the doors and takes the address.
func (s *server) openDoors(ctx context.Context) error {
	s.sessions = pgxstore.New(s.store.Pool())
	s.hub = hub.New(hub.Deps{Console: s.console, Logger: s.log})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w (another program may hold the address; choose one with --listen HOST:PORT)", err)
	}
	s.url = s.config.URL(listener.Addr())
	handler, err := s.handler(s.staging)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.listener = listener
	if s.config.TLSCert != "" {
		files, err := keypair.Open(s.config.TLSCert, s.config.TLSKey)
		if err != nil {
			return errors.Join(fmt.Errorf("read tls-cert and tls-key: %w", err), listener.Close())
		}
		s.http.TLSConfig = &tls.Config{GetCertificate: files.Get, MinVersion: tls.VersionTLS12}
	}
	return nil
}

// listen serves until the server is shut down.
func (s *server) listen() error {
	var err error
	if s.config.TLSCert != "" {
		err = s.http.ServeTLS(s.listener, "", "") // of TLSConfig
	} else {
		err = s.http.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// wait returns after ctx ended and everything has stopped, or when a part
// failed.
func (s *server) wait(ctx context.Context) error {
	var gaveUp <-chan struct{}
	if s.postgres != nil {
		gaveUp = s.postgres.Done()
	}
	var cause error
	select {
	case <-ctx.Done():
	case <-s.ctx.Done():
		cause = s.group.Wait()
	case <-gaveUp:
		cause = fmt.Errorf("the private Postgres ended: %w", s.postgres.Err())
	}
	return errors.Join(cause, s.stop())
}

// stop takes the server down in order: no new work, agents away, requests
// ended, database last. It may be called after a start that failed half-way.
func (s *server) stop() error {
	s.ready.Store(false)
	var errs []error
	if s.hub != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		s.hub.Drain(ctx)
		cancel()
	}
	if s.cancel != nil {
		s.cancel() // ends the console's watchers, and with them the open streams
	}
	if s.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		if err := s.http.Shutdown(ctx); err != nil {
			errs = append(errs, s.http.Close())
		}
		cancel()
	}
	if s.group != nil {
		if err := s.group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	if s.address != nil {
		errs = append(errs, s.address.Close())
	}
	if s.sessions != nil {
		s.sessions.StopCleanup()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), postgresTime)
		errs = append(errs, s.postgres.Stop(ctx))
		cancel()
	}
	return errors.Join(errs...)
}
