package view

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/diff"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/locale"
)

// What /ui shows: made-up things in every state, the same on each visit.

var uiTime = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// uiStateNames are all states that a badge may tell, those of one tone together.
var uiStateNames = []string{
	"active", "captured", "delivered", "on", "online", "published", "ready", "succeeded", "verified", "wiped",
	"assigned", "cancelling", "erasing", "inspecting", "pressing", "running", "to_read",
	"cancelled", "data_open", "declined", "failing", "locked", "to_erase", "update_needed",
	"disabled", "failed", "incomplete", "lost", "refused", "revoked", "stopped", "withdrawn",
	"closed", "done", "expired", "no_role", "off", "offline", "open", "paused", "pending", "queued", "retired", "scheduled", "superseded", "unconnected", "unfit", "unknown",
}

func uiChanges() []api.Change {
	return []api.Change{
		{Field: "name", After: "bench-1"},
		{Field: "life", Before: "issued", After: "returned"},
		{Field: "layout", Before: "mbr-dual", After: "gpt-uefi"},
		{Field: "reason", Before: "INC-1042"},
		{Field: "sites", After: uiSite + ", site_01jz0000000000000000000002"},
	}
}

const uiSite = "site_01jz0000000000000000000001"

// toNobody is a frame whose links are left out: what a sample names is nowhere.
func (f Frame) toNobody() Frame {
	f.Actor = api.Actor{}
	return f
}

func uiNames() map[string]string { return map[string]string{uiSite: "Berlin"} }

func uiHubs() []Hub {
	a := Hub{Name: "A"}
	for i, s := range []Socket{
		{State: "verified", Stick: "SanDisk Extreme Pro"},
		{State: "pressing", Stick: "Samsung BAR Plus", Done: 62, Total: 100},
		{State: "pressing", Stick: "Kingston DataTraveler Max", Done: 8, Total: 100},
		{State: "failed", Stick: "SanDisk Extreme Pro"},
		{State: "ready", Stick: "Samsung BAR Plus"},
		{State: "unfit", Stick: "Kingston DataTraveler Max"},
		{},
		{State: "cancelled", Stick: "SanDisk Extreme Pro"},
		{},
		{State: "ready", Stick: "Samsung BAR Plus"},
	} {
		s.ID, s.Number = "ui-a-"+strconv.Itoa(i+1), "A "+strconv.Itoa(i+1)
		s.Serial, s.Size = "4C5300012"+strconv.Itoa(10+i), "119 GiB"
		a.Sockets = append(a.Sockets, s)
	}
	return []Hub{a, {Name: "1-4", Sockets: []Socket{
		{ID: "ui-b-1", Port: "1-4.1", State: "ready", Stick: "Intenso Speed Line", Size: "57.3 GiB"},
		{ID: "ui-b-2", Port: "1-4.2", State: "wiped", Stick: "Intenso Speed Line", Size: "57.3 GiB"},
		{ID: "ui-b-3", Port: "1-4.3", State: "to_erase", Stick: "Intenso Speed Line", Size: "57.3 GiB"},
		{ID: "ui-b-4", Port: "1-4.4", State: "pressing", Stick: "Intenso Speed Line", Size: "57.3 GiB"},
		{ID: "ui-b-5", Port: "1-4.5", State: "ready", Stick: "Intenso Speed Line", Size: "57.3 GiB", Aside: true},
	}}}
}

// uiPicker is the map as the picker of a form.
func uiPicker(f Frame) []Hub {
	hubs := uiHubs()[:1]
	for i := range hubs[0].Sockets {
		s := &hubs[0].Sockets[i]
		s.ID, s.Name, s.Value = "ui-pick-"+strconv.Itoa(i+1), "ui-device", strconv.Itoa(i+1)
		s.Chosen = i == 4
		switch s.State {
		case "pressing":
			s.Reason = f.L.Fault("device_busy", map[string]string{"path": "/dev/sdc"})
		case "unfit":
			s.Reason = f.L.Fault("device_too_small", map[string]string{"have_bytes": "16008609792", "need_bytes": "30064771072", "missing_bytes": "14056161280"})
		}
	}
	return hubs
}

func uiStrips(f Frame) Strips {
	steps := []string{"preflight", "fetch", "master", "write", "verify", "table", "eject"}
	line := func(id, port, name string, took []int, last string) Strip {
		s := Strip{ID: "ui-strip-" + id, Port: port, Name: name}
		at := time.Duration(0)
		for i, seconds := range took {
			state := "done"
			if i == len(took)-1 {
				state = last
			}
			end := at + time.Duration(seconds)*time.Second
			s.Steps = append(s.Steps, StripStep{Name: f.T("step." + steps[i]), State: state, Begin: at, End: end})
			at = end
		}
		if len(took) > 0 {
			s.Took = locale.Duration(at)
		}
		if last == "running" {
			s.Steps = append(s.Steps, StripStep{Name: f.T("step.write"), State: "expected", Begin: at, End: at + 48*time.Second})
		}
		return s
	}
	return Strips{Span: 3*time.Minute + 20*time.Second, Lines: []Strip{
		line("1", "A 1", "SanDisk Extreme Pro", []int{4, 21, 33, 74, 52, 2, 1}, "done"),
		line("2", "A 2", "Samsung BAR Plus", []int{4, 21, 33, 80}, "running"),
		line("3", "A 3", "Kingston DataTraveler Max", []int{5, 20, 33, 70, 18}, "failed"),
		line("4", "A 4", "SanDisk Extreme Pro", []int{4, 21, 33, 12}, "cancelled"),
		line("5", "A 5", "Samsung BAR Plus", nil, ""),
	}}
}

