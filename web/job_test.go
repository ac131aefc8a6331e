package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// The logs of a job are searched without scripts, every line has an address,
// and the whole is a file.
func TestJobLog(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "viewer", "en")
	path := "/jobs/" + scene.Failed.ID
	all := v.get(path).want(http.StatusOK)
	lines := len(all.lines())
	if lines == 0 || int64(lines) != scene.LastSeq(t, scene.Failed) {
		t.Errorf("%d lines of %d events", lines, scene.LastSeq(t, scene.Failed))
	}
	found := v.get(path + "?q=RESET+superspeed").want(http.StatusOK).shows("1 lines")
	if n := len(found.lines()); n != 1 {
		t.Fatalf("%d lines are found", n)
	}
	line := found.lines()[0]
	if id := attr(line, "id"); !strings.HasPrefix(id, "b2-L") || len(all.all("div", "id", id)) != 1 || len(found.all("a", "href", "#"+id)) != 1 {
		t.Errorf("the line is %s; the whole page must have it under the same address, and a link to it", id)
	}
	for _, fold := range found.all("details", "id", "b2") {
		if !has(fold, "open") {
			t.Error("the stick with the line is folded")
		}
	}
	v.get(path + "?q=nowhere").want(http.StatusOK).shows("0 lines")
	v.get(path + "?q=" + strings.Repeat("x", 300)).want(http.StatusUnprocessableEntity)

	file := v.get(path + "/log").want(http.StatusOK)
	if !strings.HasPrefix(file.header.Get("Content-Type"), "text/plain") || !strings.Contains(file.header.Get("Content-Disposition"), scene.Failed.ID+".log") {
		t.Errorf("the file comes as %v", file.header)
	}
	if n := strings.Count(file.body, "\n"); n != lines || !strings.Contains(file.body, "stick 2.1  usb 1-2.4: reset SuperSpeed USB device") {
		t.Errorf("the file has %d lines of %d:\n%s", n, lines, file.body)
	}
	v.get("/jobs/job_00000000000000000000000000/log").want(http.StatusNotFound)
}

// lines are the lines of logs.
func (p *page) lines() (all []*html.Node) {
	for _, n := range p.all("div", "", "") {
		if attr(n, "data-seq") != "" {
			all = append(all, n)
		}
	}
	return all
}

// One stick is stopped, and the other goes on.
func TestCancelStick(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	job, press := scene.Press(t)
	v := signedIn(t, scene.Site, "helpdesk", "en")
	path := "/jobs/" + job.ID
	one := path + "/builds/" + job.Builds[0].ID + "/cancel"
	if forms := v.get(path).want(http.StatusOK).all("form", "action", one); len(forms) != 1 {
		t.Fatalf("%d forms stop the first stick", len(forms))
	}
	v.post(one, nil).want(http.StatusOK).shows("being stopped: waiting for the host")
	press.Report(t, job.Builds[0], protocol.Event{Type: protocol.EventCancelled, Fault: protocol.NewFault(protocol.FaultCancelled)})
	v.get(path).want(http.StatusOK).shows("1 running · 1 cancelled")
	v.post(one, nil).want(http.StatusConflict)
	signedIn(t, scene.Site, "viewer", "en").post(path+"/builds/"+job.Builds[1].ID+"/cancel", nil).want(http.StatusForbidden)
}

