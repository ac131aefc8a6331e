package webtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// fleet are the makes of a Fleet's sticks, with how fast they are written, in
// bytes per second.
var fleet = []struct {
	vendor, model, vidpid string
	rate                  int64
}{
	{"Intenso", "Speed Line", "13fe:6300", 21_400_000},
	{"Samsung", "BAR Plus", "090c:1000", 58_900_000},
	{"SanDisk", "Extreme Pro", "0781:5588", 143_200_000},
	{"Kingston", "DataTraveler Max", "0951:1666", 211_700_000},
}

// holders are the people who got a stick of a Fleet.
var holders = []string{
	"Annie Easley", "Barbara Liskov", "Christopher Strachey", "Dorothy Vaughan", "Evelyn Boyd Granville", "Frances Allen",
	"Gertrude Blanch", "Hedy Lamarr", "Ida Rhodes", "Jean Jennings Bartik", "Karen Spärck Jones", "Lynn Conway",
}

// Fleet is a job of twelve sticks of four makes that is done, each stick with its
// holder and its computer's name, on a host of its own whose cache is half full.
func (x *Scene) Fleet(t testing.TB) api.Job {
	t.Helper()
	const name, content = "desk-lagos", int64(9_912_582_144)
	var devices []protocol.Device
	for i := range holders {
		m := fleet[i%len(fleet)]
		devices = append(devices, protocol.Device{
			Identity: protocol.Identity{
				Kind: protocol.KindUSB, Port: fmt.Sprintf("3-1.%d", i+1), VIDPID: m.vidpid,
				Serial: fmt.Sprintf("0401A8C7%04d", 31*i), Bytes: 64_160_399_360, Connection: 1,
			},
			Path: "/dev/sd" + string(rune('b'+i)), Vendor: m.vendor, Model: m.model, Socket: fmt.Sprintf("pci-0000:00:14.0-usb-0:1.%d", i+1), Hub: "3-1",
			SectorSize: 512, SpeedMbps: 5000, Removable: true, Volumes: []string{},
		})
	}
	_, session := x.Connect(t, name, devices...)
	if err := x.HostInventory(t.Context(), session, &protocol.Inventory{Devices: devices, CacheBytes: 61_300_000_000, CacheLimit: 107_374_182_400}); err != nil {
		t.Fatal(err)
	}
	in := apitest.Order("win11-ent", name, devices...)
	in.ExternalRef = api.Ticket("CHG0040187")
	for i := range in.Devices {
		in.Devices[i].Holder = holders[i]
		in.Devices[i].Variables = map[string]string{api.VariableComputerName: fmt.Sprintf("LOS-%03d", i+1)}
	}
	j, err := x.QueueJob(t.Context(), x.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.HostClaim(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	for i, b := range j.Builds {
		took, at := content*1000/fleet[i%len(fleet)].rate, time.Now().Add(-20*time.Minute)
		events := []protocol.Event{{Type: protocol.EventAccepted}}
		for _, s := range protocol.JobPress.Steps() {
			events = append(events, protocol.Event{Type: protocol.EventStepBegun, Step: s})
			if s == protocol.StepWrite {
				events = append(events, protocol.Event{Type: protocol.EventTouched})
			}
			events = append(events, protocol.Event{Type: protocol.EventStepDone, Step: s})
		}
		events = append(events, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{
			BytesWritten: content, BytesVerified: content, WriteMS: took, VerifyMS: took / 2,
			DiskID: fmt.Sprintf("1a905%03x", i), MasterDigest: "m", ContentDigest: "c",
		}})
		for n := range events {
			e := &events[n]
			e.AttemptRef, e.HostSeq = protocol.AttemptRef{BuildID: b.ID, Attempt: 1}, int64(n+1)
			if e.Type == protocol.EventStepDone && e.Step == protocol.StepWrite {
				at = at.Add(time.Duration(took) * time.Millisecond)
			}
			e.At = at
		}
		if _, err := x.HostEvents(t.Context(), session, events); err != nil {
			t.Fatal(err)
		}
	}
	if j, err = x.GetJob(t.Context(), x.Viewer, j.ID); err != nil {
		t.Fatal(err)
	}
	return j
}
