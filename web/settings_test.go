package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/webtest"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	origin := func(p *page, name string) string {
		for _, form := range p.all("form", "id", "setting-"+name) {
			for n := range form.Descendants() {
				if o := attr(n, "data-origin"); o != "" {
					return o
				}
			}
		}
		return ""
	}
	p := v.get("/settings").want(http.StatusOK)
	if o := origin(p, "banner"); o != api.OriginDefault {
		t.Errorf("the banner comes from %q", o)
	}
	evil := `<b>down at 18:00</b> "&`
	save := func(name, value, revision string) *page {
		return v.post("/settings/"+name, url.Values{"value": {value}, "revision": {revision}})
	}
	p = save("banner", evil, "0").want(http.StatusOK).shows("The setting is saved.")
	if o := origin(p, "banner"); o != api.OriginConsole {
		t.Errorf("the banner comes from %q", o)
	}
	signedIn(t, s, "viewer", "en").get("/jobs").shows(evil)
	v.get("/settings/banner").want(http.StatusOK).shows("Setting changed", evil)
	// Somebody else was faster.
	save("banner", "mine", "0").want(http.StatusPreconditionFailed).shows(evil, "as somebody else has saved it meanwhile")
	v.post("/settings/banner", url.Values{"default": {"yes"}, "value": {"x"}, "revision": {"1"}}).want(http.StatusOK).lacks(evil)
	for name, values := range map[string][]string{
		"public-url":     {"ftp://x", "https://", "gopher://x", "https://u:p@x", "https://x/path", "no"},
		"upload-limit":   {"0", "-1", "1.5", "many", "99999999999999999999"},
		"upload-keep":    {"0", "9000"},
		"token-rate":     {"59", "many", "1000001"},
		"banner":         {"a\nb"},
		"outbound-allow": {"http://x", "10.0.0.0/99", "a b/c", "*.lan"},
	} {
		for _, value := range values {
			save(name, value, "0").want(http.StatusUnprocessableEntity).shows("This is no value for the setting.")
		}
	}
	save("listen", "0.0.0.0:1", "0").want(http.StatusNotFound)
	save("public-url", "https://stickpress.example.org/", "0").want(http.StatusOK)
	v.post("/hosts/enrol", url.Values{}).want(http.StatusOK).shows("stickpress-agent enroll https://stickpress.example.org --token")
	save("upload-limit", "1", "0").want(http.StatusOK)
	_, err := s.UploadBegun(t.Context(), s.Admin, api.UploadBegunInput{TusID: "x", Bytes: 1<<30 + 1})
	if !errors.Is(err, fault.New(fault.KindTooLarge, api.CodeUploadTooLarge)) {
		t.Errorf("an upload beyond the limit: %v", err)
	}
	if _, err := s.UploadBegun(t.Context(), s.Admin, api.UploadBegunInput{TusID: "x", Bytes: 1 << 30}); err != nil {
		t.Error(err)
	}
	for _, role := range []string{"viewer", "helpdesk"} {
		low := signedIn(t, s, role, "en")
		low.get("/settings").want(http.StatusForbidden)
		low.get("/settings/banner").want(http.StatusForbidden)
		low.post("/settings/banner", url.Values{"value": {"x"}, "revision": {"2"}}).want(http.StatusForbidden)
	}
}
