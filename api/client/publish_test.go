package client_test

import (
	"net/http"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest/resttest"
)

// What is still being inspected is waited for, and refused if it is no image, or
// when somebody else had the number in the meantime.
func TestPublishWaits(t *testing.T) {
	t.Parallel()
	s := resttest.On(t, apitest.New(t).Asleep(t))
	c := as(t, s, api.RoleAdmin)
	raw := apitest.DiskImage(t, "zstd -q -o out disk")
	broken := append([]byte{}, raw...)
	broken[len(broken)-1] ^= 1 // its checksum
	type outcome struct {
		v   api.Version
		err error
	}
	publish := func(raw []byte, number string) chan outcome {
		ended := make(chan outcome)
		in := api.PublishVersionInput{UploadID: s.Stage(t, "rescue.img.zst", raw), Image: "rescue", Version: number}
		go func() {
			v, err := c.PublishVersion(t.Context(), in)
			ended <- outcome{v, err}
		}()
		return ended
	}
	first, second, bad := publish(raw, "1.0.0"), publish(raw, "1.0.0"), publish(broken, "2.0.0")
	waiting := func() (n int) {
		for _, in := range must[[]api.Inspection](t)(s.OpenInspections(t.Context(), s.Admin)) {
			if in.Version != "" {
				n++
			}
		}
		return n
	}
	for waiting() < 3 {
	}
	s.Replica(t, func(d *api.Deps) { d.Staging = s.Staging })
	wantCode(t, (<-bad).err, http.StatusUnprocessableEntity, "image_corrupt")
	a, b := <-first, <-second
	if a.err != nil {
		a, b = b, a
	}
	if a.err != nil || a.v.ImageName != "rescue" || a.v.Version != "1.0.0" {
		t.Errorf("%+v, %v", a.v, a.err)
	}
	wantCode(t, b.err, http.StatusUnprocessableEntity, "version_exists")
}
