package api_test

import (
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// The overview counts what ended: by day, by cause and by model, and only for
// those who may see the site.
func TestStatistic(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	var devices []protocol.Device
	for _, port := range []string{"a", "b", "c", "d", "e"} {
		devices = append(devices, apitest.Stick(port))
	}
	_, s := f.Connect(t, "bench", devices...)
	f.Enroll(t, "cold")
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", devices...)))
	work := must[api.HostWork](t)(f.HostClaim(t.Context(), s))
	for i, b := range work.Assigns[0].Builds {
		ref := protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}
		events := []protocol.Event{{AttemptRef: ref, HostSeq: 1, Type: protocol.EventAccepted}}
		last := protocol.Event{AttemptRef: ref, HostSeq: 2, Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultDeviceGone, "port", "x")}
		if i < 3 { // written at 10, 20 and 40 MB/s
			last.Type, last.Fault = protocol.EventVerified, nil
			last.Result = &protocol.Result{BytesWritten: 4_000_000_000, WriteMS: 400_000 >> i}
		}
		must[api.HostWork](t)(f.HostEvents(t.Context(), s, append(events, last)))
	}
	o := must[api.Overview](t)(f.GetOverview(t.Context(), f.Viewer))
	if o.Hosts != (api.HostCounts{Online: 1, New: 1}) || o.SticksRunning != 0 || o.JobsRunning != 0 {
		t.Errorf("hosts %+v, running %d of %d", o.Hosts, o.SticksRunning, o.JobsRunning)
	}
	x := o.Statistic
	if len(x.Days) != api.StatisticDays {
		t.Fatalf("%d days", len(x.Days))
	}
	if today := x.Days[len(x.Days)-1]; today.Sticks != 3 || today.Bytes != 12_000_000_000 || today.Succeeded != 3 || today.Failed != 2 ||
		today.Day != time.Now().UTC().Format(time.DateOnly) {
		t.Errorf("today is %+v", today)
	}
	if len(x.Causes) != 1 || x.Causes[0] != (api.Cause{Code: protocol.FaultDeviceGone, Builds: 2}) {
		t.Errorf("causes %+v", x.Causes)
	}
	if len(x.Slowest) != 1 || x.Slowest[0].WriteRate != 20_000_000 || x.Slowest[0].Sticks != 3 || x.Slowest[0].Model != devices[0].Model {
		t.Errorf("slowest %+v", x.Slowest)
	}
	if x.SticksVerified != 3 || x.Room.Images != 1 || x.Room.ImageBytes == 0 || x.Room.FreeBytes <= 0 || x.Room.DatabaseBytes == 0 {
		t.Errorf("%d sticks, room %+v", x.SticksVerified, x.Room)
	}
	if len(o.Failures) != 2 || o.Failures[0].JobID != job.ID {
		t.Errorf("failures %+v", o.Failures)
	}

	for code, want := range map[string]int{protocol.FaultDeviceGone: 1, protocol.FaultTooSlow: 0} {
		if jobs := must[api.List[api.Job]](t)(f.ListJobs(t.Context(), f.Viewer, api.JobFilter{Fault: code}, api.Page{})); len(jobs.Items) != want {
			t.Errorf("%d jobs failed by %s", len(jobs.Items), code)
		}
	}

	elsewhere := f.Viewer
	elsewhere.Sites = []string{"site_01jd6y9k3te0mv8b0g2z5q4w7x"}
	o = must[api.Overview](t)(f.GetOverview(t.Context(), elsewhere))
	if x := o.Statistic; o.HostsTotal != 0 || len(o.Failures) != 0 || len(x.Causes) != 0 || len(x.Slowest) != 0 || x.SticksVerified != 0 || x.Days[api.StatisticDays-1] != (api.Day{Day: x.Days[api.StatisticDays-1].Day}) {
		t.Errorf("somebody of another site sees %+v", o)
	}
}
