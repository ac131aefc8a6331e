package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// backgroundSchema is where River has its tables (migration 0009).
const backgroundSchema = "river"

const (
	// backgroundPoll is how long work waits at most for a worker that is free.
	backgroundPoll = 500 * time.Millisecond
	// backgroundLost is when River takes up again what a program left running
	// whose queue nobody else has.
	backgroundLost = 24 * time.Hour
	// backgroundStop is how long work may take to notice that it is to stop.
	backgroundStop = 5 * time.Second
	// backgroundAgain is the pause before the next try to reach the database.
	backgroundAgain = 2 * time.Second
)

// Background runs work that outlives the request that asked for it. It is asked
// for in the transaction that needs it (Tx.Enqueue), so that both are kept or
// neither is, and is done by a program that works its queue.
type Background struct {
	store  *Store
	client *river.Client[pgx.Tx]
	queue  string
	shared []SharedQueue
}

// BackgroundOptions say what a program does in the background.
type BackgroundOptions struct {
	// Queue belongs to this program alone: what it left running when it died is
	// taken up again by its next start. Lower-case letters, digits and "_".
	Queue string
	// Most is how much of it is done at once.
	Most int
	// Shared are queues that every program works.
	Shared []SharedQueue
	// Workers do it.
	Workers *river.Workers
	Log     *slog.Logger
}

// SharedQueue is a queue that every program works. What one of them left running
// when it died is taken up again by the others, so that it must bear to be done
// twice.
type SharedQueue struct {
	Name string // as BackgroundOptions.Queue
	Most int    // how much of it a program does at once
	// Lost is how long work may take: what runs for longer belongs to a program
	// that died.
	Lost time.Duration
}

// Background prepares the work of one queue; Run does it.
func (s *Store) Background(o BackgroundOptions) (*Background, error) {
	queues := map[string]river.QueueConfig{o.Queue: {MaxWorkers: o.Most}}
	for _, q := range o.Shared {
		queues[q.Name] = river.QueueConfig{MaxWorkers: q.Most}
	}
	client, err := river.NewClient(riverpgxv5.New(s.pool), &river.Config{
		Schema: backgroundSchema, PollOnly: true, FetchPollInterval: backgroundPoll, JobTimeout: -1, RescueStuckJobsAfter: backgroundLost,
		Queues: queues, Workers: o.Workers, Logger: o.Log,
		Middleware: []rivertype.Middleware{river.WorkerMiddlewareFunc(storable)},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare background work: %w", err)
	}
	return &Background{store: s, client: client, queue: o.Queue, shared: o.Shared}, nil
}

// storable makes of why work failed what River can keep: one error with U+0000 in
// its text, which jsonb does not take, has River keep nothing of what ended
// with it, over and over.
func storable(ctx context.Context, _ *rivertype.JobRow, work func(context.Context) error) error {
	err := work(ctx)
	if err == nil || err.Error() == cleanText(err.Error()) {
		return err
	}
	return &storableError{err}
}

type storableError struct{ error }

func (e *storableError) Error() string { return cleanText(e.error.Error()) }

// Unwrap has River find what it looks for: that work is to be cancelled.
func (e *storableError) Unwrap() error { return e.error }

// Enqueue asks for work once the transaction is committed.
func (tx *Tx) Enqueue(ctx context.Context, b *Background, args river.JobArgs) error {
	_, err := b.client.InsertTx(ctx, tx.tx, args, &river.InsertOpts{Queue: b.queue})
	return fail(err, "queue background work")
}

// EnqueueShared asks for work of a queue that every program works.
func (tx *Tx) EnqueueShared(ctx context.Context, b *Background, queue string, all []river.JobArgs) error {
	params := make([]river.InsertManyParams, 0, len(all))
	for _, args := range all {
		params = append(params, river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{Queue: queue}})
	}
	if len(params) == 0 {
		return nil
	}
	_, err := b.client.InsertManyTx(ctx, tx.tx, params)
	return fail(err, "queue background work")
}

