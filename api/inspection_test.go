package api_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store/blob"
)

// over asks until an inspection is not running any more.
func over(t *testing.T, f *apitest.Fixture, id string) api.Inspection {
	t.Helper()
	for {
		in, err := f.GetInspection(t.Context(), f.Admin, id)
		if err != nil {
			t.Fatal(err)
		}
		if in.State != api.InspectionRunning {
			return in
		}
	}
}

// What must be decoded to be judged is inspected after the upload, and may be
// published when that is over.
func TestInspection(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	raw := apitest.DiskImage(t, "zstd -q -o out disk")
	id := f.Stage(t, "rescue.img.zst", raw)
	u, err := f.UploadFinished(t.Context(), f.Admin, id)
	if err != nil || u.State != api.UploadInspecting || u.Bytes != int64(len(raw)) {
		t.Fatalf("%+v, %v", u, err)
	}
	if in := over(t, f, id); in.State != api.InspectionReady || in.DoneBytes != in.Bytes || in.BegunBy != "admin" {
		t.Errorf("%+v", in)
	}
	u, err = f.GetUpload(t.Context(), f.Admin, id)
	if err != nil || u.State != api.UploadReady || u.Disk == nil || u.Disk.Compression != "zst" || u.SHA256 == "" {
		t.Fatalf("%+v, %v", u, err)
	}
	v, err := f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{UploadID: id, Image: "rescue", Version: "1.0.0"})
	if err != nil || v.FileName != "rescue.img.zst" {
		t.Fatalf("%+v, %v", v, err)
	}
	if in, err := f.GetInspection(t.Context(), f.Admin, id); err != nil || in.State != api.InspectionPublished || in.VersionID != v.ID {
		t.Errorf("of a file that was published later: %+v, %v", in, err)
	}
	// Its content is known from now on, by its digest.
	if _, err := f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{SHA256: u.SHA256, Image: "rescue", Version: "1.0.1"}); err != nil {
		t.Error(err)
	}
	if _, err := f.GetInspection(t.Context(), f.Helpdesk, id); !errors.Is(err, fault.New(fault.KindForbidden, api.CodeForbidden)) {
		t.Errorf("helpdesk: %v", err)
	}
}

// A WIM in which much is packed is unpacked after its upload, and one that is
// damaged is no version: with the reason, and nothing of it is kept. A small one
// is refused at once.
func TestInspectionOfContent(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	id := f.Stage(t, "install.wim", apitest.LongWIM(t))
	u, err := f.UploadFinished(t.Context(), f.Admin, id)
	if err != nil || u.State != api.UploadInspecting {
		t.Fatalf("%+v, %v", u, err)
	}
	if in := over(t, f, id); in.State != api.InspectionReady || in.DoneBytes != in.Bytes {
		t.Errorf("%+v", in)
	}
	for name, raw := range map[string][]byte{"long": apitest.LongWIM(t), "short": apitest.WIM(t)} {
		raw = bytes.Clone(raw)
		copy(raw[50_000:], "####")
		id := f.Stage(t, name+".wim", raw)
		u, err := f.UploadFinished(t.Context(), f.Admin, id)
		if name == "long" && err == nil && u.State == api.UploadInspecting {
			in := over(t, f, id)
			if err = in.Fault; in.State != api.InspectionRefused {
				t.Errorf("%+v", in)
			}
		}
		if !errors.Is(err, fault.New(fault.KindInvalid, "image_damaged")) {
			t.Errorf("%s: %v", name, err)
		}
		gone(t, f, id) // the verdict comes first
	}
}

// gone waits until an upload is not kept any more.
func gone(t *testing.T, f *apitest.Fixture, id string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(2 * time.Minute); ; <-tick.C {
		if _, err := f.Staging.Finished(id); err != nil {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("the upload %s is kept", id)
		}
	}
}

