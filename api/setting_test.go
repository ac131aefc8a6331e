package api_test

import (
	"errors"
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
	all := must[[]api.Setting](t)(f.ListSettings(t.Context(), f.Admin))
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
