package webtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// Scene is a console in the middle of a working day.
type Scene struct {
	*Site
	Version   api.Version // of the image "win11-ent", in the channel stable
	Disk      api.Version // of the image "rescue": a disk with an MBR and a trusted block map
	Host      api.Host    // online, with sticks in every condition
	Session   api.HostSession
	agent     apitest.Host
	Free      []protocol.Device // two that may be pressed
	Template  api.Template      // the starter
	Sequence  api.TaskSequence  // the default
	Done      api.Job           // two sticks, verified
	Failed    api.Job           // one verified, one not
	Running   api.Job           // two sticks in mid-write
	Connector api.Connector     // a service desk's, that writes back
	Request   api.StickRequest  // open, of its ticket
	Wiped     api.Job           // a small stick that was wiped and has a certificate
}

// Play makes a scene.
func Play(t testing.TB, s *Site) *Scene {
	t.Helper()
	x := &Scene{Site: s}
	s.Publish(t, "win10-ltsc", "2021.4.0")
	s.Publish(t, "win11-ent", "24.2.0")
	x.Version = s.Publish(t, "win11-ent", "24.2.1")
	x.Disk = disk(t, s)
	devices := bench()
	var h apitest.Host
	h, x.Session = s.Connect(t, "bench-1", devices...)
	x.agent = h
	s.Enroll(t, "bench-2")
	x.Free = devices[6:8]
	x.Done = x.queue(t, "INC-1041", "Grace Hopper", devices[0], devices[1])
	x.finish(t, x.Done, nil)
	x.Failed = x.queue(t, "INC-1042", "Alan Turing", devices[2], devices[3])
	x.finish(t, x.Failed, &protocol.Fault{
		Code: protocol.FaultVerify, Touched: true,
		Params: map[string]string{"offset": "7516192768", "want": "9f86d081", "have": "00000000"},
	})
	x.Wiped = x.wipe(t, devices[8])
	x.desk(t)
	x.Running = x.queue(t, "INC-1043", "", devices[4], devices[5])
	x.begin(t, x.Running)
	var err error
	if x.Host, err = s.GetHost(t.Context(), s.Admin, h.ID); err != nil {
		t.Fatal(err)
	}
	if x.Template, err = s.GetTemplate(t.Context(), s.Admin, api.DefaultTemplate); err != nil {
		t.Fatal(err)
	}
	if x.Sequence, err = s.GetTaskSequence(t.Context(), s.Admin, ""); err != nil {
		t.Fatal(err)
	}
	return x
}