// Without wimlib a WIM is neither taken nor thrown away: it is looked at when it
// is asked for again.
func TestInspectionWithoutTool(t *testing.T) {
	f := apitest.New(t)
	raw := apitest.WIM(t)
	id := f.Stage(t, "install.wim", raw)
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	if _, err := f.UploadFinished(t.Context(), f.Admin, id); !errors.Is(err, fault.New(fault.KindUnavailable, "image_tool_missing")) {
		t.Errorf("without the tool: %v", err)
	}
	t.Setenv("PATH", path)
	if u, err := f.UploadFinished(t.Context(), f.Admin, id); err != nil || u.State != api.UploadReady {
		t.Errorf("with it: %+v, %v", u, err)
	}
}

// Who asks for a version before its file was inspected gets it afterwards, or
// hears why not.
func TestPublishWhenInspected(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	c := f.Asleep(t)
	raw := apitest.DiskImage(t, "zstd -q -o out disk")
	want := func(number string) api.PublishVersionInput {
		id := c.Stage(t, "rescue.img.zst", raw)
		if _, err := c.UploadFinished(t.Context(), f.Admin, id); err != nil {
			t.Fatal(err)
		}
		return api.PublishVersionInput{UploadID: id, Image: "rescue", Version: number, Channel: "stable"}
	}
	first, second, third := want("1.0.0"), want("1.0.0"), want("no number")
	if _, err := c.PublishVersion(t.Context(), f.Admin, first); !errors.Is(err, fault.New(fault.KindConflict, api.CodeUploadInspecting)) {
		t.Errorf("published at once: %v", err)
	}
	for _, in := range []api.PublishVersionInput{first, second} {
		if waits, err := c.PublishWhenInspected(t.Context(), f.Admin, in); err != nil || waits.State != api.InspectionRunning || waits.Version != "1.0.0" {
			t.Errorf("%+v, %v", waits, err)
		}
	}
	if _, err := c.PublishWhenInspected(t.Context(), f.Admin, third); !errors.Is(err, fault.New(fault.KindInvalid, api.CodeVersionInvalid)) {
		t.Errorf("no number: %v", err)
	}
	if list, err := c.OpenInspections(t.Context(), f.Admin); err != nil || len(list) != 3 {
		t.Errorf("%d inspections, %v", len(list), err)
	}
	f.Replica(t, func(d *api.Deps) { d.Staging = c.Staging })
	a, b := over(t, f, first.UploadID), over(t, f, second.UploadID)
	for a.State == api.InspectionReady && a.Fault == nil || b.State == api.InspectionReady && b.Fault == nil {
		a, b = over(t, f, first.UploadID), over(t, f, second.UploadID)
	}
	if b.State == api.InspectionPublished {
		a, b = b, a
	}
	if a.State != api.InspectionPublished || a.VersionID == "" {
		t.Errorf("%+v", a)
	}
	if b.State != api.InspectionReady || b.Fault == nil || b.Fault.Code != "version_exists" || b.Version != "1.0.0" {
		t.Errorf("%+v", b)
	}
	again := api.PublishVersionInput{UploadID: b.UploadID, Image: "rescue", Version: "1.1.0"}
	if v, err := f.PublishVersion(t.Context(), f.Admin, again); err != nil || v.PublishedBy != "admin" {
		t.Errorf("under another number: %+v, %v", v, err)
	}
	again.UploadID = a.UploadID
	again.Version = "1.2.0"
	if _, err := c.PublishWhenInspected(t.Context(), f.Admin, again); !errors.Is(err, fault.New(fault.KindConflict, api.CodeUploadPublished)) {
		t.Errorf("a second time: %v", err)
	}
	if v, err := f.GetVersion(t.Context(), f.Admin, a.VersionID); err != nil || v.Version != "1.0.0" || v.PublishedBy != "admin" {
		t.Errorf("%+v, %v", v, err)
	}
}

