package view

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/api"
)

// placeholder is a parameter of a sentence.
var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// causeWords is a fault without its particulars: the first sentence of what a
// page says of one, with its values left open.
func causeWords(f Frame, code string) string {
	sentence := f.L.Fault(code, nil)
	for _, end := range []string{". ", "。"} {
		if first, _, more := strings.Cut(sentence, end); more {
			sentence = first
		}
	}
	return placeholder.ReplaceAllString(strings.TrimRight(sentence, ".。"), "…")
}

type stateCount struct {
	state string
	count int
}

// hostStates are the states that hosts are in now.
func hostStates(h api.HostCounts) []stateCount {
	var all []stateCount
	for _, s := range []stateCount{{"online", h.Online}, {"offline", h.Offline}, {"unconnected", h.New}, {"update_needed", h.UpdateNeeded}} {
		if s.count > 0 {
			all = append(all, s)
		}
	}
	return all
}

// hostsIn is the list of the hosts in a state; one that never connected is offline
// there.
func hostsIn(state string) string {
	if state == "unconnected" {
		state = "offline"
	}
	return "/hosts?state=" + state
}

func dayLabels(days []api.Day) []string {
	labels := make([]string, len(days))
	for i, d := range days {
		labels[i] = d.Day
	}
	return labels
}

// best is the day of the greatest value, and that value.
func best(days []api.Day, of func(api.Day) float64) (day string, most, sum float64) {
	for _, d := range days {
		v := of(d)
		sum += v
		if v > most {
			day, most = d.Day, v
		}
	}
	return day, most, sum
}

func count(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

func sticksChart(f Frame, days []api.Day) LineChart {
	of := func(d api.Day) float64 { return float64(d.Sticks) }
	day, most, sum := best(days, of)
	c := LineChart{ID: "days-sticks", Title: f.T("overview.chart_sticks"), Labels: dayLabels(days), Format: count, Tabled: true}
	c.Summary = f.T("overview.chart_sum", "sum", count(sum), "most", count(most), "day", day)
	if sum == 0 {
		c.Summary = f.T("overview.chart_none")
	}
	for _, d := range days {
		c.Values = append(c.Values, of(d))
	}
	return c
}

func bytesChart(f Frame, days []api.Day) LineChart {
	of := func(d api.Day) float64 { return float64(d.Bytes) / (1 << 30) }
	gib := func(v float64) string { return count(v) + " GiB" }
	day, most, sum := best(days, of)
	c := LineChart{ID: "days-bytes", Title: f.T("overview.chart_bytes"), Labels: dayLabels(days), Format: gib, Tabled: true}
	c.Summary = f.T("overview.chart_sum", "sum", gib(sum), "most", gib(most), "day", day)
	if sum == 0 {
		c.Summary = f.T("overview.chart_none")
	}
	for _, d := range days {
		c.Values = append(c.Values, of(d))
	}
	return c
}

func successChart(f Frame, days []api.Day) StackChart {
	c := StackChart{
		ID: "days-success", Title: f.T("overview.chart_success"), Labels: dayLabels(days), Format: count, Tabled: true,
		Series: []Series{
			{Name: f.T("overview.succeeded"), Tone: "good"}, {Name: f.T("overview.failed"), Tone: "bad"}, {Name: f.T("overview.cancelled"), Tone: "warn"},
		},
	}
	var good, bad int
	for _, d := range days {
		good, bad = good+d.Succeeded, bad+d.Failed
		c.Values = append(c.Values, []float64{float64(d.Succeeded), float64(d.Failed), float64(d.Cancelled)})
	}
	c.Summary = f.T("overview.chart_none")
	if good+bad > 0 {
		share := 100 * float64(good) / float64(good+bad)
		c.Summary = f.T("overview.chart_success_sum", "good", good, "bad", bad, "percent", count(share))
		c.Title = f.T("overview.chart_success_of", "percent", count(share))
	}
	return c
}

// succeeded is how many of what ended on a day succeeded; a dash where nothing did.
func succeeded(d api.Day) string {
	if d.Succeeded+d.Failed == 0 {
		return "–"
	}
	return count(100*float64(d.Succeeded)/float64(d.Succeeded+d.Failed)) + " %"
}