// disk publishes a disk image with a block map.
func disk(t testing.TB, s *Site) api.Version {
	t.Helper()
	u, err := s.Upload(t, "rescue.img.zst", apitest.DiskImage(t, "zstd -q -o out disk"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.PublishVersion(t.Context(), s.Admin, api.PublishVersionInput{UploadID: u.ID, Image: "rescue", Version: "5.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	body := apitest.DiskImage(t, "bmaptool -q create disk -o out")
	if v, err = s.SetBlockMap(t.Context(), s.Admin, api.SetBlockMapInput{Version: v.ID, Body: body, Trusted: true}); err != nil {
		t.Fatal(err)
	}
	return v
}

// bench is what a host sees: ten sticks on a hub, and two disks that are not
// for pressing.
func bench() []protocol.Device {
	makes := []struct {
		vendor, model, vidpid string
		bytes                 int64
	}{
		{"SanDisk", "Extreme Pro", "0781:5588", 128_035_676_160},
		{"Samsung", "BAR Plus", "090c:1000", 64_160_399_360},
		{"Kingston", "DataTraveler Max", "0951:1666", 256_060_514_304},
	}
	var all []protocol.Device
	for i := range 8 {
		m := makes[i%len(makes)]
		all = append(all, protocol.Device{
			Identity: protocol.Identity{
				Kind: protocol.KindUSB, Port: fmt.Sprintf("1-2.%d", i+1), VIDPID: m.vidpid,
				Serial: fmt.Sprintf("4C5300012%02d", i*7), Bytes: m.bytes, Connection: 1,
			},
			Path: "/dev/sd" + string(rune('b'+i)), Vendor: m.vendor, Model: m.model,
			Socket: fmt.Sprintf("pci-0000:00:14.0-usb-0:2.%d", i+1), Hub: "1-2",
			SectorSize: 512, SpeedMbps: 5000, Removable: true, Volumes: []string{},
		})
	}
	all[6].Volumes, all[6].AutomountedAt = []string{"PHOTOS (exFAT)"}, []string{"/media/ada/PHOTOS"}
	all[7].Serial, all[7].DuplicateOf = "", 0
	all[7].SpeedMbps = 480
	small := all[1]
	small.Socket, small.Hub = "pci-0000:00:14.0-usb-0:3", "usb1"
	small.Port, small.Serial, small.Path, small.Bytes = "1-3", "AA00000000000489", "/dev/sdj", 15_518_924_800
	small.Refusals = []*protocol.Fault{protocol.NewFault(protocol.FaultTooSmall, "path", "/dev/sdj",
		"have_bytes", small.Bytes, "need_bytes", int64(28)<<30, "missing_bytes", int64(28)<<30-small.Bytes)}
	disk := protocol.Device{
		Identity: protocol.Identity{Kind: protocol.KindDisk, Port: "ata-1", Serial: "S4EWNX0R", Bytes: 512_110_190_592, Connection: 1},
		Path:     "/dev/sda", Vendor: "ATA", Model: "Samsung SSD 860", SectorSize: 512, Volumes: []string{"EFI (vfat)", "root (ext4)"},
		Refusals: []*protocol.Fault{protocol.NewFault(protocol.FaultNotRemovable, "path", "/dev/sda")},
	}
	return append(all, small, disk)
}

func (x *Scene) queue(t testing.TB, reference, holder string, devices ...protocol.Device) api.Job {
	t.Helper()
	in := apitest.Order("win11-ent", "bench-1", devices...)
	in.ExternalRef, in.Holder = api.Ticket(reference), holder
	j, err := x.QueueJob(t.Context(), x.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// Press is the agent's part in a job: it tells the console what its attempts
// do.
type Press struct {
	x    *Scene
	seqs map[string]int64
}

// Report sends one event of a build's first attempt.
func (p *Press) Report(t testing.TB, b api.Build, e protocol.Event) {
	t.Helper()
	p.seqs[b.ID]++
	e.AttemptRef = protocol.AttemptRef{BuildID: b.ID, Attempt: 1}
	e.HostSeq, e.At = p.seqs[b.ID], time.Now()
	if _, err := p.x.HostEvents(t.Context(), p.x.Session, []protocol.Event{e}); err != nil {
		t.Fatal(err)
	}
}

// Steps reports the steps up to one as done, and that one as begun.
func (p *Press) Steps(t testing.TB, b api.Build, last protocol.Step) {
	t.Helper()
	for _, s := range protocol.JobPress.Steps() {
		p.Report(t, b, protocol.Event{Type: protocol.EventStepBegun, Step: s})
		if s == protocol.StepWrite {
			p.Report(t, b, protocol.Event{Type: protocol.EventTouched})
		}
		if s == last {
			return
		}
		p.Report(t, b, protocol.Event{Type: protocol.EventStepDone, Step: s})
	}
}

// Claim takes the waiting work, as an agent does, and accepts it.
func (x *Scene) Claim(t testing.TB, j api.Job) *Press {
	t.Helper()
	work, err := x.HostClaim(t.Context(), x.Session)
	if err != nil {
		t.Fatal(err)
	}
	if len(work.Assigns) == 0 {
		t.Fatal(errors.New("the console has no work for its host"))
	}
	p := &Press{x: x, seqs: map[string]int64{}}
	for _, b := range j.Builds {
		p.Report(t, b, protocol.Event{Type: protocol.EventAccepted})
	}
	return p
}

// finish runs a job to its end; a fault ends the second stick.
func (x *Scene) finish(t testing.TB, j api.Job, f *protocol.Fault) {
	t.Helper()
	p := x.Claim(t, j)
	for i, b := range j.Builds {
		if f != nil && i == 1 {
			p.Steps(t, b, protocol.StepVerify)
			p.Report(t, b, protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "warn", Text: "usb 1-2.4: reset SuperSpeed USB device"}})
			p.Report(t, b, protocol.Event{Type: protocol.EventFailed, Fault: f})
			continue
		}
		p.Steps(t, b, protocol.StepEject)
		p.Report(t, b, protocol.Event{Type: protocol.EventStepDone, Step: protocol.StepEject})
		p.Report(t, b, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{
			BytesWritten: 9_912_582_144, BytesVerified: 9_912_582_144, WriteMS: 81_400, VerifyMS: 39_800,
			DiskID: fmt.Sprintf("%08x", 0x5a17c0de+i), MasterDigest: "m", ContentDigest: "c",
			Record: &protocol.StickRecord{DiskID: fmt.Sprintf("%08x", 0x5a17c0de+i), Bytes: b.Identity.Bytes, Common: recordDigest},
		}})
	}
	record := &protocol.Record{WantRecord: protocol.WantRecord{Common: recordDigest}, Body: []byte(recordBody)}
	if err := x.HostRecord(t.Context(), x.Session, record); err != nil {
		t.Fatal(err)
	}
}

// recordBody is what all sticks are compared with, and recordDigest its SHA-256.
const (
	recordBody   = `{"format":1,"chunks":""}`
	recordDigest = "85744bcb764b56ec3199b3aadb899de25507f62152fbe942242a333e257615ea"
)

// Compare runs a check of the sticks of a job: the first is intact, of the
// second Windows has run.
func (x *Scene) Compare(t testing.TB, of api.Job) api.Job {
	t.Helper()
	in := api.QueueJobInput{Kind: protocol.JobVerify, Host: of.HostID}
	for _, b := range of.Builds {
		in.Devices = append(in.Devices, api.QueueDevice{Identity: b.Identity})
	}
	j, err := x.QueueJob(t.Context(), x.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	p := x.Claim(t, j)
	for i, b := range j.Builds {
		check := &protocol.CheckResult{StickID: b.StickID, DiskID: fmt.Sprintf("%08x", 0x5a17c0de+i), Outcome: protocol.OutcomeIntact}
		if i > 0 {
			check.Outcome, check.Evidence = protocol.OutcomeUsed, []string{protocol.EvidenceRegistry, protocol.EvidenceGrown}
			check.Replaced = []string{"efi/microsoft/boot/bootmgfw.efi"}
		}
		for _, s := range protocol.JobVerify.Steps() {
			p.Report(t, b, protocol.Event{Type: protocol.EventStepBegun, Step: s})
			p.Report(t, b, protocol.Event{Type: protocol.EventStepDone, Step: s})
		}
		p.Report(t, b, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{
			BytesVerified: 9_912_582_144, VerifyMS: 52_300, DiskID: check.DiskID, Check: check,
		}})
	}
	if j, err = x.GetJob(t.Context(), x.Viewer, j.ID); err != nil {
		t.Fatal(err)
	}
	return j
}

// wipe has a stick erased in the way that cheap sticks need.
func (x *Scene) wipe(t testing.TB, d protocol.Device) api.Job {
	t.Helper()
	in := apitest.Order("", "bench-1", d)
	in.Kind, in.ExternalRef = protocol.JobWipe, api.Ticket("INC-1039")
	j, err := x.QueueJob(t.Context(), x.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	p, b := x.Claim(t, j), j.Builds[0]
	for _, s := range protocol.JobWipe.Steps() {
		p.Report(t, b, protocol.Event{Type: protocol.EventStepBegun, Step: s})
		if s == protocol.StepErase {
			p.Report(t, b, protocol.Event{Type: protocol.EventTouched})
			p.Report(t, b, protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "warn", Code: "wipe_discard_unsupported"}})
		}
		p.Report(t, b, protocol.Event{Type: protocol.EventStepDone, Step: s})
	}
	p.Report(t, b, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{
		BytesWritten: 2*d.Bytes + 4<<20, BytesVerified: d.Bytes, WriteMS: 1_240_000, VerifyMS: 163_000,
		Wipe: &protocol.WipeResult{
			Asked: protocol.WipeAuto, Method: protocol.WipeOverwrite, Passes: 2, Fallback: protocol.DiscardUnsupported, Bytes: d.Bytes,
		},
	}})
	if j, err = x.GetJob(t.Context(), x.Viewer, j.ID); err != nil {
		t.Fatal(err)
	}
	return j
}

// begin brings a job into the middle of writing.
func (x *Scene) begin(t testing.TB, j api.Job) {
	t.Helper()
	p := x.Claim(t, j)
	var at []protocol.AttemptProgress
	for i, b := range j.Builds {
		p.Steps(t, b, protocol.StepWrite)
		at = append(at, protocol.AttemptProgress{
			AttemptRef: protocol.AttemptRef{BuildID: b.ID, Attempt: 1}, Step: protocol.StepWrite,
			Done: 6_120_000_000 + int64(i)*410_000_000, Total: 9_912_582_144, Rate: 121_800_000 - int64(i)*17_000_000,
		})
	}
	checks := []protocol.Check{
		protocol.NewCheck(protocol.CheckIdentity, protocol.VerdictOK, "path", "/dev/sdf", "port", "1-2.5"),
		protocol.NewCheck(protocol.CheckSpeed, protocol.VerdictWarn, "mbps", 480, "max_mbps", 5000),
		protocol.NewCheck(protocol.CheckTransport, protocol.VerdictOK, "uasp", "true"),
		protocol.NewCheck(protocol.CheckRemovable, protocol.VerdictOK, "removable", "false"),
		protocol.NewCheck(protocol.CheckSectors, protocol.VerdictOK, "sector_size", 512),
		protocol.NewCheck(protocol.CheckCapacity, protocol.VerdictOK, "device_bytes", j.Builds[0].Identity.Bytes, "marks", 67),
		protocol.NewCheck(protocol.CheckRandomIO, protocol.VerdictOK, "write_iops", 812, "read_iops", 2304, "need", 300),
		protocol.NewCheck(protocol.CheckWriteRate, protocol.VerdictOverridden, "write_rate", 17_400_000, "need_rate", 20_000_000, "sample_bytes", 64<<20),
	}
	p.Report(t, j.Builds[0], protocol.Event{Type: protocol.EventPreflight, Preflight: &protocol.Preflight{Checks: checks}})
	p.Report(t, j.Builds[0], protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{
		Level: "info", Code: "unmounted", Params: map[string]string{"mount": "/media/ada/UNTITLED"},
	}})
	if err := x.HostProgress(t.Context(), x.Session, &protocol.Progress{Attempts: at}); err != nil {
		t.Fatal(err)
	}
}