// What a host says is text, wherever the page shows it.
func TestJobOfAHostileHost(t *testing.T) {
	t.Parallel()
	const evil = `<img src=x onerror=alert(1)>"'</script><script>alert(2)</script>`
	s := webtest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	d.Serial, d.Model, d.Vendor = evil, evil, evil
	_, session := s.Connect(t, "bench"+evil, d)
	in := apitest.Order("win11-ent", "bench"+evil, d)
	in.ExternalRef, in.Holder = api.Ticket(evil), evil
	job, err := s.QueueJob(t.Context(), s.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	work, err := s.HostClaim(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	ref := protocol.AttemptRef{BuildID: job.Builds[0].ID, Attempt: work.Assigns[0].Builds[0].Attempt}
	_, err = s.HostEvents(t.Context(), session, []protocol.Event{
		{AttemptRef: ref, HostSeq: 1, Type: protocol.EventAccepted},
		{AttemptRef: ref, HostSeq: 2, Type: protocol.EventStepBegun, Step: protocol.StepPreflight},
		{AttemptRef: ref, HostSeq: 3, Type: protocol.EventLog, Log: &protocol.LogLine{Level: `error" onclick="x`, Text: evil}},
		{AttemptRef: ref, HostSeq: 4, Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Code: "unmounted", Params: map[string]string{"mount": evil}}},
		{AttemptRef: ref, HostSeq: 5, Type: protocol.EventPreflight, Preflight: &protocol.Preflight{Checks: []protocol.Check{{Name: evil, Verdict: protocol.VerdictOK}}}},
		{AttemptRef: ref, HostSeq: 6, Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultDeviceGone, "port", evil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, s, "viewer", "en")
	for _, path := range []string{"/jobs/" + job.ID, "/jobs/" + job.ID + "?q=" + url.QueryEscape(evil), "/", "/jobs"} {
		p := v.get(path).want(http.StatusOK) // check_test.go looks for scripts and handlers
		if n := len(p.all("img", "", "")); n != 0 || len(p.all("script", "", "")) != 1 {
			t.Errorf("%s has %d images and %d scripts", path, n, len(p.all("script", "", "")))
		}
	}
	v.get("/jobs/" + job.ID).shows("alert(1)")
	for _, e := range []event{v.listen("/jobs/" + job.ID + "/live?after=1")("log"), v.listen("/live")("failures")} {
		if strings.Contains(e.data, "<img") || strings.Contains(e.data, "<script") || !strings.Contains(e.data, "alert(1)") {
			t.Errorf("the stream brings %s", e.data)
		}
	}
}

// A run of thirty-two sticks stays light: what moves is a few kilobytes, and a
// stick whose step changes costs only itself.
func TestThirtyTwoSticksStayLight(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	var devices []protocol.Device
	for i := range 32 {
		devices = append(devices, apitest.Stick(fmt.Sprintf("stick-%02d.img", i)))
	}
	_, session := s.Connect(t, "bench", devices...)
	job, err := s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", devices...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.HostClaim(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	said := map[string]int64{}
	report := func(b api.Build, e protocol.Event) {
		t.Helper()
		said[b.ID]++
		e.AttemptRef, e.HostSeq = protocol.AttemptRef{BuildID: b.ID, Attempt: 1}, said[b.ID]
		if _, err := s.HostEvents(t.Context(), session, []protocol.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range job.Builds {
		report(b, protocol.Event{Type: protocol.EventAccepted})
		report(b, protocol.Event{Type: protocol.EventStepBegun, Step: protocol.StepWrite})
	}
	move := func(done int64) {
		t.Helper()
		var at []protocol.AttemptProgress
		for i, b := range job.Builds {
			at = append(at, protocol.AttemptProgress{
				AttemptRef: protocol.AttemptRef{BuildID: b.ID, Attempt: 1}, Step: protocol.StepWrite,
				Done: done + int64(i), Total: 9_912_582_144, Rate: 100_000_000 + done%9 + int64(i)*1_000_000,
			})
		}
		if err := s.HostProgress(t.Context(), session, &protocol.Progress{Attempts: at}); err != nil {
			t.Fatal(err)
		}
	}
	move(4_000_000_000)
	v := signedIn(t, s, "viewer", "en")
	body := len(v.get("/jobs/" + job.ID).want(http.StatusOK).body)
	last := fmt.Sprint(job.LastSeq + 3*32 + 1) // claimed, accepted, begun; and the job began
	next := v.listen("/jobs/" + job.ID + "/live?after=" + last)
	// Who has the page already is sent no part of it again: the first that comes
	// is the drawing of the steps, and then what moves.
	var names []string
	now := event{}
	for e := next(""); ; e = next("") {
		if e.name == "" {
			t.Fatal("nothing moves")
		}
		names = append(names, e.name)
		if e.name == "now" {
			now = e
			break
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, "line-") || strings.HasPrefix(name, "step-") || name == "log" || name == "job" {
			t.Errorf("the page is sent %s, which it has", name)
		}
	}
	var moved struct {
		Sticks []json.RawMessage `json:"sticks"`
	}
	if err := json.Unmarshal([]byte(now.data), &moved); err != nil || len(moved.Sticks) != 32 {
		t.Errorf("%d sticks move (%v): %s", len(moved.Sticks), err, now.data)
	}
	if n := len(now.data); n > 5000 {
		t.Errorf("what moves takes %d bytes", n)
	}
	report(job.Builds[4], protocol.Event{Type: protocol.EventStepDone, Step: protocol.StepWrite})
	bytes := 0
	for e := next(""); e.name != "log"; e = next("") {
		bytes += len(e.data)
		if e.name != "now" && e.name != "job" && e.name != "timeline" && !strings.HasSuffix(e.name, "-5") && !strings.HasPrefix(e.name, "step-5-") {
			t.Errorf("one stick's step brings %s", e.name)
		}
	}
	if bytes > 40_000 {
		t.Errorf("one stick's step takes %d bytes", bytes)
	}
	t.Logf("page %d bytes; what moves %d bytes a second; one step of one stick %d bytes", body, len(now.data), bytes)
}
