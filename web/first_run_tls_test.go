package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/keypair"
	"github.com/stickpress/stickpress/web/webtest"
)

// A certificate is made or brought, and what is no pair is refused with what
// was typed.
func TestFirstRunTLS(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := webtest.Start(t, func(_ string, d *api.Deps) {
		d.TLS = api.TLSFiles{
			Keep: func(cert, key []byte) error { return keypair.Keep(data, cert, key, time.Now()) },
			Kept: func() bool { return keypair.Kept(data) },
		}
	})
	for _, locale := range []string{"zh-CN", "en"} {
		signedIn(t, s, "admin", locale).get("/first-run/address").want(http.StatusOK)
	}
	v := signedIn(t, s, "admin", "en")
	p := v.post("/first-run/tls", url.Values{"make": {"yes"}, "names": {"two words!"}}).want(http.StatusUnprocessableEntity)
	if p.value("names") != "two words!" {
		t.Error("the names that were typed are gone")
	}
	v.post("/first-run/tls", url.Values{"make": {"yes"}, "names": {""}}).want(http.StatusUnprocessableEntity)
	cert, _, err := keypair.SelfSigned([]string{"a"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := keypair.SelfSigned([]string{"a"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p = v.post("/first-run/tls", url.Values{"cert": {string(cert)}, "key": {string(other)}}).want(http.StatusUnprocessableEntity)
	if strings.Contains(p.body, "PRIVATE KEY") {
		t.Error("the page shows the key again")
	}
	if keypair.Kept(data) {
		t.Error("a refused pair is kept")
	}
	v.post("/first-run/tls", url.Values{"make": {"yes"}, "names": {"desk.example, 192.0.2.7"}}).want(http.StatusOK).
		shows("kept for the next start")
	if !keypair.Kept(data) {
		t.Error("nothing is kept")
	}
	signedIn(t, s, "helpdesk", "en").post("/first-run/tls", url.Values{"make": {"yes"}, "names": {"x"}}).want(http.StatusForbidden)
}
