package browser

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// TestCapturePages takes pictures of the form of a capture and its confirmation,
// of one that is done, and of the list of what captures leave out.
func TestCapturePages(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	file, other := apitest.Image("/srv/images/reference-pc-4.vhdx"), apitest.Image("/srv/images/kiosk/kiosk.vhd")
	inventory := &protocol.Inventory{Devices: s.Free, Files: []protocol.Device{file, other}}
	if err := s.HostInventory(t.Context(), s.Session, inventory); err != nil {
		t.Fatal(err)
	}
	job, err := s.QueueJob(t.Context(), s.Admin, api.QueueJobInput{
		Kind: protocol.JobCapture, Host: s.Host.ID, Devices: []api.QueueDevice{{Identity: file.Identity}},
		Options:   protocol.JobOptions{Capture: &protocol.CaptureOptions{Image: "win11-ent", Version: "24.3.0", Channel: "testing", Notes: "reference PC 4"}},
		Overrides: []string{protocol.FaultCaptureNotGeneralized},
	})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.HostClaim(t.Context(), s.Session)
	if err != nil || len(w.Assigns) != 1 {
		t.Fatalf("%+v, %v", w, err)
	}
	ref := protocol.AttemptRef{BuildID: job.Builds[0].ID, Attempt: 1}
	events := []protocol.Event{{Type: protocol.EventAccepted}}
	for _, step := range protocol.JobCapture.Steps() {
		events = append(events, protocol.Event{Type: protocol.EventStepBegun, Step: step}, protocol.Event{Type: protocol.EventStepDone, Step: step})
	}
	events = append(events, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{Capture: &protocol.CaptureResult{
		VersionID: s.Bring(t, w.Assigns[0].Ticket), Bytes: 5_300_000_000, ReadBytes: 11_000_000_000, ProductName: "Windows 11 Enterprise", ImageState: "IMAGE_STATE_COMPLETE",
	}}})
	for i := range events {
		events[i].AttemptRef, events[i].HostSeq = ref, int64(i+1)
	}
	if _, err := s.HostEvents(t.Context(), s.Session, events); err != nil {
		t.Fatal(err)
	}
	dir := album(t)
	for _, language := range []string{"en", "zh-CN"} {
		b := open(t, s.URL, language)
		b.visit(s.Link(t, "admin"))
		b.press("main form .btn-primary")
		b.at("/")
		for _, p := range []struct{ name, path string }{
			{"job-new-capture", "/jobs/new?kind=capture&host=" + s.Host.ID},
			{"job-captured", "/jobs/" + job.ID},
			{"exclusions", "/exclusions"},
		} {
			b.visit(p.path)
			b.shoot(dir, p.name+"-"+language)
		}
		b.visit("/jobs/new?kind=capture&host=" + s.Host.ID)
		b.fill("#image", "kiosk")
		b.fill("#number", "1.0.0")
		b.press("#sticks tr:not(.row-off) input[name=device]")
		b.press("#next")
		b.at("/jobs/confirm")
		b.shoot(dir, "job-confirm-capture-"+language)
	}
}
