// Package store keeps everything that Stickpress knows in Postgres.
//
// Reading and writing are apart. A Reader answers questions; both Store and Tx
// have one, so a use case reads inside its own transaction with the same
// methods. Only a Tx writes: Store.InTx runs a function in a transaction,
// runs it again when Postgres asks for that, and after the commit sends the
// notifications that it collected. Four small writes that are nobody's
// decision (heartbeats, inventory, progress, last use) are on Store itself.
//
// Jobs and sticks have a history, job_events and stick_events; their rows are
// projections of it. Nothing changes a job, a build or a stick except by
// appending an event (event.go), and Apply (project.go) is the only code that
// turns an event into a new state: live and in Replay alike. Changes of one
// job are serialised by its row's lock. Locks are always taken in the order
// hosts, jobs, sticks, and by ID within each.
//
// Every refusal is a *fault.Error. A row that is not there is never nil, nil:
// it is the fault <kind>_not_found.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options are what a Store needs beside its database. Every field has a
// default.
type Options struct {
	// Keys seal secrets at rest. Without them whatever needs sealing fails.
	Keys *Keyring
	// Now is the clock, time.Now by default.
	Now func() time.Time
	// Random makes IDs and tokens, crypto/rand.Reader by default.
	Random io.Reader
	// Log gets what cannot be returned: a notification that was not sent, a
	// listener that reconnects. Discarded by default.
	Log *slog.Logger
	// MaxConns limits the pool; 0 leaves it to the URL (pool_max_conns), or to
	// the number of processors, but at least minPool.
	MaxConns int32
}

// minPool is how many connections a server may have: most of them wait for a
// disk, however few the processors are.
const minPool = 16

// Store is the database. It is safe for concurrent use.
type Store struct {
	Reader
	pool     *pgxpool.Pool
	now      func() time.Time
	random   io.Reader
	log      *slog.Logger
	keys     *Keyring
	notifier notifier
	watchers watchers
}

// Reader answers questions, from the pool (Store) or inside a transaction (Tx).
type Reader struct {
	db   querier
	keys *Keyring
}

// querier is what a pool and a transaction have in common.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Open connects to url, which must be direct or session-pooled (LISTEN and
// advisory locks need a session). The schema must be there: see Migrate.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's error has the password removed already.
		return nil, fmt.Errorf("read the database URL: %w", err)
	}
	switch {
	case opts.MaxConns > 0:
		config.MaxConns = opts.MaxConns
	case !strings.Contains(url, "pool_max_conns"):
		config.MaxConns = max(config.MaxConns, minPool)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach the database: %w", err)
	}
	return New(pool, opts), nil
}

// New is Open with a pool of the caller's. Close closes it.
func New(pool *pgxpool.Pool, opts Options) *Store {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Random == nil {
		opts.Random = rand.Reader
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		Reader: Reader{db: pool, keys: opts.Keys},
		pool:   pool, now: opts.Now, random: opts.Random, log: opts.Log, keys: opts.Keys,
	}
	s.notifier.init(s)
	return s
}

// Close sends what is still to be notified and closes the pool.
func (s *Store) Close() {
	s.notifier.close()
	s.pool.Close()
}

// Pool is for libraries that keep their own tables here (the session store).
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Now is the store's clock, cut to what Postgres keeps: microseconds, UTC.
func (s *Store) Now() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// Tx is one transaction. It is not safe for concurrent use and not valid after
// the function given to InTx has returned.
type Tx struct {
	Reader
	tx     *pipeline
	store  *Store
	topics []string
	// objects are what the audit log is told of in this transaction.
	objects []string
	// at is the time of everything that happens in this transaction.
	at time.Time
}

// txAttempts is how often InTx runs a transaction that Postgres refuses for
// reasons that another run may not meet.
const txAttempts = 8

// begin says that one plan is good for all values of a statement: whoever
// writes looks things up by their keys, which takes less time than a plan.
const begin = `BEGIN; SET LOCAL plan_cache_mode = force_generic_plan`

// InTx runs do in a transaction and commits if it returns nil. After a
// serialization failure or a deadlock do runs again, so it must change nothing
// outside of tx that a second run would not set again; topics of a run that was
// rolled back are forgotten.
func (s *Store) InTx(ctx context.Context, do func(*Tx) error) error {
	for attempt := 1; ; attempt++ {
		tx := &Tx{store: s, at: s.Now()}
		begun, err := s.run(ctx, tx, do)
		if err == nil {
			s.notifier.add(tx.topics...)
			return nil
		}
		// What has not begun did nothing: the pool held a connection from before
		// a restart of Postgres.
		if attempt < txAttempts && (!begun || transient(err)) && ctx.Err() == nil {
			continue
		}
		return err
	}
}

// snapshot is a transaction that sees one moment and changes nothing.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// InSnapshot runs do with a reader to which all it reads is of one moment: what
// is told together was true together.
func (s *Store) InSnapshot(ctx context.Context, do func(Reader) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, snapshot, func(t pgx.Tx) error {
		return do(Reader{db: t, keys: s.keys})
	})
}

// run is one attempt of InTx.
func (s *Store) run(ctx context.Context, tx *Tx, do func(*Tx) error) (begun bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fail(err, "begin a transaction")
	}
	defer conn.Release() // one that a panic left in a transaction is closed
	t, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return false, fail(err, "begin a transaction")
	}
	tx.tx = &pipeline{Tx: t}
	tx.Reader = Reader{db: tx.tx, keys: s.keys}
	if err = do(tx); err == nil {
		err = fail(tx.tx.commit(ctx), "commit")
	}
	if err == nil {
		return true, nil
	}
	_ = t.Rollback(ctx) // there is an error already
	if tx.tx.refused != nil {
		err = fail(tx.tx.refused, "write")
	}
	return true, err
}

// transient reports whether Postgres rolled back for a reason that lies in what
// happened beside this transaction.
func transient(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "40001", "40P01", // serialization_failure, deadlock_detected
		"23P01": // exclusion_violation: the next run sees whom it is in the way of
		return true
	}
	return false
}

// Notify tells every listener about the topics once the transaction is
// committed.
func (tx *Tx) Notify(topics ...string) { tx.topics = append(tx.topics, topics...) }

// At is the time of everything that this transaction does.
func (tx *Tx) At() time.Time { return tx.at }

// newID makes an ID from the store's clock and randomness.
func newID[K kind](tx *Tx) (ID[K], error) { return NewID[ID[K]](tx.at, tx.store.random) }

// watchers is the fan-out of notifications inside this process.
type watchers struct {
	mu  sync.Mutex
	all map[*watcher]struct{}
}
