package api

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/outbound"
	"github.com/stickpress/stickpress/store"
)

// Where the value of a setting comes from. Later ones win: what who runs the
// server has set beside it cannot be changed from the console.
const (
	OriginDefault     = "default"
	OriginConsole     = "console"
	OriginFile        = "file"
	OriginEnvironment = "environment"
	OriginFlag        = "flag"
)

// Setting is one setting of the server with its value.
type Setting struct {
	Name     string      `json:"name"`  // "public-url"
	Group    string      `json:"group"` // one of SettingGroups
	Value    string      `json:"value"` // masked if it is secret
	Default  string      `json:"default"`
	Origin   string      `json:"origin"`          // OriginDefault, …
	Where    string      `json:"where,omitempty"` // of OriginFile the path, of OriginEnvironment the variable
	Secret   bool        `json:"secret"`
	Kind     SettingKind `json:"kind,omitempty"` // of those that the console can change; else empty
	Revision int64       `json:"revision"`       // of the console's value, 0 while there is none
}

// Fixed reports whether the console cannot change the setting now: because it
// is not made for that, or because its value comes from elsewhere.
func (s *Setting) Fixed() bool {
	return s.Kind == "" || s.Origin != OriginDefault && s.Origin != OriginConsole
}

// Changed reports whether another value holds than the default.
func (s *Setting) Changed() bool { return s.Value != s.Default }

// SettingKind says what the values of a setting are.
type SettingKind string

// The kinds of settings that the console can change.
const (
	SettingText  SettingKind = "text"
	SettingURL   SettingKind = "url"   // http(s)://HOST[:PORT]
	SettingGiB   SettingKind = "gib"   // a whole number of GiB, from 1
	SettingHours SettingKind = "hours" // a whole number of hours, from 1
	// Of sessions: whole minutes from 5, and hours from 1, up to MaxSessionIdle
	// and MaxSessionLifetime.
	SettingIdle     SettingKind = "idle"
	SettingLifetime SettingKind = "lifetime"
	SettingCount    SettingKind = "count" // a whole number, from 60
	SettingHosts    SettingKind = "hosts" // host names and address ranges: outbound.ParseAllowed
)

// The settings that the console can change.
const (
	SettingPublicURL   = "public-url"   // also the server's: how browsers and agents reach the console
	SettingBanner      = "banner"       // a sentence on every page
	SettingUploadLimit = "upload-limit" // of one upload
	SettingUploadKeep  = "upload-keep"  // how long an unfinished upload may rest

	SettingSessionIdle     = "session-idle"     // how long a session may rest before it ends
	SettingSessionLifetime = "session-lifetime" // how long a session lasts at most

	SettingTokenRate = "token-rate" // requests of one token in a minute

	// SettingOutbound is also the server's: what webhooks and other requests to
	// URLs that somebody typed may reach beside the public network.
	SettingOutbound = "outbound-allow"
)

const (
	maxBanner = 300     // characters
	maxGiB    = 1 << 14 // 16 TiB
	maxHours  = 24 * 365
	maxHosts  = 4000 // characters
)

// changeable are the settings that the console can change, in the order in
// which they are shown.
func (c *Console) changeable() []Setting {
	return []Setting{
		{Name: SettingPublicURL, Kind: SettingURL},
		{Name: SettingBanner, Kind: SettingText},
		{Name: SettingSessionIdle, Kind: SettingIdle, Default: strconv.Itoa(int(sessionIdle / time.Minute))},
		{Name: SettingSessionLifetime, Kind: SettingLifetime, Default: strconv.Itoa(int(sessionLifetime / time.Hour))},
		{Name: SettingUploadLimit, Kind: SettingGiB, Default: strconv.FormatInt(c.maxUpload>>30, 10)},
		{Name: SettingUploadKeep, Kind: SettingHours, Default: strconv.Itoa(int(uploadAge / time.Hour))},
		{Name: SettingTokenRate, Kind: SettingCount, Default: strconv.Itoa(tokenRate)},
		{Name: SettingOutbound, Kind: SettingHosts},
	}
}

// settingsOf are the settings that the console can change, with their values.
func (c *Console) settingsOf(rows []store.Setting) []Setting {
	out := c.changeable()
	for i := range out {
		s := &out[i]
		s.Value, s.Origin, s.Group = s.Default, OriginDefault, SettingGroup(s.Name)
		for _, row := range rows {
			if row.Name == s.Name {
				s.Revision = row.Revision
				if row.Value != "" {
					s.Value, s.Origin = row.Value, OriginConsole
				}
			}
		}
		for _, x := range c.config {
			if x.Name == s.Name && x.Origin != OriginDefault && x.Value != "" {
				s.Value, s.Origin, s.Where = x.Value, x.Origin, x.Where
			}
		}
	}
	return out
}

// SaveSettingInput sets a setting.
type SaveSettingInput struct {
	Name     string
	Value    string // empty: the default again
	Revision int64  // as seen; 0 does not check, Absent wants none
}

