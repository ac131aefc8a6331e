package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Who publishes what is still being inspected gets work: where it goes on, and
// there the version, or why there is none.
func TestPublishWhileInspecting(t *testing.T) {
	t.Parallel()
	s := resttest.On(t, apitest.New(t).Asleep(t))
	raw := apitest.DiskImage(t, "zstd -q -o out disk")
	broken := append([]byte{}, raw...)
	broken[len(broken)-1] ^= 1 // its checksum
	publish := func(raw []byte, number string) string {
		t.Helper()
		id := s.Stage(t, "rescue.img.zst", raw)
		q := keyed(post(s, admin, "/versions", wire.PublishVersion{UploadID: id, Image: "rescue", Version: number, Channel: "stable"}), id)
		for _, replayed := range []string{"", "true"} {
			a := send(t, s, q)
			u := decode[api.Upload](t, a, http.StatusAccepted)
			if at := a.header.Get("Location"); at != rest.UploadPath+id || a.header.Get("Retry-After") == "" || a.header.Get("ETag") != "" {
				t.Errorf("Location %q, Retry-After %q, ETag %q", at, a.header.Get("Retry-After"), a.header.Get("ETag"))
			}
			if got := a.header.Get("Idempotent-Replayed"); got != replayed {
				t.Errorf("Idempotent-Replayed is %q, want %q", got, replayed)
			}
			if u.State != api.UploadInspecting || u.Publication == nil || u.Publication.Version != number || u.Publication.VersionID != "" {
				t.Errorf("upload is %+v, to be %+v", u, u.Publication)
			}
		}
		return strings.TrimPrefix(rest.UploadPath, rest.Prefix) + id
	}
	good, second, bad := publish(raw, "1.0.0"), publish(raw, "1.0.0"), publish(broken, "2.0.0")
	s.Replica(t, func(d *api.Deps) { d.Staging = s.Staging })

	over := func(path string) *api.Publication {
		t.Helper()
		for {
			p := decode[api.Upload](t, send(t, s, get(s, admin, path)), http.StatusOK).Publication
			if p == nil || p.VersionID != "" || p.Fault != nil {
				return p
			}
		}
	}
	a, b := over(good), over(second)
	if b.VersionID != "" {
		a, b = b, a
	}
	v := decode[api.Version](t, send(t, s, get(s, viewer, "/versions/"+a.VersionID)), http.StatusOK)
	if v.Version != "1.0.0" || v.ImageName != "rescue" || len(v.Channels) != 1 {
		t.Errorf("version is %+v", v)
	}
	if b.Fault == nil || b.Fault.Code != "version_exists" {
		t.Errorf("the second one became %+v", b)
	}
	for {
		a := send(t, s, get(s, admin, bad))
		if a.status == http.StatusOK {
			continue
		}
		wantProblem(t, a, http.StatusUnprocessableEntity, "image_corrupt")
		break
	}
}
