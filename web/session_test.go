package web_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/oidc"
	"github.com/stickpress/stickpress/web/locale"
	"github.com/stickpress/stickpress/web/webtest"
)

// What a link leaves behind is not left by the links of others.
func TestLinksFromElsewhere(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t, func(_ string, d *api.Deps) {
		d.Service = &api.SignInService{Provider: oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1"}), Name: "Example ID"}
	})
	v := signedIn(t, s, "admin", "en")
	for _, from := range []string{"cross-site", "same-site"} {
		v.do(http.MethodGet, "/audit/export?format=json", "", nil, "Sec-Fetch-Site", from).want(http.StatusForbidden).shows("Another site")
		if p := v.do(http.MethodGet, "/sign-in/service", "", nil, "Sec-Fetch-Site", from).want(http.StatusOK); p.path != "/sign-in" {
			t.Errorf("it led to %s", p.path)
		}
	}
	v.do(http.MethodGet, "/audit/export?format=json", "", nil, "Sec-Fetch-Site", "same-origin").want(http.StatusOK).lacks("export_audit_failed")
	v.do(http.MethodGet, "/sign-in/service", "", nil, "Sec-Fetch-Site", "same-origin").want(http.StatusServiceUnavailable) // it was asked
}

// A link that carries a secret leads to where the console is reached.
func TestLinksLeadToThePublicAddress(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	if _, err := s.SaveSetting(t.Context(), s.Admin, api.SaveSettingInput{Name: api.SettingPublicURL, Value: "https://desk.example/"}); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, s, "admin", "en")
	v.post("/users/"+s.Viewer.UserID+"/password-link", nil).want(http.StatusOK).shows("https://desk.example/sign-in/password?token=spo_")
}

func TestLocalesAreThoseOfTheRules(t *testing.T) {
	t.Parallel()
	var spoken []string
	for _, l := range locale.All() {
		spoken = append(spoken, l.String())
	}
	slices.Sort(spoken)
	if !slices.Equal(spoken, slices.Sorted(slices.Values(api.Locales))) {
		t.Errorf("the pages speak %v, people may have %v", spoken, api.Locales)
	}
}
