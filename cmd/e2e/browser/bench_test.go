package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/web/webtest"
)

// BenchmarkFirstPage counts what a browser loads for the first page after
// sign-in, packed as it travels: the page, its style sheet and its script.
func BenchmarkFirstPage(b *testing.B) {
	s := webtest.Play(b, webtest.Start(b))
	t := open(b, s.URL, "en")
	t.visit(s.Link(b, "admin"))
	t.press("main form .btn-primary")
	t.at("/")
	for b.Loop() {
		t.visit("/")
		b.ReportMetric(eval[float64](t, `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
			.filter((e) => e.name.startsWith(location.origin)).reduce((sum, e) => sum + e.encodedBodySize, 0)`), "packed-bytes")
	}
}

// BenchmarkPaint loads pages as Lighthouse's "slow 4G" does, on a processor four
// times as slow, and asks the browser when the largest part was painted (LCP)
// and how much moved before and after (CLS).
func BenchmarkPaint(b *testing.B) {
	s := webtest.Play(b, webtest.Start(b))
	t := open(b, s.URL, "en")
	t.visit(s.Link(b, "admin"))
	t.press("main form .btn-primary")
	t.at("/")
	call(t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Latency: 150, DownloadThroughput: 1.6e6 / 8, UploadThroughput: 750e3 / 8}},
	})
	call(t, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4})
	call(t, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	for _, p := range []struct{ name, path string }{
		{"overview", "/"}, {"jobs", "/jobs"}, {"job", "/jobs/" + s.Running.ID}, {"host", "/hosts/" + s.Host.ID},
	} {
		b.Run(p.name, func(b *testing.B) {
			for b.Loop() {
				t.visit(p.path)
				t.until("something was painted", paint+" window.lcp > 0")
				b.ReportMetric(eval[float64](t, "window.lcp"), "LCP-ms")
				b.ReportMetric(eval[float64](t, "window.cls"), "CLS")
			}
		})
	}
}

// paint keeps the largest paint and the sum of the shifts, those before the
// script ran too.
const paint = `window.lcp ?? (() => {
	window.lcp = 0; window.cls = 0;
	new PerformanceObserver((l) => { for (const e of l.getEntries()) window.lcp = e.startTime }).observe({type: "largest-contentful-paint", buffered: true});
	new PerformanceObserver((l) => { for (const e of l.getEntries()) window.cls += e.value }).observe({type: "layout-shift", buffered: true});
})();`

// BenchmarkJobsList asks for the list of jobs of a console that has so many.
func BenchmarkJobsList(b *testing.B) {
	for _, count := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			s := webtest.Play(b, webtest.Start(b))
			fill(b, s, count)
			client := signIn(b, s)
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				read(b, client, s.URL+"/jobs")
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e6, "median-ms")
		})
	}
}

// older makes an ID like another one's, i seconds before now: unique, and sorted
// as if it had been made then (UUID version 7).
const older = `CREATE FUNCTION pg_temp.older(i integer) RETURNS uuid LANGUAGE sql AS $$
	SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 1000::bigint * i), 12, '0') || '7' ||
		lpad(to_hex(i % 4096), 3, '0') || '8' || lpad(to_hex(i), 15, '0'))::uuid $$`

// fill copies a job of one stick, with its build, so often, each a second older
// than the one before.
func fill(b *testing.B, s *webtest.Scene, count int) {
	b.Helper()
	ctx := b.Context()
	conn, err := s.Store.Pool().Acquire(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	do := func(sql string, args ...any) {
		b.Helper()
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			b.Fatal(err)
		}
	}
	do(older)
	do(`CREATE TEMP TABLE one AS SELECT b.id, b.job_id FROM builds b WHERE b.state = 'verified'
		AND (SELECT count(*) FROM builds x WHERE x.job_id = b.job_id) = 1 LIMIT 1`)
	for _, t := range []struct{ table, is string }{{"jobs", "t.id = one.job_id"}, {"builds", "t.id = one.id"}} {
		rows, err := conn.Query(ctx, `SELECT column_name FROM information_schema.columns
			WHERE table_schema = current_schema AND table_name = $1 AND is_generated = 'NEVER'`, t.table)
		if err != nil {
			b.Fatal(err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			b.Fatal(err)
		}
		values := make([]string, len(names))
		for i, name := range names {
			values[i] = "t." + name
			if name == "id" || name == "job_id" {
				values[i] = "pg_temp.older(i)"
			}
		}
		do(`INSERT INTO ` + t.table + ` (` + strings.Join(names, ", ") + `)
			SELECT ` + strings.Join(values, ", ") + ` FROM ` + t.table + ` t, one, generate_series(1, ` + strconv.Itoa(count) + `) i WHERE ` + t.is)
		do(`ANALYZE ` + t.table)
	}
}

// signIn is a client with a session.
func signIn(b *testing.B, s *webtest.Scene) *http.Client {
	b.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	link, err := url.Parse(s.Link(b, "admin"))
	if err != nil {
		b.Fatal(err)
	}
	resp, err := client.PostForm(s.URL+"/sign-in/link", link.Query())
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/" {
		b.Fatalf("signed in at %s: %s", resp.Request.URL, resp.Status)
	}
	return client
}

func read(b *testing.B, client *http.Client, address string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s (%v)", address, resp.Status, err)
	}
}
