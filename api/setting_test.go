package api_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

// What who runs the server has set beside it wins over the console, and cannot
// be changed there; what is only its default does not.
func TestSettingPrecedence(t *testing.T) {
	t.Parallel()
	f := apitest.New(t, func(d *api.Deps) {
		d.Config = []api.Setting{
			{Name: "public-url", Value: "https://env.example.org", Origin: api.OriginEnvironment, Where: "STICKPRESS_PUBLIC_URL"},
			{Name: "database-url", Value: "postgres://u:********@db/x", Origin: api.OriginFlag, Secret: true},
		}
	})
	if url, err := f.PublicURL(t.Context(), "http://derived"); err != nil || url != "https://env.example.org" {
		t.Errorf("the public URL is %s, %v", url, err)
	}
	_, err := f.SaveSetting(t.Context(), f.Admin, api.SaveSettingInput{Name: api.SettingPublicURL, Value: "https://console.example.org"})
	var refused *fault.Error
	if !errors.As(err, &refused) || refused.Code != api.CodeSettingFixed || refused.Params["origin"] != api.OriginEnvironment {
		t.Errorf("a setting of the environment is changed: %v", err)
	}
	all := must[[]api.Setting](t)(f.ListSettings(t.Context(), f.Admin, api.SettingFilter{}))
	found := map[string]api.Setting{}
	for _, s := range all {
		if _, twice := found[s.Name]; twice {
			t.Errorf("%s is there twice", s.Name)
		}
		found[s.Name] = s
	}
	if s := found["public-url"]; !s.Fixed() || s.Where != "STICKPRESS_PUBLIC_URL" {
		t.Errorf("the public URL is %+v", s)
	}
	if s := found["database-url"]; !s.Fixed() || s.Origin != api.OriginFlag {
		t.Errorf("the database is %+v", s)
	}
	if s := found[api.SettingUploadKeep]; s.Fixed() || s.Value != "48" {
		t.Errorf("uploads are kept %+v", s)
	}

	plain := apitest.New(t, func(d *api.Deps) { d.Config = []api.Setting{{Name: "public-url", Origin: api.OriginFile}} })
	if url, err := plain.PublicURL(t.Context(), "http://derived"); err != nil || url != "http://derived" {
		t.Errorf("the public URL is %s, %v", url, err)
	}
	must[api.Setting](t)(plain.SaveSetting(t.Context(), plain.Admin, api.SaveSettingInput{Name: api.SettingPublicURL, Value: "https://console.example.org"}))
	if url, err := plain.PublicURL(t.Context(), "http://derived"); err != nil || url != "https://console.example.org" {
		t.Errorf("the public URL is %s, %v", url, err)
	}
	history := must[api.List[api.HistoryEntry]](t)(plain.ListHistory(t.Context(), plain.Admin, "setting", api.SettingPublicURL, api.Page{})).Items
	if len(history) != 1 || len(history[0].Changes) != 2 || history[0].Changes[1] != (api.Change{Field: "value", After: "https://console.example.org"}) {
		t.Errorf("the history is %+v", history)
	}
}

// Settings are narrowed by what an admin knows of them.
func TestSettingFilter(t *testing.T) {
	t.Parallel()
	f := apitest.New(t, func(d *api.Deps) {
		d.Config = []api.Setting{
			{Name: "listen", Value: "127.0.0.1:9", Default: "127.0.0.1:8080", Origin: api.OriginFlag},
			{Name: "ldap-url", Value: "ldaps://d", Origin: api.OriginFile, Where: "/etc/stickpress.toml"},
			{Name: "log-level", Value: "info", Default: "info", Origin: api.OriginEnvironment, Where: "STICKPRESS_LOG_LEVEL"},
			{Name: "log-format", Value: "text", Default: "text", Origin: api.OriginDefault},
		}
	})
	must[api.Setting](t)(f.SaveSetting(t.Context(), f.Admin, api.SaveSettingInput{Name: api.SettingBanner, Value: "closed"}))
	words := func(name string) string {
		if name == "ldap-url" {
			return "Directory whose passwords let people in"
		}
		return ""
	}
	for name, c := range map[string]struct {
		in   api.SettingFilter
		want []string
	}{
		"by where it comes from":      {api.SettingFilter{Origin: api.OriginConsole}, []string{"banner"}},
		"by group":                    {api.SettingFilter{Group: "operation"}, []string{"banner", "log-level", "log-format"}},
		"changed":                     {api.SettingFilter{Changed: api.SettingIsChanged}, []string{"listen", "ldap-url", "banner"}},
		"set, to what it would be":    {api.SettingFilter{Changed: api.SettingIsDefault, Origin: api.OriginEnvironment}, []string{"log-level"}},
		"by its name":                 {api.SettingFilter{Search: "LOG-"}, []string{"log-level", "log-format"}},
		"by what is said of it":       {api.SettingFilter{Search: "directory", Words: words}, []string{"ldap-url"}},
		"by nothing that is known":    {api.SettingFilter{Search: "directory"}, nil},
		"in order, the console's own": {api.SettingFilter{Group: "address"}, []string{"public-url", "listen"}},
	} {
		var got []string
		for _, s := range must[[]api.Setting](t)(f.ListSettings(t.Context(), f.Admin, c.in)) {
			got = append(got, s.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for field, in := range map[string]api.SettingFilter{"origin": {Origin: "nowhere"}, "group": {Group: "x"}, "changed": {Changed: "maybe"}} {
		_, err := f.ListSettings(t.Context(), f.Admin, in)
		if refused := fault.From(err); refused.Code != api.CodeFilterChoice || refused.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
