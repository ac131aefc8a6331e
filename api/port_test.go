package api_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

// plugged is a stick in a socket, at its n-th connection.
func plugged(socket string, n int64) protocol.Device {
	d := apitest.Stick(socket)
	d.Socket, d.Connection = "pci-0000:00:14.0-usb-0:"+socket, n
	return d
}

// room is a host that is calibrated.
type room struct {
	t *testing.T
	*apitest.Fixture
	session api.HostSession
	host    string
}

func (r *room) see(devices ...protocol.Device) {
	r.t.Helper()
	if err := r.HostInventory(r.t.Context(), r.session, &protocol.Inventory{Devices: devices}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) step(s api.CalibrationStep) {
	r.t.Helper()
	must[api.HostPorts](r.t)(r.StepCalibration(r.t.Context(), r.Admin, r.host, s))
}

// want checks the numbers, as "socket", from first on, and what comes next.
func (r *room) want(note string, next int, sockets ...string) {
	r.t.Helper()
	p := must[api.HostPorts](r.t)(r.GetHostPorts(r.t.Context(), r.Viewer, r.host))
	var got []string
	for _, port := range p.Items {
		got = append(got, port.Socket[len("pci-0000:00:14.0-usb-0:"):])
	}
	if c := p.Calibration; c == nil || c.Note != note || c.Next != next || !slices.Equal(got, sockets) {
		r.t.Errorf("sockets %v, calibration %+v; want %v, %q, next %d", got, p.Calibration, sockets, note, next)
	}
}

// One stick wanders from socket to socket of a hub that is two hubs inside.
func TestCalibration(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	resident := plugged("9", 1)
	_, s := f.Connect(t, "bench", resident)
	r := &room{t, f, s, "bench"}
	must[api.HostPorts](t)(f.StartCalibration(t.Context(), f.Admin, "bench", "", 1))
	r.see(resident)
	r.want("", 1) // what was there already is no news
	r.see(resident, plugged("3.1.1", 2))
	r.want("found", 2, "3.1.1")
	r.see(resident, plugged("3.1.1", 2)) // the same connection again
	r.want("found", 2, "3.1.1")
	r.see(resident)
	r.see(resident, plugged("3.1.1", 3)) // back into the socket that has its number
	r.want("known", 2, "3.1.1")
	r.see(resident, plugged("3.1.2", 4))
	r.see(resident, plugged("3.1.3", 5)) // the wrong one
	r.want("found", 4, "3.1.1", "3.1.2", "3.1.3")
	r.step(api.CalibrationUndo)
	r.want("undone", 3, "3.1.1", "3.1.2")
	r.see(resident, plugged("3.2", 6))
	r.want("found", 4, "3.1.1", "3.1.2", "3.2")
	r.step(api.CalibrationSkip) // number 4 is broken
	r.see(resident, plugged("3.3", 7), plugged("3.4", 8))
	r.want("several", 5, "3.1.1", "3.1.2", "3.2")
	r.see(resident, plugged("3.4", 9))
	r.want("found", 6, "3.1.1", "3.1.2", "3.2", "3.4")
	r.step(api.CalibrationFinish)
	r.see(resident, plugged("3.5", 10))
	p := must[api.HostPorts](t)(f.GetHostPorts(t.Context(), f.Viewer, "bench"))
	if p.Calibration != nil || len(p.Items) != 4 || p.Items[3].Number != 5 {
		t.Errorf("when it is over: %+v", p)
	}
	_, err := f.StepCalibration(t.Context(), f.Admin, "bench", api.CalibrationSkip)
	wantFault(t, err, "calibration_not_found")

	// The numbers are shown wherever a port is, and a job keeps its own.
	d := plugged("3.2", 11)
	r.see(resident, d)
	host := must[api.Host](t)(f.GetHost(t.Context(), f.Viewer, "bench"))
	if host.Devices[0].PortLabel != "" || host.Devices[1].PortLabel != "3" {
		t.Errorf("labels %q and %q", host.Devices[0].PortLabel, host.Devices[1].PortLabel)
	}
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d)))
	must[api.HostPorts](t)(f.SetHostPorts(t.Context(), f.Admin, api.SetHostPortsInput{Host: "bench", Ports: []api.HostPort{{Hub: "B", Number: 12, Socket: d.Socket}}}))
	job = must[api.Job](t)(f.GetJob(t.Context(), f.Viewer, job.ID))
	host = must[api.Host](t)(f.GetHost(t.Context(), f.Viewer, "bench"))
	if job.Builds[0].PortLabel != "3" || host.Devices[1].PortLabel != "B 12" {
		t.Errorf("labels %q and %q", job.Builds[0].PortLabel, host.Devices[1].PortLabel)
	}
}

