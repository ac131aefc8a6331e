package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// A person sees who asks, and answers with what it may do.
func TestPair(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	program := api.Anonymous("en", "req", "192.0.2.40")
	evil := `<b>"ada@laptop"</b>`
	asked := func() api.NewPairing {
		p, err := s.BeginPairing(t.Context(), program, evil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	viewer := signedIn(t, s, "viewer", "en")
	viewer.get("/account").shows("Sign in a program")
	viewer.get("/pair").want(http.StatusOK).shows("Type it here").lacks("Allow")
	viewer.get("/pair?code=BBBB-BBBB").want(http.StatusNotFound).shows("No program asks with this code.")

	p := asked()
	form := viewer.get("/pair?code="+p.Code).want(http.StatusOK).shows(evil, p.Code, "192.0.2.40", "deny it")
	if roles := form.all("option", "value", "admin"); len(roles) != 0 {
		t.Error("a viewer may allow an admin")
	}
	answer := url.Values{"code": {p.Code}, "answer": {"allow"}, "role": {"viewer"}, "days": {"soon"}, "scope": {"read"}}
	again := viewer.post("/pair", answer).want(http.StatusUnprocessableEntity).shows("A token lives for a whole number of days", p.Code)
	if on := again.all("input", "value", "read"); len(on) != 1 || !has(on[0], "checked") {
		t.Error("what was ticked is gone")
	}
	answer.Set("role", "admin")
	answer.Set("days", "1")
	viewer.post("/pair", answer).want(http.StatusForbidden).shows(p.Code)
	answer.Set("role", "viewer")
	viewer.post("/pair", answer).want(http.StatusOK).shows(evil + " may act for you")
	viewer.post("/pair", answer).want(http.StatusNotFound).shows("No program asks with this code.")
	token, err := s.EndPairing(t.Context(), program, p.ID, p.Secret)
	if err != nil || token.Login != "viewer" || len(token.Scopes) != 1 || token.ExpiresAt == nil {
		t.Errorf("%+v, %v", token, err)
	}
	viewer.get("/account").shows(evil)

	p = asked()
	viewer.post("/pair", url.Values{"code": {p.Code}, "answer": {"deny"}}).want(http.StatusOK).shows(evil + " gets no token.")
	if _, err := s.EndPairing(t.Context(), program, p.ID, p.Secret); err == nil {
		t.Error("what was denied got a token")
	}
}
