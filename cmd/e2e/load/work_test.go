package load

import (
	"context"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// BenchmarkWork finishes queued jobs of one stick each: given to hosts over
// their sockets, taken, written and verified at once, with every event, the
// rows of job, build and stick, and the acknowledgement. In the same run River
// works as many jobs that do nothing, on the same database.
func BenchmarkWork(b *testing.B) {
	for b.Loop() {
		work(b, 3200)
	}
}

func work(b *testing.B, jobs int) {
	const turns = 2
	var ours, theirs time.Duration
	for range turns {
		ours += press(b, jobs)
		theirs += rivers(b, jobs)
	}
	total := float64(turns * jobs)
	b.ReportMetric(total/ours.Seconds(), "jobs/s")
	b.ReportMetric(total/theirs.Seconds(), "river-jobs/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-river")
}

// press queues so many jobs, and says how long they took from the moment when
// their hosts, which are there, may be given them until the last was acknowledged.
func press(b *testing.B, jobs int) time.Duration {
	hosts := (jobs + ports - 1) / ports
	r := furnish(b, hosts)
	url := r.listen(b, httptest.NewServer)
	together(b, jobs, func(i int) error {
		_, err := r.QueueJob(b.Context(), r.Helpdesk, r.order(i))
		return err
	})
	analyze(b, r)
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	var left atomic.Int64
	left.Store(int64(jobs))
	done := make(chan struct{})
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	agents := make([]*agent, len(r.hosts))
	together(b, len(agents), func(i int) (err error) {
		agents[i], err = dial(ctx, url, r.hosts[i], r.sticks[i])
		return err
	})
	begun := time.Now()
	for _, a := range agents {
		wg.Go(func() {
			if err := a.do(ctx, &left, done); err != nil && ctx.Err() == nil {
				failed.CompareAndSwap(nil, &err)
				cancel()
			}
		})
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	took := time.Since(begun)
	cancel()
	wg.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	if n := left.Load(); n != 0 {
		b.Fatalf("%d jobs were not finished", n)
	}
	return took
}

// do is a host that finishes what it is given, until ctx ends.
func (a *agent) do(ctx context.Context, left *atomic.Int64, done chan struct{}) error {
	if err := a.send(&protocol.Resume{}); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = a.ws.Close() })()
	for {
		m, err := a.read()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *protocol.Assign:
			if err := a.send(finished(m)); err != nil {
				return err
			}
		case *protocol.Ack:
			if m.HostSeq == 3 && left.Add(-1) == 0 {
				close(done)
			}
		}
	}
}

// analyze counts the rows, as the server does by itself after a minute.
func analyze(b *testing.B, r *room) {
	b.Helper()
	if _, err := r.Store.Pool().Exec(b.Context(), `ANALYZE`); err != nil {
		b.Fatal(err)
	}
}

// nothing is a River job that does nothing.
type nothing struct{}

func (nothing) Kind() string { return "nothing" }

type noWorker struct {
	river.WorkerDefaults[nothing]
}

func (noWorker) Work(context.Context, *river.Job[nothing]) error { return nil }

// rivers is how long River takes for so many jobs, with the settings of its own
// benchmark.
func rivers(b *testing.B, jobs int) time.Duration {
	r := furnish(b, 0)
	pool := r.Store.Pool()
	workers := river.NewWorkers()
	river.AddWorker(workers, noWorker{})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: "river", Workers: workers,
		Queues:            map[string]river.QueueConfig{"bench": {MaxWorkers: river.QueueNumWorkersMax}},
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 20 * time.Millisecond,
	})
	if err != nil {
		b.Fatal(err)
	}
	all := make([]river.InsertManyParams, jobs)
	for i := range all {
		all[i] = river.InsertManyParams{Args: nothing{}, InsertOpts: &river.InsertOpts{Queue: "bench"}}
	}
	if _, err := client.InsertMany(b.Context(), all); err != nil {
		b.Fatal(err)
	}
	analyze(b, r)
	ended, stop := client.SubscribeConfig(&river.SubscribeConfig{ChanSize: jobs, Kinds: []river.EventKind{river.EventKindJobCompleted}})
	defer stop()
	begun := time.Now()
	if err := client.Start(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	late := time.After(patience)
	for n := range jobs {
		select {
		case <-ended:
		case <-late:
			b.Fatalf("River finished %d jobs of %d", n, jobs)
		}
	}
	took := time.Since(begun)
	if err := client.Stop(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	return took
}