// EnqueueForgotten is EnqueueShared of what is neither waiting nor under way with
// the same arguments: a backup keeps what is to be done, and not the queue. It
// returns how much that was.
func (tx *Tx) EnqueueForgotten(ctx context.Context, b *Background, queue string, all []river.JobArgs) (int, error) {
	if len(all) == 0 {
		return 0, nil
	}
	kinds, encoded := make([]string, len(all)), make([]json.RawMessage, len(all))
	for i, args := range all {
		var err error
		kinds[i] = args.Kind()
		if encoded[i], err = json.Marshal(args); err != nil {
			return 0, fmt.Errorf("encode background work: %w", err)
		}
	}
	rows, _ := tx.tx.Query(ctx,
		`SELECT w.n FROM unnest(@kinds::text[], @args::jsonb[]) WITH ORDINALITY AS w (kind, args, n)
		WHERE NOT EXISTS (SELECT FROM river.river_job j
			WHERE j.kind = w.kind AND j.args = w.args AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))
		ORDER BY w.n`, pgx.NamedArgs{"kinds": kinds, "args": encoded})
	forgotten, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return 0, fail(err, "look for forgotten background work")
	}
	again := make([]river.JobArgs, 0, len(forgotten))
	for _, n := range forgotten {
		again = append(again, all[n-1])
	}
	return len(again), tx.EnqueueShared(ctx, b, queue, again)
}

// Hurry has work of a shared queue that waits with these arguments, be it for its
// next attempt, begin at once. What is under way goes on, and what is not queued at
// all is queued.
func (tx *Tx) Hurry(ctx context.Context, b *Background, queue string, args river.JobArgs) error {
	encoded, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("encode background work: %w", err)
	}
	tag, err := tx.tx.Exec(ctx,
		`UPDATE river.river_job SET state = 'available', scheduled_at = now()
		WHERE queue = @queue AND kind = @kind AND args = @args::jsonb AND state IN ('available', 'retryable', 'scheduled')`,
		pgx.NamedArgs{"queue": queue, "kind": args.Kind(), "args": json.RawMessage(encoded)})
	if err != nil || tag.RowsAffected() > 0 {
		return fail(err, "hurry background work")
	}
	_, err = tx.EnqueueForgotten(ctx, b, queue, []river.JobArgs{args})
	return err
}

// TakeUpLost makes available again what a program left running in the shared
// queues when it died. Any program may do this, now and then.
func (b *Background) TakeUpLost(ctx context.Context) error {
	for _, q := range b.shared {
		_, err := b.store.pool.Exec(ctx,
			`UPDATE river.river_job SET state = 'available', attempt = greatest(attempt - 1, 0), scheduled_at = now()
			WHERE state = 'running' AND queue = @queue AND attempted_at < now() - @lost::interval`,
			pgx.NamedArgs{"queue": q.Name, "lost": q.Lost})
		if err != nil {
			return fail(err, "take up lost background work")
		}
	}
	return nil
}

// Run does the work until ctx ends; what is under way then has its context
// cancelled. A database that is away is waited for.
func (b *Background) Run(ctx context.Context) error {
	for {
		err := b.takeUp(ctx)
		if err == nil {
			err = b.client.Start(context.WithoutCancel(ctx))
		}
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			b.store.log.Warn("background work not started yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backgroundAgain):
		}
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), backgroundStop)
	defer cancel()
	return errors.Join(ctx.Err(), b.client.StopAndCancel(stopping))
}

// takeUp makes available again what this program's last run left running. That
// it died is no attempt.
func (b *Background) takeUp(ctx context.Context) error {
	_, err := b.store.pool.Exec(ctx,
		`UPDATE river.river_job SET state = 'available', attempt = greatest(attempt - 1, 0), scheduled_at = now()
		WHERE state = 'running' AND queue = @queue`, pgx.NamedArgs{"queue": b.queue})
	return fail(err, "take up background work")
}
