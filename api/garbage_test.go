package api_test

import (
	"bytes"
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store/blob"
)

// aged makes a file of the store look as if it had come in days ago.
func aged(t *testing.T, f *apitest.Fixture, digest string) {
	t.Helper()
	r, err := f.Blobs.Open(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	old := time.Now().Add(-72 * time.Hour)
	if err := os.Chtimes(r.(interface{ Name() string }).Name(), old, old); err != nil {
		t.Fatal(err)
	}
}

// another is an image file of other bytes than apitest.WIM.
func another(t *testing.T, n byte) []byte { return append(bytes.Clone(apitest.WIM(t)), n) }

// Nothing goes that a version is made of, that came in lately, or that nobody
// asked to be removed; what goes is in the audit log.
func TestGarbage(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	used := f.Publish(t, "win11-ent", "1.0.0").SHA256
	old := must[api.Upload](t)(f.Upload(t, "old.wim", another(t, 1)))
	fresh := must[api.Upload](t)(f.Upload(t, "fresh.wim", another(t, 2)))
	w, err := f.Blobs.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("nobody knows")); err != nil {
		t.Fatal(err)
	}
	lost := must[protocol.BlobRecord](t)(w.Commit(t.Context()))
	// It was looked into in the background, and waits to be published.
	slow := must[api.Upload](t)(f.Upload(t, "disk.zst", apitest.DiskImage(t, "zstd -q -o out disk")))
	for _, digest := range []string{used, old.SHA256, lost.SHA256, slow.SHA256} {
		aged(t, f, digest)
	}
	want := map[string]string{
		old.SHA256: api.GarbageUnpublished, lost.SHA256: api.GarbageUnknown, slow.SHA256: api.GarbageUnpublished,
	}
	for _, remove := range []bool{false, true} {
		list := must[[]api.Garbage](t)(f.CollectGarbage(t.Context(), f.Admin, api.CollectGarbageInput{Grace: api.GarbageGrace, Delete: remove}))
		got := map[string]string{}
		for _, g := range list {
			got[g.SHA256] = g.Reason
		}
		if len(got) != len(want) || len(list) != len(want) || got[old.SHA256] != want[old.SHA256] || got[lost.SHA256] != want[lost.SHA256] || got[slow.SHA256] != want[slow.SHA256] {
			t.Errorf("with %v: %+v, want %v", remove, list, want)
		}
	}
	var left []string
	for info, err := range f.Blobs.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, info.Digest)
	}
	if len(left) != 2 || !slices.Contains(left, used) || !slices.Contains(left, fresh.SHA256) {
		t.Errorf("left are %v", left)
	}
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{Action: "collect_garbage"}, api.Page{}))
	if len(audit.Items) != 3 || audit.Items[0].ObjectKind != "blob" || audit.Items[0].Before == nil {
		t.Errorf("audit %+v", audit.Items)
	}
	if list := must[[]api.Inspection](t)(f.OpenInspections(t.Context(), f.Admin)); len(list) != 0 {
		t.Errorf("still offered: %+v", list)
	}
	_, err = f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{SHA256: old.SHA256, Image: "win11-ent", Version: "1.0.1"})
	wantFault(t, err, "blob_not_found")
	_, err = f.CollectGarbage(t.Context(), f.Admin, api.CollectGarbageInput{Grace: time.Hour})
	wantFault(t, err, api.CodeGarbageGrace)
	// The same bytes may come again.
	again := must[api.Upload](t)(f.Upload(t, "again.wim", another(t, 1)))
	must[api.Version](t)(f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{UploadID: again.ID, Image: "win11-ent", Version: "1.0.1"}))
}

// collecting is a store that does something when a file is about to go.
type collecting struct {
	blob.Store
	first func()
}

func (c collecting) Collect(ctx context.Context, digest string, before time.Time) (bool, error) {
	c.first()
	return c.Store.Collect(ctx, digest, before)
}

// A version that is published in the moment in which its file goes is either
// whole or not there.
func TestGarbageBesideAPublication(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	u := must[api.Upload](t)(f.Upload(t, "old.wim", another(t, 1)))
	aged(t, f, u.SHA256)
	published := make(chan error, 1)
	publish := func() {
		_, err := f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{SHA256: u.SHA256, Image: "win11-ent", Version: "1.0.0"})
		published <- err
	}
	c, _ := f.Replica(t, func(d *api.Deps) { d.Blobs = collecting{f.Blobs, func() { go publish() }} })
	list := must[[]api.Garbage](t)(c.CollectGarbage(t.Context(), f.Admin, api.CollectGarbageInput{Grace: api.GarbageGrace, Delete: true}))
	err := <-published
	if (err == nil) == (len(list) == 1) {
		t.Errorf("removed %+v, published: %v", list, err)
	}
	if _, here := f.Blobs.Record(t.Context(), u.SHA256); (here == nil) != (err == nil) {
		t.Errorf("published: %v, the file: %v", err, here)
	}
}
