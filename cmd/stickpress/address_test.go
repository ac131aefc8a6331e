package main

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
)

// A link leads to where the server is, whatever its port; once that has ended,
// to where it was, and that is said.
func TestLinkLeadsToTheServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	link := func(flags ...string) (string, string) {
		t.Helper()
		var out, said strings.Builder
		if _, err := run(t.Context(), append([]string{"admin", "link", "ada", "--data", data}, flags...), nil, nil, &out, &said); err != nil {
			t.Fatal(err)
		}
		return out.String(), said.String()
	}
	want := func(url, doubt string, flags ...string) string {
		t.Helper()
		got, said := link(flags...)
		if !strings.HasPrefix(got, url+"/sign-in/link?token=") || doubt == "" && said != "" || !strings.Contains(said, doubt) {
			t.Errorf("the link is %s, %s; want one to %s", got, said, url)
		}
		return strings.TrimSpace(got)
	}
	c := Config{Data: data, Listen: "127.0.0.1:0", LogLevel: "info", LogFormat: "text", SetupAdmin: "ada", SetupPassword: "correct horse battery"}
	s, err := startServer(t.Context(), c, origin{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	at := want(s.url, "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %+v, %v", at, resp, err)
	}
	_ = resp.Body.Close()
	want("http://127.0.0.1:1", "", "--listen", "127.0.0.1:1")
	want("https://press.example", "", "--public-url", "https://press.example")
	found, _ := (&desk{t: t, data: data}).findings("--listen", c.Listen)
	if f := found["public URL"]; f.Status == findingOK {
		t.Errorf("an address that nobody has: %+v", f)
	}
	if found, _ = (&desk{t: t, data: data}).findings(); found["public URL"].Says != s.url+" leads nowhere but on this machine" {
		t.Errorf("the server's: %+v", found["public URL"])
	}
	if _, err := s.console.SaveSetting(t.Context(), api.System("test"), api.SaveSettingInput{Name: api.SettingPublicURL, Value: "https://set.example/"}); err != nil {
		t.Fatal(err)
	}
	want("https://set.example", "")
	if _, err := s.console.SaveSetting(t.Context(), api.System("test"), api.SaveSettingInput{Name: api.SettingPublicURL}); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	want(s.url, "No server runs in "+data)
	if err := os.Remove(filepath.Join(data, addressFile)); err != nil {
		t.Fatal(err)
	}
	want("http://127.0.0.1:8080", "No server has run in "+data)
}

// What a server's own settings say goes before what is set in the console, for
// commands that do not have them, too; and of two servers the first is asked.
func TestLeftAddress(t *testing.T) {
	t.Parallel()
	c := Config{Data: t.TempDir(), Listen: "127.0.0.1:8080"}
	first, err := leaveAddress(c.Data, address{URL: "http://127.0.0.1:7", PublicURL: "https://press.example"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := leaveAddress(c.Data, address{URL: "http://127.0.0.1:9"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.reach(origin{}); got != (reached{url: "https://press.example", set: true}) {
		t.Errorf("it is at %+v", got)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if _, runs := leftAddress(c.Data); !runs {
		t.Error("the first has ended with the second")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got := c.reach(origin{}); got.url != "http://127.0.0.1:7" || got.set || got.doubt == "" {
		t.Errorf("it was at %+v", got)
	}
	if err := os.WriteFile(filepath.Join(c.Data, addressFile), []byte(`{"url":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.reach(origin{}); got.url != "http://127.0.0.1:8080" || got.doubt == "" {
		t.Errorf("of a file that is cut off: %+v", got)
	}
}
