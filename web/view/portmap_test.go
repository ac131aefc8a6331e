package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

func usb(port, socket string, connection int64) api.Device {
	return api.Device{Writable: true, Device: protocol.Device{
		Identity: protocol.Identity{Kind: protocol.KindUSB, Port: port, Bytes: 64 << 30, Connection: connection},
		Socket:   socket, Hub: "1-2", Vendor: "SanDisk", Model: "Extreme",
	}}
}

// A host's sockets stand in the order in which they were numbered, empty ones
// too; then those without a number; a disk that is no stick is not drawn.
func TestHostHubs(t *testing.T) {
	t.Parallel()
	running, failed, small := usb("1-2.1", "s1", 1), usb("1-2.2", "s2", 4), usb("1-2.9", "s9", 1)
	running.JobID, running.BuildID = "job_b", "build_b"
	small.Writable = false
	small.Refusals = []*protocol.Fault{protocol.NewFault(protocol.FaultTooSmall, "path", "/dev/sdc", "have_bytes", 1, "need_bytes", 2, "missing_bytes", 1)}
	disk := usb("ata-1", "", 1)
	disk.Kind = protocol.KindDisk
	h := api.Host{Devices: []api.Device{small, failed, disk, running}}
	ports := []api.HostPort{{Hub: "A", Number: 1, Socket: "s1"}, {Hub: "A", Number: 2, Socket: "s2"}, {Hub: "A", Number: 3, Socket: "s3"}}
	ended := h.Devices[1].Identity
	before := ended
	before.Connection = 3 // it was pulled out since
	jobs := []api.Job{
		{Kind: protocol.JobPress, Builds: []api.Build{{ID: "build_b", State: "running", Identity: running.Identity}}},
		{Kind: protocol.JobPress, Builds: []api.Build{{ID: "build_a", State: "failed", Identity: ended, EndedAt: &uiTime}}},
		{Kind: protocol.JobPress, Builds: []api.Build{{ID: "build_0", State: "verified", Identity: before, EndedAt: &uiTime}}},
	}
	hubs := HostHubs(Frame{}, protocol.JobPress, h, ports, jobs)
	var got []string
	for _, hub := range hubs {
		for _, s := range hub.Sockets {
			got = append(got, hub.Name+"|"+s.label()+"|"+s.State+"|"+s.look())
		}
	}
	want := []string{
		"Hub A|A 1|pressing|run", "Hub A|A 2|failed|bad", "Hub A|A 3||empty",
		"Hub 1-2, sockets without a number|1-2.9|unfit|off",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := hubs[0].Sockets[0]; s.Total != shareTotal || s.Href != "/jobs/job_b" || s.explained() {
		t.Errorf("the socket that is being pressed: %+v", s)
	}
	if s := hubs[1].Sockets[0]; !s.explained() || !strings.Contains(s.Reason, "too small") {
		t.Errorf("the stick that is too small: %+v", s)
	}
}

// The map says in words what it draws, and as a picker lets nobody choose what
// cannot be pressed.
func TestPortMapMarkup(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	hubs := uiPicker(Frame{})
	if err := PortMap(Frame{}, "Sockets", hubs).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	html := page.String()
	for _, want := range []string{`id="ui-pick-5-box" name="ui-device" value="5" checked`, "62 %", ">verified<", ">empty<", "The stick is too small"} {
		if !strings.Contains(html, want) {
			t.Errorf("the map does not have %s", want)
		}
	}
	if n := strings.Count(html, " disabled"); n != 3 {
		t.Errorf("%d boxes are disabled, want those of two that are pressed and one that is unfit", n)
	}
	if n := strings.Count(html, `type="checkbox"`); n != 8 {
		t.Errorf("%d boxes for 8 sticks", n)
	}
}

// In a confirmation what is to be erased stands out; of everything else the map
// says that it stays as it is.
func TestPortMapAside(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	hubs := []Hub{{Name: "A", Sockets: []Socket{{ID: "one", Port: "1", State: "to_erase"}, {ID: "two", Port: "2", State: "data_open", Aside: true}, {ID: "three", Aside: true}}}}
	if err := PortMap(Frame{}, "Sockets", hubs).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"socket socket-warn" id="one"`, ">to erase<", `"socket socket-aside" id="two"`, ">stays as is<", `"socket socket-empty" id="three"`, ">empty<"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the map does not have %s:\n%s", want, page.String())
		}
	}
}

// A host's picture beside others shows as many sockets as can be taken in at a
// glance, and says how many more there are.
func TestGlance(t *testing.T) {
	t.Parallel()
	hubs := []Hub{{"A", make([]Socket, 32)}, {"B", make([]Socket, 32)}, {"C", make([]Socket, 32)}}
	for _, tc := range []struct{ hubs, drawn, last, rest int }{{0, 0, 0, 0}, {1, 1, 32, 0}, {2, 2, 8, 24}, {3, 2, 8, 56}} {
		drawn, rest := glance(hubs[:tc.hubs])
		if len(drawn) != tc.drawn || rest != tc.rest || tc.drawn > 0 && len(drawn[tc.drawn-1].Sockets) != tc.last {
			t.Errorf("of %d hubs %d are drawn, %d sockets are left out", tc.hubs, len(drawn), rest)
		}
	}
}
