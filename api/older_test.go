package api_test

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// older is what a host says whose agent only presses.
func older(h *apitest.Host) *protocol.Hello {
	hello := h.Hello()
	hello.Capabilities = []string{protocol.CapPress}
	return hello
}

// An agent is sent nothing that it would take for something else: neither a
// job that a newer one on its host was given, nor one that would be pressed
// without the erasing.
func TestOlderAgent(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	stick, other := apitest.Stick("a"), apitest.Stick("b")
	host, s := f.Connect(t, "bench", stick, other)
	given := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, wiping(nil, stick)))
	erasing := apitest.Order("win11-ent", "bench", other)
	erasing.Options.EraseFirst = true
	waiting := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, erasing))
	if w := must[api.HostWork](t)(f.HostClaim(t.Context(), s)); len(w.Assigns) != 2 {
		t.Fatalf("%+v", w.Assigns)
	}

	s = must[api.HostSession](t)(f.HostConnected(t.Context(), older(&host)))
	if w := must[api.HostWork](t)(f.HostResumed(t.Context(), s, &protocol.Resume{})); len(w.Assigns) != 0 {
		t.Errorf("sent %+v", w.Assigns)
	}
	for _, id := range []string{given.ID, waiting.ID} {
		b := must[api.Job](t)(f.GetJob(t.Context(), f.Viewer, id)).Builds[0]
		if b.State != "failed" || b.Touched || b.Fault.Code != string(api.CodeHostOutdated) {
			t.Errorf("%s, touched %v, %+v", b.State, b.Touched, b.Fault)
		}
	}
	_, err := f.QueueJob(t.Context(), f.Helpdesk, erasing)
	wantFault(t, err, api.CodeHostOutdated)
	erasing.Options.EraseFirst = false
	must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, erasing))
	if w := must[api.HostWork](t)(f.HostClaim(t.Context(), s)); len(w.Assigns) != 1 {
		t.Errorf("sent %+v", w.Assigns)
	}
}

// Nothing is kept of what a job asks for and its kind does not do.
func TestOptionsOfOtherKinds(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a")
	f.Connect(t, "bench", stick)
	in := apitest.Order("win11-ent", "bench", stick)
	in.Options.Wipe = &protocol.WipeOptions{Method: "magnet", Passes: -1}
	in.Options.Capture = &protocol.CaptureOptions{Image: "..", Exclude: "C:\\"}
	if job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in)); job.Options != (protocol.JobOptions{}) {
		t.Errorf("%+v", job.Options)
	}
}

// A host's list is refused as a whole when something in it cannot be shown, or
// would be taken for what it is not.
func TestInventoryRefused(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, s := f.Connect(t, "bench")
	blank, file := apitest.Image("/srv/images/a.vhdx"), apitest.Image("/srv/images/b.vhdx")
	blank.Refusals = []*protocol.Fault{nil}
	for name, m := range map[string]protocol.Inventory{
		"file without a reason": {Files: []protocol.Device{blank}},
		"file as a stick":       {Devices: []protocol.Device{file}},
		"stick as a file":       {Files: []protocol.Device{apitest.Stick("a")}},
	} {
		err := f.HostInventory(t.Context(), s, &m)
		if got := fault.From(err); err == nil || got.Code != store.CodeValueInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
