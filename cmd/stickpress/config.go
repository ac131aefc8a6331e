package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/keypair"
	"github.com/stickpress/stickpress/api/webhook/outbound"
)

// Config is everything that the server can be told. Later sources win:
// defaults, the file, the environment, flags.
type Config struct {
	Data         string // folder of the private database, blobs, keys
	Listen       string // HOST:PORT of the console
	DatabaseURL  string // Postgres to use; empty starts a private one
	PublicURL    string // how browsers and agents reach the console
	BehindProxy  string // CIDR of a TLS-terminating proxy: trusted, and without TLS the only one served
	TLSCert      string // PEM files, both or none
	TLSKey       string
	Outbound     string // hosts and ranges that webhooks may reach though they are not public
	MetricsAllow string // CIDRs, separated by commas, that may read /metrics
	LogLevel     string // debug, info, warn, error
	LogFormat    string // text, json
	OIDC         OIDCConfig
	LDAP         LDAPConfig

	// The first start alone reads these: they make it without a browser.
	SetupAdmin     string // login of the first admin
	SetupPassword  string
	SetupHostToken string // enrols one host, within a week
}

// setting describes one key of the configuration: its names in the file, the
// environment and as a flag, its default and whether dumps mask it.
type setting struct {
	key    string
	env    string
	def    string
	help   string
	secret bool
	field  func(*Config) *string
}

var settings = append([]setting{
	{"data", "STICKPRESS_DATA", "/var/lib/stickpress", "folder of the private database, image files and keys", false, func(c *Config) *string { return &c.Data }},
	{"listen", "STICKPRESS_LISTEN", "127.0.0.1:8080", "HOST:PORT to listen on", false, func(c *Config) *string { return &c.Listen }},
	{"database-url", "DATABASE_URL", "", "Postgres to use, direct or session-pooled; empty starts a private one in the data folder", true, func(c *Config) *string { return &c.DatabaseURL }},
	{"public-url", "STICKPRESS_PUBLIC_URL", "", "how browsers and agents reach the console; empty derives it from --listen", false, func(c *Config) *string { return &c.PublicURL }},
	{"behind-proxy", "STICKPRESS_BEHIND_PROXY", "", "CIDR of the TLS-terminating proxy in front: only it is answered over plain HTTP, and its X-Forwarded-For is believed", false, func(c *Config) *string { return &c.BehindProxy }},
	{"tls-cert", "STICKPRESS_TLS_CERT", "", "PEM file of the certificate chain", false, func(c *Config) *string { return &c.TLSCert }},
	{"tls-key", "STICKPRESS_TLS_KEY", "", "PEM file of the certificate's key", false, func(c *Config) *string { return &c.TLSKey }},
	{"outbound-allow", "STICKPRESS_OUTBOUND_ALLOW", "", "hosts and address ranges that webhooks and connectors may reach though they are not public or have no TLS, separated by commas; empty leaves it to the console", false, func(c *Config) *string { return &c.Outbound }},
	{"metrics-allow", "STICKPRESS_METRICS_ALLOW", "127.0.0.0/8,::1/128", "CIDRs that may read /metrics, separated by commas", false, func(c *Config) *string { return &c.MetricsAllow }},
	{"log-level", "STICKPRESS_LOG_LEVEL", "info", "debug, info, warn or error", false, func(c *Config) *string { return &c.LogLevel }},
	{"log-format", "STICKPRESS_LOG_FORMAT", "text", "text or json", false, func(c *Config) *string { return &c.LogFormat }},
	{"setup-admin", "STICKPRESS_SETUP_ADMIN", "", "login of the first admin, who is made on the first start instead of by a link; needs setup-password", false, func(c *Config) *string { return &c.SetupAdmin }},
	{"setup-password", "STICKPRESS_SETUP_PASSWORD", "", "password of the first admin, at least 10 characters; better from a file, by STICKPRESS_SETUP_PASSWORD_FILE", true, func(c *Config) *string { return &c.SetupPassword }},
	{"setup-host-token", "STICKPRESS_SETUP_HOST_TOKEN", "", "token that enrols one host within a week of the first start, at least 32 characters; needs setup-admin", true, func(c *Config) *string { return &c.SetupHostToken }},
}, identitySettings...)

