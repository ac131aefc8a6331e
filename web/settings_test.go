package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/locale"
	"github.com/stickpress/stickpress/web/webtest"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	origin := func(p *page) string {
		for _, badge := range p.all("span", "class", "badge") {
			if o := attr(badge, "data-origin"); o != "" {
				return o
			}
		}
		return ""
	}
	p := v.get("/settings/banner").want(http.StatusOK).shows("Nobody has changed this setting")
	p.check("en")
	if o := origin(p); o != api.OriginDefault {
		t.Errorf("the banner comes from %q", o)
	}
	evil := `<b>down at 18:00</b> "&`
	save := func(name, value, revision string) *page {
		return v.post("/settings/"+name, url.Values{"value": {value}, "revision": {revision}})
	}
	p = save("banner", evil, "0").want(http.StatusOK).shows("The setting is saved.")
	if o := origin(p); o != api.OriginConsole {
		t.Errorf("the banner comes from %q", o)
	}
	signedIn(t, s, "viewer", "en").get("/jobs").shows(evil)
	v.get("/settings/banner").want(http.StatusOK).shows("Setting changed", evil)
	// Somebody else was faster.
	p = save("banner", "mine", "0").want(http.StatusPreconditionFailed).shows(evil, "as somebody else has saved it meanwhile")
	if p.value("value") != "mine" {
		t.Errorf("what was typed is lost: %q", p.value("value"))
	}
	v.post("/settings/banner", url.Values{"default": {"yes"}, "value": {"x"}, "revision": {"1"}}).want(http.StatusOK)
	v.get("/jobs").lacks(evil)
	for name, values := range map[string][]string{
		"public-url":     {"ftp://x", "https://", "gopher://x", "https://u:p@x", "https://x/path", "no"},
		"upload-limit":   {"0", "-1", "1.5", "many", "99999999999999999999"},
		"upload-keep":    {"0", "9000"},
		"token-rate":     {"59", "many", "1000001"},
		"banner":         {"a\nb"},
		"outbound-allow": {"http://x", "10.0.0.0/99", "a b/c", "*.lan"},
	} {
		for _, value := range values {
			save(name, value, "0").want(http.StatusUnprocessableEntity).shows("The setting " + name + " takes ")
		}
	}
	save("listen", "0.0.0.0:1", "0").want(http.StatusNotFound)
	v.get("/settings/nothing").want(http.StatusNotFound)
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

// Wherever the console's address leaves it, it is the one that was set.
func TestPublicURLIsTold(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	const base = "https://stickpress.example.org"
	if _, err := scene.SaveSetting(t.Context(), scene.Admin, api.SaveSettingInput{Name: api.SettingPublicURL, Value: base}); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, scene.Site, "helpdesk", "en")
	stick := "/sticks/" + scene.Done.Builds[0].StickID
	for path, want := range map[string]string{
		"/sticks/export":         "," + base + stick + "\n",
		"/jobs/" + scene.Done.ID: "stickpress job show --server &#39;" + base + "&#39;",
		stick + "/label":         base + stick,
	} {
		p := v.get(path).want(http.StatusOK)
		if !strings.Contains(p.body, want) || strings.Contains(p.body, scene.URL) {
			t.Errorf("%s lacks %s, or has %s", path, want, scene.URL)
		}
	}
}

// The list of settings is narrowed like the others, and views of it are kept.
func TestSettingsNarrowed(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	rows := func(p *page) (names []string) {
		for _, tr := range p.all("tr", "", "") {
			if id, ok := strings.CutPrefix(attr(tr, "id"), "setting-"); ok {
				names = append(names, id)
			}
		}
		return names
	}
	v.post("/settings/banner", url.Values{"value": {"closed"}, "revision": {"0"}}).want(http.StatusOK)
	for path, want := range map[string][]string{
		"/settings?origin=console":                 {"banner"},
		"/settings?changed=yes":                    {"banner"},
		"/settings?group=storage":                  {"upload-limit", "upload-keep"},
		"/settings?group=sign-in&origin=default":   {"session-idle", "session-lifetime"},
		"/settings?q=GiB":                          {"upload-limit"},
		"/settings?q=maintenance":                  {"banner"},
		"/settings?q=token-":                       {"token-rate"},
		"/settings?origin=flag":                    nil,
		"/settings?group=operation&origin=nowhere": {"banner"},
	} {
		p := v.get(path).want(http.StatusOK)
		if got := rows(p); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", path, got, want)
		}
		if want == nil {
			p.shows("Nothing fits these filters")
		}
	}
	signedIn(t, s, "admin", "zh-CN").get("/settings?q=横幅").want(http.StatusOK).shows("横幅", "已更改").check("zh-CN")
	v.get("/settings?origin=nowhere").shows("The filter “From: nowhere” was left out.")
	v.get("/settings?q=&group=storage").want(http.StatusOK).lacks("was left out")
	view := v.post("/views", url.Values{"list": {"settings"}, "name": {"Changed here"}, "query": {"changed=yes&x=1"}}).want(http.StatusOK)
	if view.path != "/settings?changed=yes" {
		t.Errorf("the view is at %s", view.path)
	}
	view.shows("Changed here").check("en")
	v.get("/views").want(http.StatusOK).shows("Changed here", "Settings")
	signedIn(t, s, "helpdesk", "en").post("/views", url.Values{"list": {"settings"}, "name": {"x"}, "query": {"changed=yes"}}).want(http.StatusForbidden)
}

// What a setting takes is said as it is checked, in both languages.
func TestSettingRanges(t *testing.T) {
	t.Parallel()
	for _, kind := range []api.SettingKind{
		api.SettingText, api.SettingURL, api.SettingGiB, api.SettingHours, api.SettingIdle, api.SettingLifetime, api.SettingCount, api.SettingHosts,
	} {
		for _, l := range locale.All() {
			text := l.Fault("setting_invalid", fault.Params{"name": "x", "why": "setting_" + string(kind)})
			if strings.Contains(text, "setting_") {
				t.Errorf("%s in %s: %s", kind, l, text)
			}
			if least, most, ok := kind.Range(); ok && !(strings.Contains(text, strconv.Itoa(least)+" ") && strings.Contains(text, strconv.Itoa(most))) {
				t.Errorf("%s is from %d to %d, and in %s: %s", kind, least, most, l, text)
			}
		}
	}
}
