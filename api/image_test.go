package api_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store/blob"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	raw := apitest.WIM(t)
	_, err := f.UploadBegun(t.Context(), f.Admin, api.UploadBegunInput{FileName: "x.wim", Bytes: 0})
	wantFault(t, err, api.CodeUploadEmpty)
	_, err = f.UploadBegun(t.Context(), f.Admin, api.UploadBegunInput{FileName: "x.wim", Bytes: 1 << 50})
	wantFault(t, err, api.CodeUploadTooLarge)

	for code, bad := range map[fault.Code][]byte{"image_not_readable": []byte("no image at all"), "image_truncated": raw[:len(raw)-100]} {
		_, err := f.Upload(t, "bad.wim", bad)
		wantFault(t, err, code)
	}
	usage, err := f.Blobs.Usage(t.Context())
	if err != nil || usage.Blobs != 0 {
		t.Errorf("%d blobs (%v) after refusals, want none", usage.Blobs, err)
	}

	u := must[api.Upload](t)(f.Upload(t, "install.wim", raw))
	if u.State != api.UploadReady || u.Format != "wim" || len(u.Editions) != 3 || u.Editions[0].Architecture != "x86_64" || u.FileName != "install.wim" {
		t.Errorf("upload is %+v", u)
	}
	again := must[api.Upload](t)(f.UploadFinished(t.Context(), f.Admin, u.ID))
	known := must[api.Upload](t)(f.GetUpload(t.Context(), f.Admin, u.ID))
	if again.SHA256 != u.SHA256 || known.SHA256 != u.SHA256 || known.State != api.UploadReady {
		t.Errorf("asked again: %+v and %+v", again, known)
	}
	_, err = f.GetUpload(t.Context(), f.Admin, "nope")
	wantFault(t, err, "upload_not_found")
	_, err = f.UploadFinished(t.Context(), f.Admin, "nope")
	wantFault(t, err, "upload_not_found")
}

