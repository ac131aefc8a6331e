package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// next waits for a value of the channel.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatal("the channel was closed")
		}
		return v
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing came")
	}
	panic("not reached")
}

// until reads notes until one has the topic, and counts what came with it.
func until(t *testing.T, notes <-chan store.Note, topic string) (topics int) {
	t.Helper()
	for {
		n := next(t, notes)
		topics += len(n.Topics)
		if slices.Contains(n.Topics, topic) {
			return topics
		}
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	st := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	notes := st.Listen(ctx)
	if n := next(t, notes); !n.Resync {
		t.Errorf("the first note is %+v", n)
	}

	refused := errors.New("no")
	err := st.InTx(ctx, func(tx *store.Tx) error {
		tx.Notify("never")
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	in(t, st, none(func(tx *store.Tx) error {
		for i := range 2000 { // more than one payload holds
			tx.Notify(fmt.Sprintf("topic-%d", i), "same")
		}
		return nil
	}))
	seen := map[string]int{}
	for len(seen) < 2001 {
		for _, topic := range next(t, notes).Topics {
			seen[topic]++
		}
	}
	if seen["same"] != 1 || seen["never"] != 0 {
		t.Errorf("same %d times, never %d times", seen["same"], seen["never"])
	}

	// The connection breaks: after it is back everything is to be read again.
	_, err = st.Pool().Exec(ctx,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`)
	if err != nil {
		t.Fatal(err)
	}
	for !next(t, notes).Resync {
	}
	st.Notify("after")
	until(t, notes, "after")

	cancel()
	for range notes {
	}
}

func TestWatch(t *testing.T) {
	st := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- st.Run(ctx) }()
	watching, stop := context.WithCancel(ctx)
	mine, other := st.Watch(watching, "mine"), st.Watch(ctx, "other")
	next(t, mine)
	next(t, other)
	next(t, mine) // Run has connected
	next(t, other)

	st.Notify("mine", "nobody's")
	next(t, mine)
	stop()
	for range mine {
	}
	st.Notify("other")
	next(t, other)
	cancel()
	if err := <-ran; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
	for range other {
	}
	st.Close()
	goleak.VerifyNone(t, goleak.IgnoreCurrent())
}

// An event whose transaction began first and committed last is not missed.
// Transactions of other databases hold the feed back too, so this test runs
// while the parallel ones wait, and asks until Postgres itself is idle.
func TestFeedWaitsForOpenTransactions(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	begun, finish, done := make(chan struct{}), make(chan struct{}), make(chan error)
	other := w.enroll("bench-2")
	go func() {
		done <- w.InTx(ctx, func(tx *store.Tx) error {
			_, err := tx.QueueJob(ctx, store.NewJob{
				HostID: other.ID, Kind: protocol.JobPress, ImageVersionID: w.version.ID, TaskSequenceVersionID: w.sequence.ID,
				Builds: []store.NewBuild{{Device: device(9)}}, By: w.by,
			})
			close(begun)
			<-finish
			return err
		})
	}()
	<-begun
	second := w.mustQueue(w.host.ID, 1)
	feed, err := w.Feed(ctx, store.Cursor{}, store.FeedFilter{})
	if err != nil || len(feed) != 0 {
		t.Errorf("%d events beside an open transaction, %v", len(feed), err)
	}
	end, err := w.FeedEnd(ctx)
	if err != nil {
		t.Fatal(err)
	}
	close(finish)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	patient, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	read := func(at store.Cursor) (all []store.FeedEvent) {
		for len(all) < 4 {
			feed, err := w.Feed(patient, at, store.FeedFilter{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range feed {
				all, at = append(all, e), e.Cursor()
			}
		}
		return all
	}
	all := read(store.Cursor{})
	want := []store.EventType{store.EventJobQueued, store.EventStickRegistered, store.EventJobQueued, store.EventStickRegistered}
	for i, e := range all {
		if e.Type != want[i] || e.SiteID != w.host.SiteID || e.Stream == store.StreamSticks && e.StickID.IsZero() {
			t.Errorf("event %d is %+v", i, e)
		}
		if c, err := store.ParseCursor(e.Cursor().String()); err != nil || c != e.Cursor() {
			t.Errorf("%s is read as %v, %v", e.Cursor(), c, err)
		}
	}
	if all[2].JobID != second.ID {
		t.Errorf("feed %+v", all)
	}
	// What was open when the end was asked for comes after it.
	if later := read(end); later[0].Cursor() != all[0].Cursor() {
		t.Errorf("after the end comes %+v", later[0])
	}
	whole, err := w.Feed(ctx, store.Cursor{}, store.FeedFilter{})
	if err != nil || len(whole) != 4 || whole[1].Cursor() != all[1].Cursor() {
		t.Errorf("in one piece: %+v, %v", whole, err)
	}
	for name, f := range map[string]store.FeedFilter{
		"sites": {Sites: []store.SiteID{{1}}}, "types": {Types: []store.EventType{store.EventJobFailed}},
	} {
		if none, err := w.Feed(ctx, store.Cursor{}, f); err != nil || len(none) != 0 {
			t.Errorf("narrowed by %s: %+v, %v", name, none, err)
		}
	}
	if err := w.CheckCursor(ctx, all[3].Cursor()); err != nil {
		t.Error(err)
	}
	if f := fault.From(w.CheckCursor(ctx, store.Cursor{Xact: 1 << 40})); f == nil || f.Code != store.CodeCursorAhead {
		t.Errorf("a cursor of another database: %v", f)
	}
}

func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"", "evt_3e9j1f", "evt_1s0", "evt_j", "evt_-1j1", "evt_01j1", "evt_ffffffffffffffffj1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := store.ParseCursor(text)
		if err == nil && c.String() != text && text != "" {
			t.Errorf("%q is read as %v", text, c)
		}
	})
}

// Two transactions that wait for each other: one is run again, both commit.
func TestDeadlockIsRunAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	hosts := []store.HostID{w.host.ID, w.enroll("bench-2").ID}
	meet := make(chan struct{})
	errs := make(chan error)
	for i := range 2 {
		go func() {
			first := true
			errs <- w.InTx(ctx, func(tx *store.Tx) error {
				for n := range 2 {
					if _, err := tx.ConnectHost(ctx, hosts[(i+n)%2], "replica-a", &protocol.Hello{}); err != nil {
						return err
					}
					if first {
						first = false
						if i == 0 {
							meet <- struct{}{}
						} else {
							<-meet
						}
					}
				}
				return nil
			})
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