// addConfigFlags declares a flag for every setting, and --config for the file.
func addConfigFlags(flags *pflag.FlagSet) {
	add := func(name, def, help string) {
		flags.String(name, def, help)
		flags.Lookup(name).Annotations = map[string][]string{settingAnnotation: {}}
	}
	add("config", "", "TOML file with settings (deploy/stickpress.toml shows all of them)")
	for _, s := range settings {
		add(s.key, s.def, s.help+" ["+s.env+"]")
	}
}

// origin tells where a value came from, for `config dump`.
type origin map[string]string

// originFlag is the origin of what was given as a flag.
const originFlag = "flag"

// loadConfig merges the sources. environ is in the form of os.Environ; a
// variable NAME_FILE names a file that holds the value of NAME.
func loadConfig(flags *pflag.FlagSet, environ []string) (Config, origin, error) {
	k := koanf.New(".")
	from := origin{}
	merge := func(source string, provider koanf.Provider, parser koanf.Parser) error {
		layer := koanf.New(".")
		if err := layer.Load(provider, parser); err != nil {
			return fmt.Errorf("read settings from %s: %w", source, err)
		}
		for _, key := range layer.Keys() {
			if findSetting(key) == nil {
				return fmt.Errorf("read settings from %s: no setting is called %q", source, key)
			}
			from[key] = source
		}
		return k.Merge(layer)
	}

	defaults := map[string]any{}
	for _, s := range settings {
		defaults[s.key] = s.def
	}
	if err := merge("default", confmap.Provider(defaults, "."), nil); err != nil {
		return Config{}, nil, err
	}
	if path, _ := flags.GetString("config"); path != "" {
		if err := merge("file "+path, file.Provider(path), toml.Parser()); err != nil {
			return Config{}, nil, err
		}
	}
	vars, err := environment(environ)
	if err != nil {
		return Config{}, nil, err
	}
	for key, v := range vars {
		if err := merge(v.source, confmap.Provider(map[string]any{key: v.value}, "."), nil); err != nil {
			return Config{}, nil, err
		}
	}
	set := map[string]any{}
	flags.Visit(func(f *pflag.Flag) {
		if findSetting(f.Name) != nil {
			set[f.Name] = f.Value.String()
		}
	})
	if err := merge(originFlag, confmap.Provider(set, "."), nil); err != nil {
		return Config{}, nil, err
	}

	var c Config
	for _, s := range settings {
		*s.field(&c) = k.String(s.key)
	}
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return Config{}, nil, fmt.Errorf("data folder: %w", err)
	}
	if c.TLSCert == "" && c.TLSKey == "" && c.BehindProxy == "" && keypair.Kept(c.Data) {
		c.TLSCert, c.TLSKey = keypair.Paths(c.Data)
		from["tls-cert"], from["tls-key"] = api.OriginConsole+" "+c.TLSCert, api.OriginConsole+" "+c.TLSKey
	}
	return c, from, c.Validate()
}

type variable struct{ source, value string }

// environment picks our variables out of environ, with their _FILE variants.
func environment(environ []string) (map[string]variable, error) {
	k := koanf.New(".")
	if err := k.Load(env.Provider(".", env.Opt{EnvironFunc: func() []string { return environ }, TransformFunc: func(name, value string) (string, any) {
		if findVariable(strings.TrimSuffix(name, "_FILE")) == nil {
			return "", nil
		}
		return name, value
	}}), nil); err != nil {
		return nil, fmt.Errorf("read settings from the environment: %w", err)
	}
	found := map[string]variable{}
	for name, value := range k.All() {
		text := fmt.Sprint(value)
		base, isFile := strings.CutSuffix(name, "_FILE")
		s := findVariable(base)
		if isFile {
			raw, err := os.ReadFile(text)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
			text = strings.TrimSpace(string(raw))
		}
		if _, twice := found[s.key]; twice {
			return nil, fmt.Errorf("both %s and %s_FILE are set: keep one", base, base)
		}
		found[s.key] = variable{"environment " + name, text}
	}
	return found, nil
}

