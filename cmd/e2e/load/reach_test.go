package load

import (
	"context"
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// BenchmarkReach connects many hosts over TLS and queues jobs for some of them,
// one after the other at random moments: how long after the answer that a job
// was accepted its host has it. The peer is the bare way: as many round trips
// through a socket of the same kind.
func BenchmarkReach(b *testing.B) {
	for b.Loop() {
		reach(b, 1000, 200)
	}
}

func reach(b *testing.B, hosts, jobs int) {
	r := furnish(b, hosts)
	url := r.listen(b, httptest.NewTLSServer)
	ctx, cancel := context.WithTimeout(b.Context(), 4*patience)
	defer cancel()
	var mu sync.Mutex
	got := map[string]time.Time{} // by job
	news := make(chan struct{}, jobs)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	agents := make([]*agent, hosts)
	together(b, hosts, func(i int) (err error) {
		if agents[i], err = dial(ctx, url, r.hosts[i], r.sticks[i]); err != nil {
			return err
		}
		return agents[i].send(&protocol.Resume{})
	})
	for _, a := range agents {
		wg.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = a.ws.Close() })()
			for {
				m, err := a.read()
				if err != nil {
					return // with ctx
				}
				if assign, ok := m.(*protocol.Assign); ok {
					mu.Lock()
					got[assign.JobID] = time.Now()
					mu.Unlock()
					news <- struct{}{}
				}
			}
		})
	}
	accepted := map[string]time.Time{}
	for i := range jobs {
		// A stick of another host each time.
		j, err := r.QueueJob(ctx, r.Helpdesk, r.order((i*7%hosts)*ports+i/hosts))
		if err != nil {
			b.Fatal(err)
		}
		accepted[j.ID] = time.Now()
		time.Sleep(rand.N(40 * time.Millisecond)) // people do not come in step
	}
	for range jobs {
		select {
		case <-news:
		case <-ctx.Done():
			b.Fatal("not every job reached its host")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	var took []time.Duration
	for id, at := range accepted {
		took = append(took, max(0, got[id].Sub(at)))
	}
	b.ReportMetric(percentile(took, 0.5), "reach-p50-ms")
	b.ReportMetric(percentile(took, 0.99), "reach-p99-ms")
}