// An inspection that was interrupted costs no upload.
func TestUploadInterrupted(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	whole := must[blob.Finished](t)(f.Staging.Receive(t.Context(), map[string]string{"filename": "install.wim"}, bytes.NewReader(apitest.WIM(t))))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.UploadFinished(ended, f.Admin, whole.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if u := must[api.Upload](t)(f.UploadFinished(t.Context(), f.Admin, whole.ID)); u.State != api.UploadReady {
		t.Errorf("upload is %+v", u)
	}
}

func TestVersionsAndChannels(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	one := f.Publish(t, "win11-ent", "1.0.0")
	if one.ImageName != "win11-ent" || len(one.Channels) != 1 || one.PublishedBy != "admin" || one.FileName != "win11-ent.wim" {
		t.Errorf("version is %+v", one)
	}
	publish := func(image, version string) (api.Version, error) {
		return f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{SHA256: one.SHA256, Image: image, Version: version})
	}
	_, err := publish("win11-ent", "1.0.0")
	wantFault(t, err, "version_exists")
	_, err = publish("win11-ent", "v1.0")
	wantFault(t, err, api.CodeVersionInvalid)
	_, err = publish("Win 11", "1.0.0")
	wantFault(t, err, "name_invalid")
	_, err = f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{SHA256: "00", Image: "win11-ent", Version: "2.0.0"})
	wantFault(t, err, "blob_not_found")
	_, err = f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{UploadID: "x", Image: "win11-ent", Version: "2.0.0"})
	wantFault(t, err, "upload_not_found")
	two := must[api.Version](t)(publish("win11-ent", "1.1.0-rc.1"))
	if len(two.Editions) != 3 {
		t.Errorf("a version by digest has editions %+v", two.Editions)
	}

	set := api.SetChannelInput{Image: "win11-ent", Channel: "stable", Version: "1.1.0-rc.1"}
	set.Revision = 7
	_, err = f.SetChannel(t.Context(), f.Admin, set)
	wantFault(t, err, "stale")
	set.Revision = 1
	ch := must[api.Channel](t)(f.SetChannel(t.Context(), f.Admin, set))
	if ch.Version != "1.1.0-rc.1" || ch.Revision != 2 {
		t.Errorf("channel is %+v", ch)
	}
	found := must[api.Version](t)(f.FindVersion(t.Context(), f.Viewer, "win11-ent", "", ""))
	if found.ID != two.ID {
		t.Errorf("stable is %s, want %s", found.Version, two.Version)
	}
	_, err = f.WithdrawVersion(t.Context(), f.Admin, api.WithdrawVersionInput{ID: two.ID})
	wantFault(t, err, api.CodeVersionInChannel)
	state := func(v api.Version, want string) api.Version {
		t.Helper()
		if v = must[api.Version](t)(f.GetVersion(t.Context(), f.Viewer, v.ID)); v.State != want {
			t.Errorf("version %s is %s, want %s", v.Version, v.State, want)
		}
		return v
	}
	state(one, "superseded")
	state(two, "published")
	set.Version, set.Revision = one.ID, 0
	must[api.Channel](t)(f.SetChannel(t.Context(), f.Admin, set)) // and back
	state(one, "published")
	state(two, "superseded")
	set.Channel = "testing"
	must[api.Channel](t)(f.SetChannel(t.Context(), f.Admin, set))
	set.Version = two.ID
	must[api.Channel](t)(f.SetChannel(t.Context(), f.Admin, set))
	state(one, "published") // by stable
	set.Channel = "stable"
	must[api.Channel](t)(f.SetChannel(t.Context(), f.Admin, set))
	one = state(one, "superseded")
	gone := must[api.Version](t)(f.WithdrawVersion(t.Context(), f.Admin, api.WithdrawVersionInput{ID: one.ID, Revision: one.Revision}))
	if gone.State != "withdrawn" {
		t.Errorf("state is %s", gone.State)
	}
	_, err = f.SetChannel(t.Context(), f.Admin, api.SetChannelInput{Image: "win11-ent", Channel: "testing", Version: one.ID})
	wantFault(t, err, "version_withdrawn")

	must[api.Image](t)(f.CreateImage(t.Context(), f.Admin, api.CreateImageInput{Name: "a-first"}))
	_, err = f.CreateImage(t.Context(), f.Admin, api.CreateImageInput{Name: "a-first"})
	wantFault(t, err, "name_taken")
	p1 := must[api.List[api.Image]](t)(f.ListImages(t.Context(), f.Viewer, api.ImageFilter{}, api.Page{Limit: 1}))
	p2 := must[api.List[api.Image]](t)(f.ListImages(t.Context(), f.Viewer, api.ImageFilter{}, api.Page{Limit: 1, After: p1.Next}))
	if p1.Items[0].Name != "a-first" || p1.Items[0].Latest != nil || p2.Items[0].Name != "win11-ent" || p2.Next != "" {
		t.Errorf("pages are %+v and %+v", p1, p2)
	}
	if l := p2.Items[0].Latest; l == nil || l.ID != two.ID || len(p2.Items[0].Channels) != 2 {
		t.Errorf("image is %+v", p2.Items[0])
	}
	v1 := must[api.List[api.Version]](t)(f.ListVersions(t.Context(), f.Viewer, api.VersionFilter{Image: "win11-ent"}, api.Page{Limit: 1}))
	v2 := must[api.List[api.Version]](t)(f.ListVersions(t.Context(), f.Viewer, api.VersionFilter{Image: "win11-ent"}, api.Page{Limit: 1, After: v1.Next}))
	if v1.Items[0].ID != two.ID || v2.Items[0].ID != one.ID || v2.Next != "" {
		t.Errorf("version pages are %+v and %+v", v1, v2)
	}
	_, err = f.ListVersions(t.Context(), f.Viewer, api.VersionFilter{Image: "win11-ent"}, api.Page{After: "zzz"})
	wantFault(t, err, api.CodeCursorInvalid)
}

// What can be pressed of several images is found at once, without what was withdrawn.
func TestNewestVersions(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	first, second := f.Publish(t, "a", "1.0.0"), f.Publish(t, "a", "1.1.0")
	other := f.Publish(t, "b", "1.0.0")
	f.Publish(t, "c", "1.0.0")
	gone := must[api.Version](t)(f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{SHA256: first.SHA256, Image: "a", Version: "1.2.0"}))
	must[api.Version](t)(f.WithdrawVersion(t.Context(), f.Admin, api.WithdrawVersionInput{ID: gone.ID}))
	var got []string
	for _, v := range must[[]api.Version](t)(f.NewestVersions(t.Context(), f.Viewer, []string{first.ImageID, other.ImageID})) {
		got = append(got, v.ID)
	}
	slices.Sort(got)
	want := []string{first.ID, second.ID, other.ID}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("found are %v, want %v", got, want)
	}
}
