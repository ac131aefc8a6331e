package view

import (
	"net/url"
	"slices"

	"github.com/a-h/templ"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// SettingPage is one setting.
type SettingPage struct {
	Setting api.Setting
	Typed   string // what its field holds
	URL     string // how the console is reached if nobody has said it
	History []api.HistoryEntry
	Problem Problem
}

// SettingName is what a setting is called: those that the console can change
// have names in words, the others the one that files and flags have for them.
func SettingName(l locale.Locale, name string) string {
	if key := "setting.name_" + name; l.Has(key) {
		return l.T(key)
	}
	return name
}

// settingPath is the page of what is kept as a setting: some have one of their own.
func settingPath(name string) string {
	switch name {
	case "first_run":
		return "/first-run"
	case "capture_exclusions":
		return "/exclusions"
	}
	return "/settings/" + url.PathEscape(name)
}

// numeric are the kinds whose values are whole numbers.
var numeric = []api.SettingKind{api.SettingGiB, api.SettingHours, api.SettingCount, api.SettingIdle, api.SettingLifetime}

// attributes are those of the setting's field.
func (p SettingPage) attributes() templ.Attributes {
	out := templ.Attributes{"placeholder": p.otherwise(), "autocomplete": "off"}
	if slices.Contains(numeric, p.Setting.Kind) {
		out["inputmode"], out["size"] = "numeric", "8"
	}
	return out
}

// otherwise is what holds while the setting has no value.
func (p SettingPage) otherwise() string {
	if p.Setting.Name == api.SettingPublicURL {
		return p.URL
	}
	return p.Setting.Default
}

// about is what the page says below its title: of a setting with a field it
// stands there.
func (p SettingPage) about(f Frame) string {
	if p.Setting.Fixed() {
		return f.T("setting.about_" + p.Setting.Name)
	}
	return ""
}