func uiSteps(f Frame) []StepItem {
	var items []StepItem
	for i, state := range []string{"done", "done", "running", "failed", "cancelled", "waiting"} {
		s := StepItem{Name: f.T("step." + []string{"preflight", "fetch", "write", "verify", "table", "eject"}[i]), State: state, Word: f.T("step_state." + state)}
		if state == "done" {
			s.Took = "0:21"
		}
		if state == "running" {
			s.Rate = locale.Rate(121_800_000)
		}
		items = append(items, s)
	}
	return items
}

func uiLog(f Frame) []LogRow {
	rows := []LogRow{
		{Level: "info", Text: f.T("event.build_accepted")},
		{Level: "warn", Text: f.L.Fault("device_gone", map[string]string{"port": "A 3"})},
		{Level: "error", Text: uiProblem(f).Sentence},
	}
	for i := range rows {
		n := strconv.Itoa(i + 1)
		rows[i].ID, rows[i].Number, rows[i].Name, rows[i].Seq, rows[i].At = "line-"+n, n, f.T("job.line", "line", n), int64(i+1), uiTime
	}
	return rows
}

func uiRates() []float64 {
	var all []float64
	for i := range 40 {
		v := 118 + 22*math.Sin(float64(i)/3) + 6*math.Sin(float64(i)*1.7)
		if i > 20 && i < 24 {
			v = math.NaN()
		}
		all = append(all, v)
	}
	return all
}

func uiLine(f Frame) LineChart {
	c := LineChart{
		ID: "ui-line", Title: f.T("ui.rate"), Summary: f.T("ui.rate_summary"), Values: uiRates(),
		Format: func(v float64) string { return locale.Rate(int64(v * 1e6)) },
	}
	for i := range c.Values {
		c.Labels = append(c.Labels, locale.Duration(time.Duration(i)*5*time.Second))
	}
	return c
}

func uiStack(f Frame) StackChart {
	c := StackChart{
		ID: "ui-stack", Title: f.T("ui.per_day"), Summary: f.T("ui.per_day_summary"),
		Series: []Series{{Name: f.T("state.verified"), Tone: "good"}, {Name: f.T("state.cancelled"), Tone: "warn"}, {Name: f.T("state.failed"), Tone: "bad"}},
		Format: func(v float64) string { return strconv.Itoa(int(v)) },
	}
	for i := range 14 {
		c.Labels = append(c.Labels, uiTime.AddDate(0, 0, i-13).Format("01-02"))
		c.Values = append(c.Values, []float64{float64(20 + i*7%31), float64(i % 3), float64(i * 5 % 4)})
	}
	return c
}

func uiFall(f Frame) []WaterfallRow {
	var rows []WaterfallRow
	at := time.Duration(0)
	for i, seconds := range []int{4, 21, 33, 74, 52} {
		name := f.T("step." + []string{"preflight", "fetch", "master", "write", "verify"}[i])
		end := at + time.Duration(seconds)*time.Second
		tone := "good"
		if i == 4 {
			tone, at = "run", at-40*time.Second
		}
		rows = append(rows, WaterfallRow{Name: name, Took: locale.Duration(end - at), Spans: []Span{{Begin: at, End: end, Tone: tone, Title: name}}})
		at = end
	}
	return rows
}

func uiDiff() []diff.Row {
	before := "<unattend>\n" + strings.Repeat("  <component/>\n", 8) + "  <ComputerName>PC-*</ComputerName>\n  <TimeZone>UTC</TimeZone>\n</unattend>\n"
	after := strings.Replace(before, "PC-*", "LAB-{{ .Number }}", 1)
	after = strings.Replace(after, "<unattend>\n", "<unattend>\n  <!-- 24.3 -->\n", 1)
	return diff.Lines(before, after)
}

func uiProblem(f Frame) Problem {
	return NewProblem(f.L, fault.New(fault.KindInvalid, "confirmation_wrong", "name", "bench-1").At("name"))
}

func uiOptions(f Frame) []Option {
	return []Option{
		{Value: "mbr-dual", Label: f.T("sequence.layout_mbr-dual")},
		{Value: "gpt-uefi", Label: f.T("sequence.layout_gpt-uefi"), Hint: f.T("ui.hint")},
		{Value: "none", Label: f.T("ui.disabled"), Disabled: true},
	}
}
