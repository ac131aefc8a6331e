package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/keypair"
	"github.com/stickpress/stickpress/web/locale"
)

func load(t *testing.T, args, environ []string) (Config, origin, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	addConfigFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return loadConfig(flags, environ)
}

func TestConfigPrecedence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "stickpress.toml")
	if err := os.WriteFile(file, []byte("data = \"/from/file\"\nlisten = \"127.0.0.1:1\"\nlog-level = \"debug\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "url")
	if err := os.WriteFile(secret, []byte("postgres://u:hidden@db/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("well hidden word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, from, err := load(t,
		[]string{"--config", file, "--listen", "127.0.0.1:3"},
		[]string{
			"STICKPRESS_LISTEN=127.0.0.1:2", "STICKPRESS_LOG_LEVEL=warn", "DATABASE_URL_FILE=" + secret, "UNRELATED=x",
			"STICKPRESS_SETUP_ADMIN=root", "STICKPRESS_SETUP_PASSWORD_FILE=" + password,
		})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Data: "/from/file", Listen: "127.0.0.1:3", MetricsAllow: "127.0.0.0/8,::1/128", DatabaseURL: "postgres://u:hidden@db/x", LogLevel: "warn", LogFormat: "text", SetupAdmin: "root", SetupPassword: "well hidden word", OIDC: c.OIDC, LDAP: c.LDAP}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
	wantFrom := map[string]string{
		"data": "file " + file, "listen": "flag", "log-level": "environment STICKPRESS_LOG_LEVEL",
		"database-url": "environment DATABASE_URL_FILE", "log-format": "default",
	}
	for key, source := range wantFrom {
		if from[key] != source {
			t.Errorf("%s comes from %q, want %q", key, from[key], source)
		}
	}
	var dump strings.Builder
	if err := c.dump(&dump, from); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(dump.String(), "hidden") || !strings.Contains(dump.String(), "postgres://u:********@db/x") {
		t.Errorf("the dump does not mask the password:\n%s", dump.String())
	}
}

// The sample file has every setting, each with its default.
func TestConfigSample(t *testing.T) {
	t.Parallel()
	sample := filepath.Join("..", "..", "deploy", "stickpress.toml")
	c, from, err := load(t, []string{"--config", sample}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if got := *s.field(&c); got != s.def {
			t.Errorf("the sample sets %s to %q, its default is %q", s.key, got, s.def)
		}
		if !strings.HasPrefix(from[s.key], "file ") {
			t.Errorf("the sample lacks %s", s.key)
		}
	}
}

func TestConfigRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args, environ []string
		want          string
	}{
		"open to the network":    {[]string{"--listen", "0.0.0.0:8080"}, nil, "reachable from the network"},
		"half of TLS":            {[]string{"--tls-cert", "x.pem"}, nil, "go together"},
		"no port":                {[]string{"--listen", "localhost"}, nil, "want HOST:PORT"},
		"not a CIDR":             {[]string{"--behind-proxy", "10.0.0.1"}, nil, "want a CIDR"},
		"nobody's provider":      {[]string{"--oidc-issuer", "https://id.example.org"}, nil, "oidc-roles is empty"},
		"provider in the clear":  {[]string{"--oidc-issuer", "http://id.example.org"}, nil, "want https://"},
		"nowhere to come back":   {[]string{"--oidc-issuer", "https://id.example.org", "--oidc-client-id", "x", "--oidc-roles", "a=admin"}, nil, "needs public-url"},
		"a role of nobody":       {[]string{"--ldap-url", "ldaps://d", "--ldap-user-base", "dc=x", "--ldap-roles", "a=king"}, nil, "viewer, helpdesk or admin"},
		"passwords in the clear": {[]string{"--ldap-url", "ldap://d", "--ldap-starttls", "no"}, nil, "in the clear"},
		"nobody in particular":   {[]string{"--ldap-url", "ldaps://d", "--ldap-user-filter", "(uid=ada)"}, nil, "needs {login}"},
		"not a level":            {nil, []string{"STICKPRESS_LOG_LEVEL=loud"}, "log-level"},
		"both forms":             {nil, []string{"DATABASE_URL=postgres://a/b", "DATABASE_URL_FILE=/dev/null"}, "keep one"},
		"secret is not there":    {nil, []string{"DATABASE_URL_FILE=/no/such/file"}, "DATABASE_URL_FILE"},
		"admin without password": {nil, []string{"STICKPRESS_SETUP_ADMIN=root"}, "go together"},
		"password that is lost":  {nil, []string{"STICKPRESS_SETUP_ADMIN=root", "STICKPRESS_SETUP_PASSWORD_FILE=/no/such/file"}, "STICKPRESS_SETUP_PASSWORD_FILE"},
		"host without admin":     {nil, []string{"STICKPRESS_SETUP_HOST_TOKEN=0123456789abcdef0123456789abcdef"}, "goes with setup-admin"},
		"host token too short":   {nil, []string{"STICKPRESS_SETUP_ADMIN=root", "STICKPRESS_SETUP_PASSWORD=0123456789", "STICKPRESS_SETUP_HOST_TOKEN=abc"}, "at least 32"},
		"no network":             {nil, []string{"STICKPRESS_METRICS_ALLOW=monitor.lan"}, "metrics-allow"},
		"no host, no range":      {nil, []string{"STICKPRESS_OUTBOUND_ALLOW=tickets.lan, 10.0.0.0/40"}, "outbound-allow"},
		"public URL is a path":   {[]string{"--public-url", "/console"}, nil, "public-url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := load(t, c.args, c.environ)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %q", err, c.want)
			}
		})
	}
}

func TestConfigUnknownKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte("lisen = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := load(t, []string{"--config", file}, nil); err == nil || !strings.Contains(err.Error(), `"lisen"`) {
		t.Errorf("a mistyped key was not named: %v", err)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                               "",
		"postgres://u:p@h/d?sslmode=off": "postgres://u:********@h/d?sslmode=off",
		"postgres://h/d?password=p&x=y":  "postgres://h/d?password=********&x=y",
		"postgres://u@h/d":               "postgres://u@h/d",
		"host=/run user=u password=p":    "********",
		"postgres://u:p%zz@h/d":          "********",
	} {
		if got := mask(in); got != want {
			t.Errorf("mask(%q) = %q, want %q", in, got, want)
		}
	}
}

// The settings page shows what `config dump` prints: where each value comes
// from, and no password. Every setting has a sentence in the catalogue, and a
// group.
func TestConfigShown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stickpress.toml")
	if err := os.WriteFile(path, []byte(`log-level = "debug"`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, from, err := load(t, []string{"--config", path, "--listen", "127.0.0.1:1"}, []string{"DATABASE_URL=postgres://u:hunter2@db/x"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]string{
		"log-level": {api.OriginFile, path}, "listen": {api.OriginFlag, ""}, "database-url": {api.OriginEnvironment, "DATABASE_URL"}, "public-url": {api.OriginDefault, ""},
	}
	for _, s := range c.shown(from) {
		if strings.Contains(s.Value, "hunter2") {
			t.Errorf("%s shows its password: %s", s.Name, s.Value)
		}
		if w, ok := want[s.Name]; ok && (s.Origin != w[0] || s.Where != w[1]) {
			t.Errorf("%s comes from %s %s, want %v", s.Name, s.Origin, s.Where, w)
		}
		if api.SettingGroup(s.Name) == "" {
			t.Errorf("%s is in no group", s.Name)
		}
		for _, l := range locale.All() {
			if !l.Has("setting.about_" + s.Name) {
				t.Errorf("%s has no sentence in %s", s.Name, l)
			}
		}
	}
}

// A certificate that the console keeps is taken when the settings name no other
// and no proxy, and then the console may be reached from the network.
func TestConfigKeptCertificate(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	cert, key, err := keypair.SelfSigned([]string{"desk.example"}, time.Now())
	if err == nil {
		err = keypair.Keep(data, cert, key, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	c, from, err := load(t, []string{"--data", data, "--listen", "0.0.0.0:8443"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := keypair.Paths(data)
	if c.TLSCert != want || from["tls-cert"] != "console "+want || !c.secure() {
		t.Errorf("the certificate is %q from %q", c.TLSCert, from["tls-cert"])
	}
	if c, _, err = load(t, []string{"--data", data, "--tls-cert", "own.pem", "--tls-key", "own.key"}, nil); err != nil || c.TLSCert != "own.pem" {
		t.Errorf("the settings' certificate gives way: %q, %v", c.TLSCert, err)
	}
	if c, _, err = load(t, []string{"--data", data, "--behind-proxy", "10.0.0.0/8"}, nil); err != nil || c.TLSCert != "" {
		t.Errorf("behind a proxy it is used: %q, %v", c.TLSCert, err)
	}
}