// Two hubs with the same printed numbers.
func TestCalibrationOfASecondHub(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, s := f.Connect(t, "bench")
	r := &room{t, f, s, "bench"}
	must[api.HostPorts](t)(f.StartCalibration(t.Context(), f.Admin, "bench", "A", 1))
	r.see(plugged("1.1", 1))
	must[api.HostPorts](t)(f.StartCalibration(t.Context(), f.Admin, "bench", "B", 1))
	r.see(plugged("2.1", 2))
	r.want("found", 2, "1.1", "2.1")
	// A socket that turns out to be on the other hub changes its name.
	r.see(plugged("1.1", 3))
	p := must[api.HostPorts](t)(f.GetHostPorts(t.Context(), f.Viewer, "bench"))
	if len(p.Items) != 2 || p.Items[1] != (api.HostPort{Hub: "B", Number: 2, Socket: "pci-0000:00:14.0-usb-0:1.1"}) {
		t.Errorf("%+v", p.Items)
	}
}

// The sockets of many hosts are found at once; those of another site's are not.
func TestPortsOfHosts(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a, b := f.Enroll(t, "a"), f.Enroll(t, "b")
	f.Enroll(t, "c")
	want := map[string][]api.HostPort{}
	for _, h := range []apitest.Host{a, b} {
		ports := []api.HostPort{{Number: 1, Socket: "x"}, {Number: 2, Socket: h.ID}}
		must[api.HostPorts](t)(f.SetHostPorts(t.Context(), f.Admin, api.SetHostPortsInput{Host: h.ID, Ports: ports}))
		want[h.ID] = ports
	}
	got := must[map[string][]api.HostPort](t)(f.PortsOfHosts(t.Context(), f.Viewer, []string{a.ID, b.ID}))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	elsewhere := f.Viewer
	elsewhere.Sites = []string{"site_01jd6y9k3te0mv8b0g2z5q4w7x"}
	if got := must[map[string][]api.HostPort](t)(f.PortsOfHosts(t.Context(), elsewhere, []string{a.ID, b.ID})); len(got) != 0 {
		t.Errorf("of another site's: %+v", got)
	}
}

func TestPortRefusals(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Connect(t, "bench")
	for _, c := range []struct {
		code fault.Code
		err  error
	}{
		{"port_invalid", second(f.StartCalibration(t.Context(), f.Admin, "bench", "", 0))},
		{"port_invalid", second(f.StartCalibration(t.Context(), f.Admin, "bench", "a name that is much too long", 1))},
		{"host_not_found", second(f.StartCalibration(t.Context(), f.Admin, "nowhere", "", 1))},
		{"forbidden", second(f.StartCalibration(t.Context(), f.Helpdesk, "bench", "", 1))},
		{"value_invalid", second(f.StepCalibration(t.Context(), f.Admin, "bench", "jump"))},
		{"port_taken", second(f.SetHostPorts(t.Context(), f.Admin, api.SetHostPortsInput{Host: "bench", Ports: []api.HostPort{{Number: 1, Socket: "a"}, {Number: 1, Socket: "b"}}}))},
		{"port_taken", second(f.SetHostPorts(t.Context(), f.Admin, api.SetHostPortsInput{Host: "bench", Ports: []api.HostPort{{Number: 1, Socket: "a"}, {Number: 2, Socket: "a"}}}))},
		{"port_invalid", second(f.SetHostPorts(t.Context(), f.Admin, api.SetHostPortsInput{Host: "bench", Ports: []api.HostPort{{Number: 1000, Socket: "a"}}}))},
	} {
		wantFault(t, c.err, c.code)
	}
}

// An order to flash goes to the host once, by its newest connection.
func TestIdentifyDevice(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := plugged("1", 1)
	host, old := f.Connect(t, "bench", d)
	err := f.IdentifyDevice(t.Context(), f.Helpdesk, "bench", d.Identity, 10)
	wantFault(t, err, "identify_unsupported")
	hello := host.Hello()
	hello.Capabilities = append(hello.Capabilities, protocol.CapIdentify)
	s := must[api.HostSession](t)(f.HostConnected(t.Context(), hello))
	if err := f.HostInventory(t.Context(), s, &protocol.Inventory{Devices: []protocol.Device{d}}); err != nil {
		t.Fatal(err)
	}
	if err := f.IdentifyDevice(t.Context(), f.Helpdesk, "bench", d.Identity, 10); err != nil {
		t.Fatal(err)
	}
	if w, err := f.HostWork(t.Context(), old); err == nil || len(w.Lights) > 0 {
		t.Errorf("an old connection got %v", w.Lights)
	}
	w := must[api.HostWork](t)(f.HostWork(t.Context(), s))
	if len(w.Lights) != 1 || w.Lights[0] != (protocol.Identify{Identity: d.Identity, Seconds: 10}) {
		t.Errorf("orders %+v", w.Lights)
	}
	if w = must[api.HostWork](t)(f.HostWork(t.Context(), s)); len(w.Lights) != 0 {
		t.Error("the order was given twice")
	}
	wantFault(t, f.IdentifyDevice(t.Context(), f.Viewer, "bench", d.Identity, 10), "forbidden")
	wantFault(t, f.IdentifyDevice(t.Context(), f.Helpdesk, "bench", d.Identity, 61), "value_invalid")
	other := d.Identity
	other.Connection++
	wantFault(t, f.IdentifyDevice(t.Context(), f.Helpdesk, "bench", other, 10), "device_changed")
	other.Port = "2"
	wantFault(t, f.IdentifyDevice(t.Context(), f.Helpdesk, "bench", other, 10), "device_gone")
}

func second[T any](_ T, err error) error { return err }
