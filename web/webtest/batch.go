package webtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// Batch is a job of ten sticks on a host of its own, with numbered sockets on two
// hubs: it began some minutes ago, so that its steps have taken their time. Five
// sticks are done, of which one failed, four are being read back, and one waits
// for its first step.
func (x *Scene) Batch(t testing.TB) api.Job {
	t.Helper()
	const name = "desk-berlin"
	devices, ports := desk14()
	h, session := x.Connect(t, name, devices...)
	if err := x.HostInventory(t.Context(), session, &protocol.Inventory{Devices: devices, CacheBytes: 18_700_000_000, CacheLimit: 53_687_091_200}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.SetHostPorts(t.Context(), x.Admin, api.SetHostPortsInput{Host: h.ID, Ports: ports}); err != nil {
		t.Fatal(err)
	}
	in := apitest.Order("win11-ent", name, devices[:10]...)
	in.ExternalRef, in.Variables = api.Ticket("CHG0040211"), map[string]string{api.VariableComputerName: "NB-{n:02}"}
	j, err := x.QueueJob(t.Context(), x.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.HostClaim(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Add(-5 * time.Minute)
	var at []protocol.AttemptProgress
	for i, b := range j.Builds {
		events := pressed(i, begin)
		for n := range events {
			events[n].AttemptRef, events[n].HostSeq = protocol.AttemptRef{BuildID: b.ID, Attempt: 1}, int64(n+1)
		}
		if _, err := x.HostEvents(t.Context(), session, events); err != nil {
			t.Fatal(err)
		}
		if last := events[len(events)-1]; last.Type == protocol.EventStepBegun {
			at = append(at, protocol.AttemptProgress{
				AttemptRef: last.AttemptRef, Step: last.Step, Done: 6_120_000_000 - int64(i)*210_000_000, Total: 9_912_582_144, Rate: 221_800_000 - int64(i)*7_000_000,
			})
		}
	}
	if err := x.HostProgress(t.Context(), session, &protocol.Progress{Attempts: at}); err != nil {
		t.Fatal(err)
	}
	if j, err = x.GetJob(t.Context(), x.Viewer, j.ID); err != nil {
		t.Fatal(err)
	}
	return j
}

// desk14 are fourteen sticks in the sixteen sockets of two hubs.
func desk14() (devices []protocol.Device, ports []api.HostPort) {
	makes := [][3]string{{"SanDisk", "Extreme Pro", "0781:5588"}, {"Samsung", "BAR Plus", "090c:1000"}, {"Kingston", "DataTraveler Max", "0951:1666"}}
	for i := range 16 {
		hub, socket := string(rune('A'+i/10)), fmt.Sprintf("pci-0000:00:14.0-usb-0:1.%d", i+1)
		ports = append(ports, api.HostPort{Hub: hub, Number: i%10 + 1, Socket: socket})
		if i >= 14 {
			continue
		}
		devices = append(devices, protocol.Device{
			Identity: protocol.Identity{
				Kind: protocol.KindUSB, Port: fmt.Sprintf("2-1.%d", i+1), VIDPID: makes[i%3][2],
				Serial: fmt.Sprintf("4C53000999%02d", i), Bytes: 128_035_676_160, Connection: 1,
			},
			Path: "/dev/sd" + string(rune('k'+i)), Vendor: makes[i%3][0], Model: makes[i%3][1], Socket: socket, Hub: "2-1",
			SectorSize: 512, SpeedMbps: 5000, Removable: true, Volumes: []string{},
		})
	}
	return devices, ports
}

// pressed is what the host tells of the i-th stick, whose work began at a time:
// the first are done, the fourth failed, the last did not begin yet.
func pressed(i int, at time.Time) []protocol.Event {
	var all []protocol.Event
	say := func(e protocol.Event, after time.Duration) {
		at = at.Add(after)
		e.At = at
		all = append(all, e)
	}
	say(protocol.Event{Type: protocol.EventAccepted}, 0)
	if i == 9 {
		return all
	}
	took := []int{4, 21, 33, 110 + 5*i, 58 + 4*i, 2, 1} // seconds
	for n, s := range protocol.JobPress.Steps() {
		say(protocol.Event{Type: protocol.EventStepBegun, Step: s}, 0)
		switch {
		case s == protocol.StepWrite:
			say(protocol.Event{Type: protocol.EventTouched}, 0)
		case s == protocol.StepVerify && i == 3:
			fault := &protocol.Fault{Code: protocol.FaultVerify, Touched: true, Params: map[string]string{"offset": "7516192768", "want": "9f86d081", "have": "00000000"}}
			say(protocol.Event{Type: protocol.EventFailed, Fault: fault}, 28*time.Second)
			return all
		case s == protocol.StepVerify && i >= 5:
			return all
		}
		say(protocol.Event{Type: protocol.EventStepDone, Step: s}, time.Duration(took[n])*time.Second)
	}
	say(protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{
		BytesWritten: 9_912_582_144, BytesVerified: 9_912_582_144, WriteMS: int64(took[3]) * 1000, VerifyMS: int64(took[4]) * 1000,
		DiskID: fmt.Sprintf("5a17c0%02x", i), MasterDigest: "m", ContentDigest: "c",
	}}, 0)
	return all
}
