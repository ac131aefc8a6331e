package browser

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"

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
				t.until("something was painted", paint+", window.lcp > 0")
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
})()`

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
