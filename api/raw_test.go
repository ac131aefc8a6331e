package api_test

import (
	"bytes"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

const diskBytes = apitest.DiskBytes

// publish makes a version of the bytes.
func publish(t *testing.T, f *apitest.Fixture, image string, raw []byte) api.Version {
	t.Helper()
	u := must[api.Upload](t)(f.Upload(t, image, raw))
	return must[api.Version](t)(f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{
		UploadID: u.ID, Image: image, Version: "1.0.0", Channel: api.DefaultChannel,
	}))
}

func raw(image string, devices ...protocol.Device) api.QueueJobInput {
	in := apitest.Order(image, "bench", devices...)
	in.Kind, in.TaskSequence, in.Variables = protocol.JobRaw, "", nil
	return in
}

func TestRawJob(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	v := publish(t, f, "rescue", apitest.DiskImage(t, "zstd -q -o out disk"))
	want := api.Disk{Bytes: diskBytes, Compression: "zst", SectorSize: 512, Table: "mbr", DiskID: "cafe1234", Starts: true}
	if v.Format != "raw" || v.Disk == nil || *v.Disk != want || len(v.Editions) != 0 || v.BlockMap != nil {
		t.Fatalf("version %+v, disk %+v", v, v.Disk)
	}
	// The same bytes, found in the store.
	again := must[api.Version](t)(f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{SHA256: v.SHA256, Image: "rescue", Version: "1.0.1"}))
	if again.Disk == nil || *again.Disk != want {
		t.Errorf("published by its digest: %+v", again.Disk)
	}

	tiny, small, wide := apitest.Stick("tiny"), apitest.Stick("small"), apitest.Stick("wide")
	tiny.Bytes = diskBytes - 512
	small.Bytes = diskBytes
	small.Refusals = []*protocol.Fault{protocol.NewFault(protocol.FaultTooSmall, "have_bytes", small.Bytes)}
	wide.SectorSize = 4096
	_, s := f.Connect(t, "bench", tiny, small, wide)

	_, err := f.QueueJob(t.Context(), f.Helpdesk, raw("rescue", tiny))
	if p := faultOf(t, err, api.CodeDeviceTooSmall).Params; p["missing_bytes"] != "512" || p["port"] != "tiny" {
		t.Errorf("%v", p)
	}
	_, err = f.QueueJob(t.Context(), f.Helpdesk, raw("rescue", wide))
	wantFault(t, err, api.CodeImageSector)
	_, err = f.QueueJob(t.Context(), f.Helpdesk, raw("win11-ent", small))
	wantFault(t, err, api.CodeNoDiskImage)
	_, err = f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("rescue", "bench", apitest.Stick("wide")))
	wantFault(t, err, api.CodeFormatRefused)

	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, raw("rescue", small)))
	if job.Kind != protocol.JobRaw || job.Layout != "" || job.Edition != 0 {
		t.Errorf("job %+v", job)
	}
	a := must[api.HostWork](t)(f.HostClaim(t.Context(), s)).Assigns[0]
	if a.Kind != protocol.JobRaw || a.Image.SHA256 != v.SHA256 || a.Image.Disk == nil || a.Image.Disk.Bytes != diskBytes ||
		a.Image.Disk.Compression != "zst" || a.Image.Disk.Mapped != nil || a.Ticket == "" || a.Builds[0].AnswerFile != "" {
		t.Errorf("assignment %+v", a)
	}
}

func TestBlockMap(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	image := publish(t, f, "rescue", apitest.DiskImage(t, "xz -0 -c disk >out"))
	body := apitest.DiskImage(t, "bmaptool -q create disk -o out")
	set := func(v api.Version, body []byte, trusted bool) (api.Version, error) {
		return f.SetBlockMap(t.Context(), f.Admin, api.SetBlockMapInput{Version: v.ID, Body: body, Trusted: trusted})
	}
	d := apitest.Stick("a.img")
	_, s := f.Connect(t, "bench", d)
	mapped := func() []protocol.Range {
		job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, raw("rescue", d)))
		a := must[api.HostWork](t)(f.HostClaim(t.Context(), s)).Assigns[0]
		ref := protocol.AttemptRef{BuildID: a.Builds[0].BuildID, Attempt: a.Builds[0].Attempt}
		must[api.HostWork](t)(f.HostEvents(t.Context(), s, []protocol.Event{{AttemptRef: ref, HostSeq: 1, Type: protocol.EventFailed, Fault: protocol.NewFault("cancelled")}}))
		_ = job
		return a.Image.Disk.Mapped
	}

	_, err := set(image, nil, true)
	wantFault(t, err, "block_map_not_found")
	_, err = set(image, []byte("<bmap/>"), true)
	wantFault(t, err, api.CodeBlockMapInvalid)
	_, err = set(image, apitest.DiskImage(t, "printf other | dd of=disk bs=1 seek=2000000 conv=notrunc status=none; bmaptool -q create disk -o out"), true)
	wantFault(t, err, api.CodeBlockMapMismatch)
	_, err = set(f.Publish(t, "win11-ent", "1.0.0"), body, true)
	wantFault(t, err, api.CodeNoDiskImage)

	// Attached and not trusted, everything is written.
	v := must[api.Version](t)(set(image, body, false))
	if v.BlockMap == nil || v.BlockMap.Trusted || v.BlockMap.MappedBytes < 1 || v.BlockMap.MappedBytes > diskBytes/2 || v.BlockMap.Ranges != 2 {
		t.Fatalf("block map %+v", v.BlockMap)
	}
	if m := mapped(); m != nil {
		t.Errorf("an untrusted map is used: %v", m)
	}
	v = must[api.Version](t)(set(image, nil, true))
	m := mapped()
	if !v.BlockMap.Trusted || len(m) != 2 || m[0].Offset != 0 || m[1].Offset > 2_000_000 || m[1].Offset+m[1].Length < 2_000_007 {
		t.Errorf("trusted: %+v, %v", v.BlockMap, m)
	}
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "image_version", ObjectID: v.ID}, api.Page{}))
	if n := len(audit.Items); n != 3 || audit.Items[0].Action != "set_block_map" || !bytes.Contains(audit.Items[0].After, []byte("true")) {
		t.Errorf("%d audit entries, %+v", n, audit.Items[0])
	}
}
