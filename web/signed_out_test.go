package web_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/web/webtest"
)

// A form that is sent after its session has ended loses nothing: it is on the
// page that says so, and can be sent once more.
func TestSessionEndsBeforeTheForm(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	v.post("/sign-out", url.Values{}).want(http.StatusOK)
	evil := `Lab <b>"2"</b> &`
	p := v.post("/sites", url.Values{"name": {evil}, "password": {"hunter2"}, "host": {"a", "b"}}).want(http.StatusUnauthorized).
		shows("Your session has ended", "Nothing was changed").lacks("hunter2")
	form := url.Values{}
	for _, n := range p.all("input", "type", "hidden") {
		if within(n, "main") {
			form.Add(attr(n, "name"), attr(n, "value"))
		}
	}
	if form.Get("name") != evil || len(form["host"]) != 2 || form.Has("password") {
		t.Errorf("the page keeps %v", form)
	}
	again := signedIn(t, s, "admin", "en")
	again.post("/sites", form).want(http.StatusOK).shows("The site " + evil + " is there.")

	// Nor does a key come back that lay in a field beside it.
	p = v.post("/first-run/tls", url.Values{"cert": {"CERT"}, "key": {"-----BEGIN PRIVATE KEY-----x"}, "anything": {"at all"}}).want(http.StatusUnauthorized)
	if !strings.Contains(p.body, "CERT") || strings.Contains(p.body, "PRIVATE KEY") || strings.Contains(p.body, "at all") {
		t.Errorf("the page keeps %s", p.body)
	}

	// A file cannot be kept; nothing of it is read.
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "a.wim")
	if err == nil {
		_, err = part.Write([]byte("MSWIM"))
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	v.do(http.MethodPost, "/images", w.FormDataContentType(), &body).want(http.StatusUnauthorized).shows("choose the file again")
}
