package hub_test

import (
	"context"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// running is a host on a socket that accepted the only build of a job.
func running(t *testing.T, f *apitest.Fixture, url string) (*agent, api.Job, protocol.Build) {
	t.Helper()
	_, a, job, b := runningOn(t, f, url, "bench")
	return a, job, b
}

func runningOn(t *testing.T, f *apitest.Fixture, url, name string) (apitest.Host, *agent, api.Job, protocol.Build) {
	t.Helper()
	f.Publish(t, "win11-ent", "1.0.0")
	host := f.Enroll(t, name)
	d := apitest.Stick("a")
	a := connect(t, url, host)
	a.resume()
	a.send(&protocol.Inventory{Devices: []protocol.Device{d}})
	waitHost(t, f, name, func(h *api.Host) bool { return len(h.Devices) == 1 })
	job, err := f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", name, d))
	if err != nil {
		t.Fatal(err)
	}
	b := want[*protocol.Assign](a).Builds[0]
	a.send(&protocol.Events{Events: []protocol.Event{event(b, 1, protocol.EventAccepted)}})
	want[*protocol.Ack](a)
	return host, a, job, b
}

// waitHost follows the overview's topic until a host is as wanted.
func waitHost(t *testing.T, f *apitest.Fixture, name string, ok func(*api.Host) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range f.Store.Watch(ctx, "hosts") {
		h, err := f.GetHost(ctx, f.Admin, name)
		if err != nil {
			t.Fatal(err)
		}
		if ok(&h) {
			return
		}
	}
	t.Fatalf("host %s never got there", name)
}
