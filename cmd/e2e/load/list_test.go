package load

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// BenchmarkList asks for a page of jobs of a console that has a thousand, and of
// one that has a million: the newest, and those after the middle.
func BenchmarkList(b *testing.B) {
	for b.Loop() {
		few, many := list(b, 1_000), list(b, 1_000_000)
		for i, name := range []string{"newest", "middle"} {
			b.ReportMetric(few[i], name+"-1000-ms")
			b.ReportMetric(many[i], name+"-million-ms")
			b.ReportMetric(many[i]/few[i], name+"-of-1000")
		}
	}
}

// list is the median time of a page, in milliseconds.
func list(b *testing.B, count int) (medians []float64) {
	r := furnish(b, 1)
	pressOne(b, r)
	r.FillJobs(b, count)
	url := r.listen(b, httptest.NewServer) + wire.Prefix + "/jobs"
	token, err := r.CreateToken(b.Context(), r.Admin, api.CreateTokenInput{Name: "load", Role: api.RoleAdmin})
	if err != nil {
		b.Fatal(err)
	}
	half := r.Store.Now().Add(-time.Duration(count/2) * time.Second)
	middle, err := r.ListJobs(b.Context(), r.Admin, api.JobFilter{To: half.Format(time.DateOnly)}, api.Page{Limit: 1})
	if err != nil {
		b.Fatal(err)
	}
	after := ""
	if len(middle.Items) > 0 {
		after = middle.Items[0].ID
	}
	for _, query := range []string{"", "?cursor=" + after} {
		var took []time.Duration
		for range 30 {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+query, nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token.Secret)
			begun := time.Now()
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Fatalf("%s: %v %s", resp.Status, err, text)
			}
			_ = resp.Body.Close()
			took = append(took, time.Since(begun))
		}
		slices.Sort(took)
		medians = append(medians, float64(took[len(took)/2])/1e6)
	}
	b.Logf("%s jobs: %v ms", strconv.Itoa(count), medians)
	return medians
}

// pressOne finishes one job.
func pressOne(b *testing.B, r *room) {
	b.Helper()
	if _, err := r.QueueJob(b.Context(), r.Helpdesk, r.order(0)); err != nil {
		b.Fatal(err)
	}
	s, err := r.HostConnected(b.Context(), r.hosts[0].Hello())
	if err != nil {
		b.Fatal(err)
	}
	w, err := r.HostClaim(b.Context(), s)
	if err != nil || len(w.Assigns) != 1 {
		b.Fatalf("%+v, %v", w, err)
	}
	if _, err := r.HostEvents(b.Context(), s, finished(&w.Assigns[0]).Events); err != nil {
		b.Fatal(err)
	}
}
