package browser

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// BenchmarkJobsList asks for the list of jobs of a console that has so many, as
// it is and narrowed: by what is common, by what is rare, by both, and by what
// there is none of.
func BenchmarkJobsList(b *testing.B) {
	for _, count := range []int{1_000, 1_000_000} {
		b.Run(strconv.Itoa(count), func(b *testing.B) {
			s := webtest.Play(b, webtest.Start(b))
			s.FillJobs(b, count)
			client := signIn(b, s)
			half := s.Store.Now().Add(-time.Duration(count/2) * time.Second)
			middle, err := s.ListJobs(b.Context(), s.Admin, api.JobFilter{To: half.Format(time.DateOnly)}, api.Page{Limit: 1})
			if err != nil {
				b.Fatal(err)
			}
			after := ""
			if len(middle.Items) > 0 {
				after = middle.Items[0].ID
			}
			for _, x := range []struct{ name, query string }{
				{"all", ""},
				{"from the middle", "after=" + after},
				{"back from the middle", "before=" + after},
				{"state succeeded", "state=succeeded"},
				{"state failed", "state=failed"},
				{"under way", "state=active"},
				{"state cancelled, 1 in 1000", "state=cancelled"},
				{"host, 1 in 20", "host=lab-7"},
				{"host and failed, none", "host=lab-7&state=failed"},
				{"host and cancelled, none", "host=lab-7&state=cancelled"},
				{"kind wipe, 1 in 100", "kind=wipe"},
				{"site", "site=Default"},
				{"image", "image=win11-ent"},
				{"version", "version=" + s.Version.ID},
				{"fault, 1 in 10", "fault=write_failed"},
				{"fault, 1 in 20000", "fault=hub_power"},
				{"fault, none", "fault=wipe_unproven"},
				{"fault and host, 1 in 20", "fault=write_failed&host=lab-0"},
				{"another image, none", "image=win10-ltsc"},
				{"one day", "from=" + half.Format(time.DateOnly) + "&to=" + half.Format(time.DateOnly)},
				{"ticket", "reference=INC-0000500"},
				{"ticket begins, 1 in 10", "q=inc-0000"},
				{"ticket begins, all", "q=inc-"},
				{"ticket begins, none", "q=req-"},
				{"holder, 1 in 500", "holder=person+77"},
				{"holder, none", "holder=nobody"},
				{"everything at once, none", "host=lab-7&state=failed&kind=press&site=Default&image=win11-ent&q=person&from=2020-01-01"},
			} {
				b.Run(strings.ReplaceAll(x.name, " ", "-"), func(b *testing.B) {
					var took []time.Duration
					for b.Loop() {
						begun := time.Now()
						read(b, client, s.URL+"/jobs?"+x.query)
						took = append(took, time.Since(begun))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2])/1e6, "median-ms")
				})
			}
		})
	}
}