// Validate refuses settings that cannot work or that would put the console on
// the network without TLS.
func (c Config) Validate() error {
	var errs []error
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		errs = append(errs, fmt.Errorf("listen %q: want HOST:PORT", c.Listen))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("tls-cert and tls-key go together: set both or none"))
	}
	if c.BehindProxy != "" {
		if _, err := netip.ParsePrefix(c.BehindProxy); err != nil {
			errs = append(errs, fmt.Errorf("behind-proxy %q: want a CIDR such as 10.0.0.0/8", c.BehindProxy))
		}
	}
	if err == nil && !loopback(host) && c.TLSCert == "" && c.BehindProxy == "" {
		errs = append(errs, fmt.Errorf("listen %s is reachable from the network: set tls-cert and tls-key, or behind-proxy with the CIDR of your TLS proxy", c.Listen))
	}
	if _, err := parseNetworks(c.MetricsAllow); err != nil {
		errs = append(errs, fmt.Errorf("metrics-allow %q: want CIDRs such as 127.0.0.0/8,10.1.0.0/16", c.MetricsAllow))
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			errs = append(errs, fmt.Errorf("public-url %q: want http(s)://HOST[:PORT]", c.PublicURL))
		}
	}
	if c.DatabaseURL != "" {
		if _, err := url.Parse(c.DatabaseURL); err != nil {
			errs = append(errs, errors.New("database-url is not a URL: want postgres://USER:PASSWORD@HOST/DATABASE"))
		}
	}
	if _, err := outbound.ParseAllowed(c.Outbound); err != nil {
		errs = append(errs, fmt.Errorf("outbound-allow: %w", err))
	}
	if _, ok := logLevels[c.LogLevel]; !ok {
		errs = append(errs, fmt.Errorf("log-level %q: want debug, info, warn or error", c.LogLevel))
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		errs = append(errs, fmt.Errorf("log-format %q: want text or json", c.LogFormat))
	}
	if (c.SetupAdmin == "") != (c.SetupPassword == "") {
		errs = append(errs, errors.New("setup-admin and setup-password go together: set both or none"))
	}
	if c.SetupHostToken != "" && c.SetupAdmin == "" {
		errs = append(errs, errors.New("setup-host-token goes with setup-admin: without the first admin a host has no console to join"))
	}
	if n := len(c.SetupHostToken); n > 0 && (n < minHostToken || strings.ContainsFunc(c.SetupHostToken, unicode.IsSpace)) {
		errs = append(errs, fmt.Errorf("setup-host-token: want at least %d characters without a space, such as those of `openssl rand -hex 24`", minHostToken))
	}
	return errors.Join(append(errs, c.validateIdentity()...)...)
}

// minHostToken is the least length of a token that somebody else made: with
// hexadecimal digits, 128 bits.
const minHostToken = 32

// URL is where the console is reached: the public URL, or what Listen says.
func (c Config) URL(listening net.Addr) string {
	if c.PublicURL != "" {
		return strings.TrimSuffix(c.PublicURL, "/")
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	address := listening.String()
	// "All addresses" is nothing that a browser could open: the machine's name is.
	if host, port, err := net.SplitHostPort(address); err == nil && everywhere(host) {
		if name, err := os.Hostname(); err == nil {
			address = net.JoinHostPort(name, port)
		}
	}
	return scheme + "://" + address
}

// everywhere reports whether a host to listen on means all addresses.
func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// secure reports whether browsers reach the console over TLS, its own or the
// proxy's: then cookies travel over nothing else.
func (c Config) secure() bool {
	if c.PublicURL != "" {
		return strings.HasPrefix(c.PublicURL, "https:")
	}
	return c.TLSCert != "" || c.BehindProxy != ""
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func findSetting(key string) *setting {
	for i := range settings {
		if settings[i].key == key {
			return &settings[i]
		}
	}
	return nil
}

func findVariable(name string) *setting {
	for i := range settings {
		if settings[i].env == name {
			return &settings[i]
		}
	}
	return nil
}
