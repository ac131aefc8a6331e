package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// callers is how many programs queue jobs at the same time.
const callers = 16

// BenchmarkQueue posts jobs of one stick and, in the same run, inserts the same
// rows with nothing but pgx: one transaction and one round trip of statements
// for each job, from as many connections.
func BenchmarkQueue(b *testing.B) {
	for b.Loop() {
		queue(b, 3200)
	}
}

// queue compares so many posts with so many inserts, and reports the ratio.
func queue(b *testing.B, jobs int) {
	r := furnish(b, 2*(jobs+1)/ports+1)
	url := r.listen(b, httptest.NewServer) + wire.Prefix + "/jobs"
	token, err := r.CreateToken(b.Context(), r.Admin, api.CreateTokenInput{Name: "load", Role: api.RoleAdmin})
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	post := func(n int) error {
		body, err := json.Marshal(wire.QueueJobOf(r.order(n)))
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token.Secret)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			var text bytes.Buffer
			_, _ = text.ReadFrom(resp.Body)
			return fmt.Errorf("%s: %s", resp.Status, text.String())
		}
		var j api.Job
		return json.NewDecoder(resp.Body).Decode(&j)
	}
	if err := post(0); err != nil {
		b.Fatal(err)
	}
	config := r.Store.Pool().Config()
	pool, err := pgxpool.NewWithConfig(b.Context(), config) // as many connections
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	rows := rowsOf(b, pool, r.sticks[0][0].Port, r.hosts)
	seed(b, pool, rows, 2*jobs)

	// In turns, so that a disturbance hits both.
	const turns = 4
	var posted, inserted []time.Duration
	var post1, insert1 time.Duration
	for turn := range turns {
		share, from := jobs/turns, 1+turn*jobs/turns
		took, each := together(b, share, func(i int) error { return post(from + i) })
		post1, posted = post1+took, append(posted, each...)
		took, each = together(b, share, func(i int) error { return rows.insert(b.Context(), pool, from+i) })
		insert1, inserted = insert1+took, append(inserted, each...)
	}
	b.ReportMetric(float64(len(posted))/post1.Seconds(), "posts/s")
	b.ReportMetric(percentile(posted, 0.5), "post-p50-ms")
	b.ReportMetric(percentile(posted, 0.99), "post-p99-ms")
	b.ReportMetric(float64(len(inserted))/insert1.Seconds(), "inserts/s")
	b.ReportMetric(percentile(inserted, 0.5), "insert-p50-ms")
	b.ReportMetric(percentile(inserted, 0.99), "insert-p99-ms")
	b.ReportMetric(insert1.Seconds()/post1.Seconds(), "of-bare-insert")
}

// seed makes the database one that has been in use: with an empty one Postgres
// plans for tables of no rows, and goes on so until it has counted them.
func seed(tb testing.TB, pool *pgxpool.Pool, rows *rows, jobs int) {
	tb.Helper()
	together(tb, jobs, func(i int) error { return rows.insert(tb.Context(), pool, 100_000+i) })
	if _, err := pool.Exec(tb.Context(), `ANALYZE`); err != nil {
		tb.Fatal(err)
	}
}

// together calls do count times, from all callers, and returns how long all and
// each took.
func together(tb testing.TB, count int, do func(int) error) (time.Duration, []time.Duration) {
	tb.Helper()
	each := make([]time.Duration, count)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	begun := time.Now()
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				at := time.Now()
				if err := do(i); err != nil {
					failed.Store(&err)
					return
				}
				each[i] = time.Since(at)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		tb.Fatal(*err)
	}
	return time.Since(begun), each
}