// Reconnect begins a new session of the host, whose agent can do more now.
func (x *Scene) Reconnect(t testing.TB, capabilities ...string) {
	t.Helper()
	hello := x.agent.Hello()
	hello.Capabilities = append(hello.Capabilities, capabilities...)
	var err error
	if x.Session, err = x.HostConnected(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
}

// Press queues a job for the two free sticks and begins it.
func (x *Scene) Press(t testing.TB) (api.Job, *Press) {
	t.Helper()
	j := x.queue(t, "", "", x.Free...)
	return j, x.Claim(t, j)
}

// Fail ends a build.
func (p *Press) Fail(t testing.TB, b api.Build) {
	t.Helper()
	p.Report(t, b, protocol.Event{Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultDeviceGone, "port", b.Identity.Port)})
}

// LastSeq is the number of the newest event of a job.
func (x *Scene) LastSeq(t testing.TB, j api.Job) int64 {
	t.Helper()
	now, err := x.GetJob(t.Context(), x.Viewer, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	return now.LastSeq
}

// Replug is a stick that was pulled and plugged in again.
func (x *Scene) Replug(t testing.TB, port string) {
	t.Helper()
	devices := bench()
	for i := range devices {
		if devices[i].Port == port {
			devices[i].Connection++
		}
	}
	if err := x.HostInventory(t.Context(), x.Session, &protocol.Inventory{Devices: devices}); err != nil {
		t.Fatal(err)
	}
}
