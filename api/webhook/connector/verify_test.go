package connector_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api/webhook/connector"
)

// signedAt is when GLPI signed the sample.
var signedAt = time.Unix(1767610800, 0)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Signatures of the samples were made by "openssl dgst -hmac"; the first is
// the test vector of Atlassian's documentation.
func TestVerify(t *testing.T) {
	t.Parallel()
	const glpi = "e7b9654536d958130908f3be799366b757bc4b56d1abeada2efe9575e644939a"
	const glpiSecret = "dQ4w9WgXcQdQ4w9WgXcQdQ4w9WgXcQdQ4w9WgXcQ"
	cases := map[string]struct {
		c    connector.Credentials
		h    http.Header
		body []byte
		at   time.Time
		want error
	}{
		"the vector of Jira's documentation": {
			c: connector.Credentials{Method: connector.MethodHubSHA256, Secret: "It's a Secret to Everybody"}, body: []byte("Hello World!"),
			h: header("X-Hub-Signature", "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"),
		},
		"Jira": {
			c: connector.Credentials{Method: connector.MethodHubSHA256, Secret: "s3cr3t-t0k3n"}, body: sample(t, "jira.json"),
			h: header("X-Hub-Signature", "sha256=03b00b0374cc71a868e488dd9f8444b72b247484c9e288338be0eb0cf7b09e36"),
		},
		"Jira, another body": {
			c: connector.Credentials{Method: connector.MethodHubSHA256, Secret: "s3cr3t-t0k3n"}, body: []byte("{}"),
			h: header("X-Hub-Signature", "sha256=03b00b0374cc71a868e488dd9f8444b72b247484c9e288338be0eb0cf7b09e36"), want: connector.ErrWrong,
		},
		"Zammad": {
			c: connector.Credentials{Method: connector.MethodHubSHA1, Secret: "s3cr3t-t0k3n"}, body: sample(t, "zammad.json"),
			h: header("X-Hub-Signature", "sha1=6418965c314d531b51433f8d30cd9af620f3c7fb"),
		},
		"a signature of another algorithm": {
			c: connector.Credentials{Method: connector.MethodHubSHA256, Secret: "s3cr3t-t0k3n"}, body: sample(t, "zammad.json"),
			h: header("X-Hub-Signature", "sha1=6418965c314d531b51433f8d30cd9af620f3c7fb"), want: connector.ErrWrong,
		},
		"no signature":  {c: connector.Credentials{Method: connector.MethodHubSHA1, Secret: "s"}, want: connector.ErrNoCredentials},
		"not even hex":  {c: connector.Credentials{Method: connector.MethodHubSHA1, Secret: "s"}, h: header("X-Hub-Signature", "sha1=zz"), want: connector.ErrWrong},
		"cut signature": {c: connector.Credentials{Method: connector.MethodHubSHA1, Secret: "s3cr3t-t0k3n"}, body: sample(t, "zammad.json"), h: header("X-Hub-Signature", "sha1=6418"), want: connector.ErrWrong},
		"GLPI": {
			c: connector.Credentials{Method: connector.MethodGLPI, Secret: glpiSecret}, body: sample(t, "glpi.json"), at: signedAt.Add(time.Hour),
			h: header("X-GLPI-signature", glpi, "X-GLPI-timestamp", "1767610800"),
		},
		"GLPI, a time that was not signed": {
			c: connector.Credentials{Method: connector.MethodGLPI, Secret: glpiSecret}, body: sample(t, "glpi.json"), at: signedAt,
			h: header("X-GLPI-signature", glpi, "X-GLPI-timestamp", "1767610801"), want: connector.ErrWrong,
		},
		"GLPI, a day later": {
			c: connector.Credentials{Method: connector.MethodGLPI, Secret: glpiSecret}, body: sample(t, "glpi.json"), at: signedAt.Add(connector.ReplayWindow + time.Second),
			h: header("X-GLPI-signature", glpi, "X-GLPI-timestamp", "1767610800"), want: connector.ErrTooOld,
		},
		"GLPI, from the future": {
			c: connector.Credentials{Method: connector.MethodGLPI, Secret: glpiSecret}, body: sample(t, "glpi.json"), at: signedAt.Add(-connector.Ahead - time.Second),
			h: header("X-GLPI-signature", glpi, "X-GLPI-timestamp", "1767610800"), want: connector.ErrTooOld,
		},
		"a connector without a secret": {
			c: connector.Credentials{Method: connector.MethodHubSHA256}, h: header("X-Hub-Signature", "sha256="), want: connector.ErrWrong,
		},
		"basic":               {c: connector.Credentials{Method: connector.MethodBasic, User: "now", Secret: "pw"}, h: header("Authorization", basic("now", "pw"))},
		"basic, any user":     {c: connector.Credentials{Method: connector.MethodBasic, Secret: "pw"}, h: header("Authorization", basic("x", "pw"))},
		"basic, other user":   {c: connector.Credentials{Method: connector.MethodBasic, User: "now", Secret: "pw"}, h: header("Authorization", basic("then", "pw")), want: connector.ErrWrong},
		"basic, wrong":        {c: connector.Credentials{Method: connector.MethodBasic, User: "now", Secret: "pw"}, h: header("Authorization", basic("now", "PW")), want: connector.ErrWrong},
		"basic, no secret":    {c: connector.Credentials{Method: connector.MethodBasic}, h: header("Authorization", basic("", "")), want: connector.ErrWrong},
		"basic, none":         {c: connector.Credentials{Method: connector.MethodBasic, Secret: "pw"}, want: connector.ErrNoCredentials},
		"header":              {c: connector.Credentials{Method: connector.MethodHeader, Header: "X-Key", Secret: "pw"}, h: header("x-key", "pw")},
		"header, bearer":      {c: connector.Credentials{Method: connector.MethodHeader, Header: "Authorization", Secret: "pw"}, h: header("Authorization", "Bearer pw")},
		"header, wrong":       {c: connector.Credentials{Method: connector.MethodHeader, Header: "X-Key", Secret: "pw"}, h: header("X-Key", "p"), want: connector.ErrWrong},
		"header, empty twice": {c: connector.Credentials{Method: connector.MethodHeader, Header: "X-Key"}, h: header("X-Key", ""), want: connector.ErrNoCredentials},
		"a method of nobody":  {c: connector.Credentials{Method: "?", Secret: "pw"}, want: connector.ErrNoCredentials},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := c.at
			if at.IsZero() {
				at = signedAt
			}
			if err := c.c.Verify(c.h, c.body, at); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDeliveryKey(t *testing.T) {
	t.Parallel()
	h := header("X-Zammad-Delivery", "a", "X-Atlassian-Webhook-Identifier", "b", "X-GLPI-signature", "c")
	seen := map[string]connector.System{}
	for _, s := range connector.Systems {
		key := string(s.DeliveryKey(h))
		named := s == connector.Zammad || s == connector.Jira || s == connector.GLPI
		if (key != "") != named {
			t.Errorf("%s has the key %x", s, key)
		}
		if other, twice := seen[key]; twice && named {
			t.Errorf("%s and %s have the same", s, other)
		}
		seen[key] = s
		if s.DeliveryKey(http.Header{}) != nil {
			t.Errorf("%s has a key without a header", s)
		}
	}
}

// What is kept of a delivery shows no secret, wherever it stood.
func TestMask(t *testing.T) {
	t.Parallel()
	c := connector.Credentials{Method: connector.MethodHeader, Header: "x-my-key", Secret: "a long secret"}
	got := c.Mask(header("Authorization", "Basic x", "X-My-Key", "wrong one", "X-Hub-Signature", "sha1=1", "X-Api-Key", "k", "Referer", "https://x/?s=a long secret",
		"User-Agent", "Zammad User Agent", "X-Long", strings.Repeat("a", 1000)))
	for name, want := range map[string]string{
		"Authorization": connector.Masked, "X-My-Key": connector.Masked, "X-Hub-Signature": connector.Masked, "X-Api-Key": connector.Masked,
		"Referer": connector.Masked, "User-Agent": "Zammad User Agent", "X-Long": strings.Repeat("a", 500) + "…",
	} {
		if got[name] != want {
			t.Errorf("%s is %q", name, got[name])
		}
	}
	if body := c.MaskBody(`{"s":"a long secret"}`); body != `{"s":"`+connector.Masked+`"}` {
		t.Errorf("the body is %s", body)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for _, s := range connector.Systems {
		if len(s.Methods()) == 0 || !s.Has(s.Methods()[0]) {
			t.Errorf("%s proves nothing", s)
		}
		if err := s.DefaultMapping().Check(); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if err := s.DefaultReply().Check(); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	if connector.System("?").Has(connector.MethodBasic) {
		t.Error("a system of nobody proves something")
	}
}
