package web_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/web/webtest"
)

// event is one Server-Sent Event.
type event struct{ id, name, data string }

// listen opens a stream and returns a function that waits for the next event
// of a name; of a stream that ended it returns the zero event.
func (v *visitor) listen(path string, headers ...string) func(name string) event {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	v.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, http.NoBody)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		v.t.Fatalf("%s: status %d, type %s", path, resp.StatusCode, kind)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func(name string) event {
		var e event
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data += value + "\n"
			case "":
				if e.name == name || name == "" && e.name != "" {
					return e
				}
				e = event{}
			}
		}
		return event{}
	}
}

func TestJobStream(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	job, press := scene.Press(t)
	v := signedIn(t, scene.Site, "viewer", "en")
	next := v.listen("/jobs/" + job.ID + "/live")
	if e := next("job"); !strings.Contains(e.data, `data-state="running"`) && !strings.Contains(e.data, `data-state="queued"`) {
		t.Errorf("the snapshot is %s", e.data)
	}
	if e := next("line-2"); !strings.Contains(e.data, "<progress") || !strings.Contains(e.data, `data-state="running"`) {
		t.Errorf("the second stick is %s", e.data)
	}
	first := next("log")
	if !strings.Contains(first.data, "Queued by helpdesk.") || first.id == "" {
		t.Errorf("the log begins with %+v", first)
	}
	press.Report(t, job.Builds[0], protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Text: "one\rtwo\nevent: ended\n\n<i>three"}})
	line := next("log")
	if strings.Contains(line.data, "Queued by") || !strings.Contains(line.data, "event: ended\n") || strings.Contains(line.data, "<i>") {
		t.Errorf("the new line is %+v", line)
	}
	if !strings.Contains(line.data, "beforeend:#log-1-begin") {
		t.Errorf("the new line goes to %s", line.data)
	}

	// Who comes back gets what is new, by either name.
	for _, again := range []func(string) event{
		v.listen("/jobs/"+job.ID+"/live", "Last-Event-ID", first.id),
		v.listen("/jobs/" + job.ID + "/live?after=" + first.id),
		v.listen("/jobs/"+job.ID+"/live?after=0", "Last-Event-ID", first.id),
	} {
		if e := again("log"); strings.Contains(e.data, "Queued by") || !strings.Contains(e.data, "three") || e.id != line.id {
			t.Errorf("after %s comes %+v", first.id, e)
		}
	}
	press.Fail(t, job.Builds[0])
	press.Fail(t, job.Builds[1])
	if e := next("ended"); e.name == "" {
		t.Error("the stream does not say that the job has ended")
	}
	if e := next(""); e.name != "" {
		t.Errorf("after the end comes %+v", e)
	}
	if e := v.listen("/jobs/" + job.ID + "/live?after=" + line.id)("ended"); e.name == "" {
		t.Error("the stream of a job that has ended does not end")
	}
	v.get("/jobs/" + job.ID + "/live?after=x").want(http.StatusUnprocessableEntity)
	v.get("/jobs/job_00000000000000000000000000/live").want(http.StatusNotFound)
}

func TestOverviewStream(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "viewer", "en")
	next := v.listen("/live")
	if e := next("tiles"); !strings.Contains(e.data, "1 / 2") {
		t.Errorf("the tiles are %s", e.data)
	}
	if e := next("running"); !strings.Contains(e.data, scene.Running.ID) {
		t.Errorf("under way is %s", e.data)
	}
	if e := next("failures"); !strings.Contains(e.data, scene.Failed.ID) {
		t.Errorf("failed is %s", e.data)
	}
	job, press := scene.Press(t)
	for e := next("running"); !strings.Contains(e.data, job.ID); e = next("running") {
		if e.name == "" {
			t.Fatal("the new job is not shown")
		}
	}
	press.Fail(t, job.Builds[0])
	if e := next("failures"); !strings.Contains(e.data, job.ID) {
		t.Errorf("the new failure is not shown: %s", e.data)
	}
}

// A page that is shown leaves a flash to the next one, a stream and a script
// do not eat it.
func TestFlash(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	follow := v.client.CheckRedirect
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v.post("/images/win11-ent/channel", map[string][]string{"channel": {"testing"}, "version": {"24.2.0"}, "revision": {"-1"}}).want(http.StatusSeeOther)
	v.client.CheckRedirect = follow
	v.listen("/live")("tiles")
	v.do(http.MethodGet, "/hosts", "", nil, "HX-Request", "true").want(http.StatusOK)
	v.get("/hosts").shows("Channel testing points to 24.2.0.")
	v.get("/hosts").lacks("Channel testing points to 24.2.0.")
}

// A stream ends with what its reader may see, however it was asked for.
func TestStreamsEndWithTheirReader(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	job, _ := scene.Press(t)
	v := signedIn(t, scene.Site, "viewer", "en")
	var open []func(string) event
	for _, path := range []string{"/live", "/jobs/" + job.ID + "/live"} {
		next := v.listen(path, "Accept", "text/event-stream, */*")
		next("")
		open = append(open, next)
	}
	if _, err := scene.SetUserDisabled(t.Context(), scene.Admin, scene.Viewer.UserID, true); err != nil {
		t.Fatal(err)
	}
	for _, next := range open {
		for e := next(""); e.name != ""; e = next("") {
			if e.name == "alive" {
				t.Fatal("it goes on")
			}
		}
	}
}
