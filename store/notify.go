package store

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Topics of notifications. A notification only says "read again": lost or
// doubled it costs latency, never correctness, and whoever waits for one also
// polls now and then.
const (
	TopicJobs   = "jobs"   // any job
	TopicHosts  = "hosts"  // any host: connected, gone, inventory, renamed
	TopicSticks = "sticks" // any stick

	TopicRequests = "stick_requests" // any stick request
)

// TopicJob is about one job: new events.
func TopicJob(id JobID) string { return id.String() }

// TopicHost is about one host: work to claim, a cancellation, a new session, a
// new inventory, a revocation.
func TopicHost(id HostID) string { return id.String() }

// The Postgres channel, and how notifications go through it. NOTIFY takes a
// lock on the whole database at commit, so those of some milliseconds share
// one.
const (
	channel       = "stickpress"
	debounce      = 25 * time.Millisecond
	notifyTimeout = 10 * time.Second
	maxPayload    = 7000 // bytes; Postgres refuses 8000
)

// notifier collects topics and sends them a moment later.
type notifier struct {
	store   *Store
	mu      sync.Mutex
	pending map[string]struct{}
	closed  bool
	flights sync.WaitGroup
}

func (n *notifier) init(s *Store) { n.store, n.pending = s, map[string]struct{}{} }

// Notify tells every listener of every replica about the topics.
func (s *Store) Notify(topics ...string) { s.notifier.add(topics...) }

func (n *notifier) add(topics ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(topics) == 0 || n.closed {
		return
	}
	if len(n.pending) == 0 {
		n.flights.Add(1)
		time.AfterFunc(debounce, n.flush)
	}
	for _, t := range topics {
		n.pending[t] = struct{}{}
	}
}

func (n *notifier) flush() {
	defer n.flights.Done()
	n.mu.Lock()
	topics := n.pending
	n.pending = map[string]struct{}{}
	n.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), notifyTimeout)
	defer cancel()
	var payload strings.Builder
	send := func() {
		if payload.Len() == 0 {
			return
		}
		if _, err := n.store.pool.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, payload.String()); err != nil {
			n.store.log.Warn("send notifications", "error", err)
		}
		payload.Reset()
	}
	for t := range topics {
		if payload.Len()+len(t) > maxPayload {
			send()
		}
		if payload.Len() > 0 {
			payload.WriteByte(' ')
		}
		payload.WriteString(t)
	}
	send()
}

// close waits for what is on its way; later topics are dropped.
func (n *notifier) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.flights.Wait()
}

// Note is what a listener gets.
type Note struct {
	Topics []string
	// Resync says that notifications may have been missed: read everything.
	Resync bool
}

// noteBuffer is how many notes wait for a slow listener before they are dropped
// for one Resync.
const noteBuffer = 256

// Listen opens one connection of its own and returns its notifications until
// ctx ends; then the channel is closed. It connects again for ever, and begins
// every connection with a Resync. One replica needs one: see Run and Watch.
func (s *Store) Listen(ctx context.Context) <-chan Note {
	notes := make(chan Note, noteBuffer)
	go func() {
		defer close(notes)
		for wait := reconnectMin; ctx.Err() == nil; wait = min(2*wait, reconnectMax) {
			begun := s.now()
			err := s.listenOnce(ctx, notes)
			if ctx.Err() != nil {
				return
			}
			if s.now().Sub(begun) > reconnectMax {
				wait = reconnectMin
			}
			s.log.Warn("listen for notifications", "error", err, "retry_after", wait.String())
			select {
			case <-ctx.Done():
			case <-time.After(wait/2 + rand.N(wait)):
			}
		}
	}()
	return notes
}

// The listener waits between these before it connects again, jittered.
const (
	reconnectMin = 100 * time.Millisecond
	reconnectMax = 10 * time.Second
)

func (s *Store) listenOnce(ctx context.Context, notes chan<- Note) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	missed := true
	for {
		if missed {
			select {
			case notes <- Note{Resync: true}:
				missed = false
			default:
			}
		}
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		select {
		case notes <- Note{Topics: strings.Fields(n.Payload)}:
		default:
			missed = true
		}
	}
}