// SaveSetting sets a setting from the console (admin). It holds from then on,
// on other replicas a second later. Faults: setting_unknown, setting_fixed (origin),
// setting_invalid, stale.
func (c *Console) SaveSetting(ctx context.Context, a Actor, in SaveSettingInput) (Setting, error) {
	var out Setting
	err := c.change(ctx, a, UseSaveSetting, func(tx *store.Tx, by store.Actor) error {
		before, err := c.readSetting(ctx, tx.Reader, in.Name)
		if err != nil {
			return err
		}
		if before.Fixed() {
			return fault.New(fault.KindConflict, CodeSettingFixed, "name", in.Name, "origin", before.Origin)
		}
		value, ok := cleanSetting(before.Kind, in.Value)
		if !ok {
			return fault.New(fault.KindInvalid, CodeSettingInvalid, "name", in.Name, "why", "setting_"+string(before.Kind)).At("value")
		}
		if _, err := tx.PutSetting(ctx, in.Name, value, seen(in.Revision, before.Revision)); err != nil {
			return err
		}
		if out, err = c.readSetting(ctx, tx.Reader, in.Name); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveSetting), ObjectKind: "setting", ObjectID: in.Name,
			Before: map[string]string{"value": before.Value, "origin": before.Origin},
			After:  map[string]string{"value": out.Value, "origin": out.Origin},
		})
	})
	c.known.forget()
	return out, err
}

// GetSetting returns one of them (admin). Faults: setting_unknown.
func (c *Console) GetSetting(ctx context.Context, a Actor, name string) (Setting, error) {
	if err := allow(a, UseListSettings); err != nil {
		return Setting{}, err
	}
	all, err := c.allSettings(ctx)
	if err != nil {
		return Setting{}, err
	}
	i := slices.IndexFunc(all, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, fault.New(fault.KindNotFound, CodeSettingUnknown, "name", name)
	}
	return all[i], nil
}

// readSetting finds one setting that the console can change.
func (c *Console) readSetting(ctx context.Context, r store.Reader, name string) (Setting, error) {
	rows, err := r.Settings(ctx)
	if err != nil {
		return Setting{}, err
	}
	all := c.settingsOf(rows)
	i := slices.IndexFunc(all, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, fault.New(fault.KindNotFound, CodeSettingUnknown, "name", name)
	}
	return all[i], nil
}

// setting is a setting as it was at most a second ago: every page asks.
func (c *Console) setting(ctx context.Context, name string) (Setting, error) {
	all, err := c.known.get(c.now(), func() ([]Setting, error) {
		rows, err := c.store.Settings(ctx)
		return c.settingsOf(rows), err
	})
	for _, s := range all {
		if s.Name == name {
			return s, err
		}
	}
	return Setting{}, err
}

// settingCache holds settings for settingAge.
type settingCache struct {
	mu  sync.Mutex
	all []Setting
	at  time.Time
}

const settingAge = time.Second

func (k *settingCache) get(now time.Time, read func() ([]Setting, error)) ([]Setting, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all != nil && now.Sub(k.at) < settingAge {
		return k.all, nil
	}
	all, err := read()
	if err == nil {
		k.all, k.at = all, now
	}
	return all, err
}

func (k *settingCache) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = nil
}

// cleanSetting checks a value; an empty one is of every kind.
func cleanSetting(kind SettingKind, value string) (string, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return "", true
	}
	if least, most, ok := kind.Range(); ok {
		n, err := strconv.Atoi(value)
		return strconv.Itoa(n), err == nil && n >= least && n <= most
	}
	switch kind { //nolint:exhaustive // the others are numbers
	case SettingText:
		return value, len([]rune(value)) <= maxBanner && !strings.ContainsFunc(value, unicode.IsControl)
	case SettingURL:
		u, err := url.Parse(value)
		return strings.TrimSuffix(value, "/"), err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
			strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil && len(value) <= MaxFilterText
	case SettingHosts:
		_, err := outbound.ParseAllowed(value)
		return value, err == nil && len(value) <= maxHosts
	}
	return "", false
}

// Range is between what the values of a kind lie that are whole numbers; ok is
// false for the other kinds.
func (k SettingKind) Range() (least, most int, ok bool) {
	switch k { //nolint:exhaustive // the others are no numbers
	case SettingGiB:
		return 1, maxGiB, true
	case SettingHours:
		return 1, maxHours, true
	case SettingCount:
		return 60, maxTokenRate, true
	case SettingIdle:
		return 5, int(MaxSessionIdle / time.Minute), true
	case SettingLifetime:
		return 1, int(MaxSessionLifetime / time.Hour), true
	}
	return 0, 0, false
}

// PublicURL is how browsers and agents reach the console, without a slash at
// its end; derived is what the server makes of its own address, for when nobody
// has said it.
func (c *Console) PublicURL(ctx context.Context, derived string) (string, error) {
	s, err := c.setting(ctx, SettingPublicURL)
	if err != nil || s.Value == "" {
		return derived, err
	}
	return strings.TrimSuffix(s.Value, "/"), nil
}

// allowedOutbound is what requests to URLs that somebody typed may reach beside
// the public network.
func (c *Console) allowedOutbound(ctx context.Context) (outbound.Allowed, error) {
	s, err := c.setting(ctx, SettingOutbound)
	if err != nil {
		return outbound.Allowed{}, err
	}
	return outbound.ParseAllowed(s.Value)
}

// Banner is the sentence that every page shows, or empty.
func (c *Console) Banner(ctx context.Context) (string, error) {
	s, err := c.setting(ctx, SettingBanner)
	return s.Value, err
}

// uploadLimit is the size that an upload may have, in bytes.
func (c *Console) uploadLimit(ctx context.Context) (int64, error) {
	s, err := c.setting(ctx, SettingUploadLimit)
	if err != nil || s.Origin == OriginDefault {
		return c.maxUpload, err
	}
	n, err := strconv.ParseInt(s.Value, 10, 64)
	return n << 30, err
}

// uploadKeep is how long an unfinished upload may rest.
func (c *Console) uploadKeep(ctx context.Context) (time.Duration, error) {
	s, err := c.setting(ctx, SettingUploadKeep)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(s.Value)
	return time.Duration(n) * time.Hour, err
}
