package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// SettingGroups are what settings are about, in the order in which they are
// listed.
var SettingGroups = []string{"address", "sign-in", "programs", "storage", "operation", "first-start"}

// groupOfSetting are the groups by name, or by how a name begins.
var groupOfSetting = map[string]string{
	SettingPublicURL: "address", "listen": "address", "behind-proxy": "address", "tls-": "address",
	"session-": "sign-in", "oidc-": "sign-in", "ldap-": "sign-in",
	SettingTokenRate: "programs", SettingOutbound: "programs",
	"data": "storage", "database-url": "storage", "upload-": "storage",
	SettingBanner: "operation", "log-": "operation", "metrics-allow": "operation",
	"setup-": "first-start",
}

// SettingGroup is which of SettingGroups a setting belongs to; empty for a name
// that is none of a setting's.
func SettingGroup(name string) string {
	if group, ok := groupOfSetting[name]; ok {
		return group
	}
	family, _, _ := strings.Cut(name, "-")
	return groupOfSetting[family+"-"]
}

// SettingFilter narrows ListSettings; empty fields do not.
type SettingFilter struct {
	Search  string // what its name holds, whatever its case
	Group   string // one of SettingGroups
	Origin  string // OriginDefault, …
	Changed string // SettingIsChanged or SettingIsDefault

	// Words is what a door calls a setting and says of it, in the reader's
	// language; Search finds that, too. It may be nil.
	Words func(name string) string
}

// The values of SettingFilter.Changed: another value holds than the default, or
// the default does.
const (
	SettingIsChanged = "yes"
	SettingIsDefault = "no"
)

// SettingFields are the fields of a SettingFilter.
var SettingFields = []Field[SettingFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "What the name holds, whatever its case."}, func(f *SettingFilter) *string { return &f.Search }},
	{FieldInfo{Name: "group", Kind: FieldChoice, Values: SettingGroups, Doc: "What it is about."}, func(f *SettingFilter) *string { return &f.Group }},
	{FieldInfo{Name: "origin", Kind: FieldChoice, Values: []string{OriginDefault, OriginConsole, OriginFile, OriginEnvironment, OriginFlag}, Doc: "Where the value comes from."}, func(f *SettingFilter) *string { return &f.Origin }},
	{FieldInfo{Name: "changed", Kind: FieldChoice, Values: []string{SettingIsChanged, SettingIsDefault}, Doc: "Whether another value holds than the default."}, func(f *SettingFilter) *string { return &f.Changed }},
}

// lets reports whether a setting is one that the filter lets through.
func (f *SettingFilter) lets(s *Setting) bool {
	text := s.Name
	if f.Words != nil {
		text += "\n" + f.Words(s.Name)
	}
	return strings.Contains(strings.ToLower(text), strings.ToLower(f.Search)) &&
		(f.Group == "" || f.Group == s.Group) && (f.Origin == "" || f.Origin == s.Origin) &&
		(f.Changed == "" || f.Changed == SettingIsChanged == s.Changed())
}

// ListSettings lists settings with their values and where those come from
// (admin), group by group; in each, those that the console can change come
// first. There are no pages: how many settings there are is a matter of the
// program, some forty, and not of what anybody does. Faults: those of
// FieldInfo.Check.
func (c *Console) ListSettings(ctx context.Context, a Actor, f SettingFilter) ([]Setting, error) {
	if err := allow(a, UseListSettings); err != nil {
		return nil, err
	}
	if err := checkFilter(SettingFields, &f); err != nil {
		return nil, err
	}
	all, err := c.allSettings(ctx)
	all = slices.DeleteFunc(all, func(s Setting) bool { return !f.lets(&s) })
	slices.SortStableFunc(all, func(a, b Setting) int {
		return cmp.Compare(slices.Index(SettingGroups, a.Group), slices.Index(SettingGroups, b.Group))
	})
	return all, err
}

// allSettings are those that the console can change, then the others of this
// server.
func (c *Console) allSettings(ctx context.Context) ([]Setting, error) {
	rows, err := c.store.Settings(ctx)
	if err != nil {
		return nil, err
	}
	out := c.settingsOf(rows)
	for _, s := range c.config {
		if !slices.ContainsFunc(out, func(x Setting) bool { return x.Name == s.Name }) {
			s.Group = SettingGroup(s.Name)
			out = append(out, s)
		}
	}
	return out, nil
}