// A file that turns out to be none is refused afterwards, with the reason, and
// nothing of it stays.
func TestInspectionRefuses(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	raw := apitest.DiskImage(t, "zstd -q -o out disk")
	raw[len(raw)-1] ^= 1 // its checksum
	_, err := f.Upload(t, "rescue.img.zst", raw)
	if !errors.Is(err, fault.New(fault.KindInvalid, "image_corrupt")) {
		t.Fatalf("%v", err)
	}
	list, err := f.OpenInspections(t.Context(), f.Admin)
	if err != nil || len(list) != 1 || list[0].State != api.InspectionRefused || list[0].Fault.Code != "image_corrupt" {
		t.Fatalf("%+v, %v", list, err)
	}
	_, err = f.PublishWhenInspected(t.Context(), f.Admin, api.PublishVersionInput{UploadID: list[0].UploadID, Image: "rescue", Version: "1.0.0"})
	if !errors.Is(err, fault.New(fault.KindInvalid, "image_corrupt")) {
		t.Errorf("%v", err)
	}
	if u, err := f.Blobs.Usage(t.Context()); err != nil || u.Blobs != 0 {
		t.Errorf("%+v, %v", u, err)
	}
	// What its structure tells is told at once.
	id := f.Stage(t, "rescue.img.zst", raw[:len(raw)/2])
	if _, err := f.UploadFinished(t.Context(), f.Admin, id); !errors.Is(err, fault.New(fault.KindInvalid, "image_truncated")) {
		t.Errorf("%v", err)
	}
}

// A server that dies in the middle goes on after its next start.
func TestInspectionSurvives(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	c := f.Asleep(t)
	id := c.Stage(t, "rescue.img.zst", apitest.DiskImage(t, "zstd -q -o out disk"))
	if _, err := c.UploadFinished(t.Context(), f.Admin, id); err != nil {
		t.Fatal(err)
	}
	// As River leaves it.
	tag, err := f.Store.Pool().Exec(t.Context(),
		`UPDATE river.river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{dead}' WHERE args ->> 'upload_id' = $1`, id)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("%v, %v", tag, err)
	}
	f.Replica(t, func(d *api.Deps) { d.Staging = c.Staging })
	if in := over(t, f, id); in.State != api.InspectionReady {
		t.Errorf("%+v", in)
	}
}

// An upload that is given up is inspected no further.
func TestInspectionGivenUp(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	c := f.Asleep(t)
	id := c.Stage(t, "rescue.img.zst", apitest.DiskImage(t, "zstd -q -o out disk"))
	if _, err := c.UploadFinished(t.Context(), f.Admin, id); err != nil {
		t.Fatal(err)
	}
	if err := c.UploadEnded(t.Context(), f.Admin, id); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetInspection(t.Context(), f.Admin, id); !errors.Is(err, fault.New(fault.KindNotFound, "inspection_not_found")) {
		t.Errorf("%v", err)
	}
	if _, err := c.Staging.Finished(id); !errors.Is(err, fault.New(fault.KindNotFound, "upload_not_found")) {
		t.Errorf("%v", err)
	}
}

// observed is a store that looks around while bytes move into it.
type observed struct {
	blob.Store
	look func()
}

func (o observed) Adopt(ctx context.Context, path string, rec protocol.BlobRecord) error {
	o.look()
	return o.Store.Adopt(ctx, path, rec)
}

// Nobody gives an upload up in the moment in which its bytes move into the store:
// they would stay there for ever.
func TestInspectionGivenUpAtItsEnd(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	c := f.Asleep(t)
	id := c.Stage(t, "rescue.img.zst", apitest.DiskImage(t, "zstd -q -o out disk"))
	if _, err := c.UploadFinished(t.Context(), f.Admin, id); err != nil {
		t.Fatal(err)
	}
	free := make(chan error, 1)
	f.Replica(t, func(d *api.Deps) {
		d.Staging = c.Staging
		d.Blobs = observed{f.Blobs, func() {
			_, err := f.Store.Pool().Exec(t.Context(), `SELECT FROM inspections WHERE upload_id = $1 FOR UPDATE NOWAIT`, id)
			free <- err
		}}
	})
	if in := over(t, f, id); in.State != api.InspectionReady {
		t.Errorf("%+v", in)
	}
	var held *pgconn.PgError
	if err := <-free; !errors.As(err, &held) || held.Code != "55P03" { // lock_not_available
		t.Errorf("the upload may be given up while its bytes move: %v", err)
	}
	if err := c.UploadEnded(t.Context(), f.Admin, id); err != nil {
		t.Error(err)
	}
	if in := over(t, f, id); in.State != api.InspectionReady {
		t.Errorf("given up when it was ready: %+v", in)
	}
}
