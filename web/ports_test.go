package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/web/webtest"
)

func TestPorts(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	path := "/hosts/" + scene.Host.ID
	signedIn(t, scene.Site, "helpdesk", "zh-CN").get(path + "/ports").want(http.StatusOK)
	v := signedIn(t, scene.Site, "admin", "en")
	v.get(path+"/ports").want(http.StatusOK).shows("Sockets of bench-1", "No socket has a number yet.", "Start")
	v.post(path+"/calibration", url.Values{"number": {"0"}}).want(http.StatusUnprocessableEntity).shows("number from 1 to 999")
	p := v.post(path+"/calibration", url.Values{"number": {"5"}, "hub": {"A"}}).want(http.StatusOK)
	p.shows("Plug a stick into socket A 5", "Finish").lacks("Calibrate")
	if undo := p.all("button", "formaction", path+"/calibration/undo"); len(undo) != 1 || !has(undo[0], "disabled") {
		t.Error("there is nothing to undo yet")
	}
	// The first free stick moves to another connection of its socket.
	devices := make([]protocol.Device, 0, len(scene.Host.Devices))
	for _, d := range scene.Host.Devices {
		if d.Identity == scene.Free[0].Identity {
			d.Connection = 77
		}
		devices = append(devices, d.Device)
	}
	if err := scene.HostInventory(t.Context(), scene.Session, &protocol.Inventory{Devices: devices}); err != nil {
		t.Fatal(err)
	}
	v.get(path+"/ports").want(http.StatusOK).shows("Plug a stick into socket A 6", "Socket A 5 is known now", scene.Free[0].Socket, scene.Free[0].Serial)
	v.post(path+"/calibration/skip", nil).want(http.StatusOK).shows("Socket A 6 is left out", "socket A 7")
	v.post(path+"/calibration/finish", nil).want(http.StatusOK).shows("Calibrate", scene.Free[0].Socket).lacks("Plug a stick")
	v.post(path+"/calibration/skip", nil).want(http.StatusNotFound)
	// The number is shown where the port is.
	v.get(path).want(http.StatusOK).shows("A 5", scene.Free[0].Port)
	v.post("/jobs/where", url.Values{"host": {scene.Host.ID}}).want(http.StatusOK).shows("A 5")
	signedIn(t, scene.Site, "viewer", "en").get(path + "/ports").want(http.StatusOK).shows(scene.Free[0].Socket).lacks("Calibrate")
}

func TestBlink(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	path := "/hosts/" + scene.Host.ID
	v := signedIn(t, scene.Site, "helpdesk", "en")
	form := url.Values{"device": {picked(t, scene.Free[0])}}
	// An older agent cannot, and no button says that it could.
	v.get(path).want(http.StatusOK).lacks("Blink")
	v.post(path+"/identify", form).want(http.StatusConflict).shows("cannot let a stick flash")
	scene.Reconnect(t, protocol.CapIdentify)
	p := v.get(path).want(http.StatusOK).shows("Blink")
	if n := len(p.all("form", "action", path+"/identify")); n != 7 {
		t.Errorf("%d sticks can flash, want all but the two that are written", n)
	}
	v.post(path+"/identify", form).want(http.StatusOK).shows("The light of the stick in port " + scene.Free[0].Port)
	w, err := scene.HostWork(t.Context(), scene.Session)
	if err != nil || len(w.Lights) != 1 || w.Lights[0].Identity != scene.Free[0].Identity {
		t.Errorf("orders %+v, %v", w.Lights, err)
	}
	// From the form of a new job it is asked by script, and answered in place.
	v.post("/jobs/where", url.Values{"host": {scene.Host.ID}}).want(http.StatusOK).shows("Blink")
	form.Set("device", `{"port":"9-9"}`)
	v.post(path+"/identify", url.Values{"device": {"nonsense"}}).want(http.StatusUnprocessableEntity)
	v.post(path+"/identify", form).want(http.StatusConflict)
}

// What was found of a stick is on its job's page, and what an admin may let
// pass can be let pass from there.
func TestFindings(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	admin := signedIn(t, scene.Site, "admin", "en")
	admin.get("/jobs/"+scene.Running.ID).want(http.StatusOK).shows(
		"USB at 480 Mbit/s, although it can do 5000", "careful", "Writes 17.4 MB/s", "let pass by an admin", "812 per second", "59.8 GiB are really there")
	job, press := scene.Press(t)
	press.Report(t, job.Builds[0], protocol.Event{
		Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultTooSlow, "have_rate", 9_000_000, "need_rate", 20_000_000),
	})
	signedIn(t, scene.Site, "helpdesk", "en").get("/jobs/" + job.ID).want(http.StatusOK).shows("writes 9.0 MB/s").lacks("let this pass")
	p := admin.get("/jobs/" + job.ID).want(http.StatusOK).shows("Press again and let this pass")
	if over := p.all("input", "name", "override"); len(over) != 1 || attr(over[0], "value") != protocol.FaultTooSlow {
		t.Error("the button overrides nothing")
	}
}
