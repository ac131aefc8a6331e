package world

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"github.com/stickpress/stickpress/api/client"
)

var secret = regexp.MustCompile(`stp_[A-Za-z0-9_-]{43}`)

// SetUp makes the admin through the pages' own forms, as a person does
// without JavaScript, and a token for Client.
func (w *World) SetUp() {
	w.T.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.T.Fatal(err)
	}
	w.browser = &http.Client{Jar: jar, Timeout: Patience}
	link, err := url.Parse(w.SetupLink())
	if err != nil {
		w.T.Fatal(err)
	}
	w.Post("/setup", url.Values{
		"token": {link.Query().Get("token")}, "login": {Login}, "name": {"Ada"}, "password": {Password},
	})
	page := w.Post("/account/tokens", url.Values{"name": {"tests"}, "role": {"admin"}})
	token := secret.FindString(page)
	if token == "" {
		w.T.Fatalf("no token on the account page:\n%s", page)
	}
	w.Token = token
	if w.Client, err = client.New(w.URL, token, client.Options{}); err != nil {
		w.T.Fatal(err)
	}
}

// Post sends a form as the person that SetUp made, who is signed in, and returns
// the page that it leads to.
func (w *World) Post(path string, form url.Values) string {
	w.T.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := w.browser.Do(req)
	if err != nil {
		w.T.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.T.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		w.T.Fatalf("POST %s: %s\n%s", path, resp.Status, body)
	}
	return string(body)
}
