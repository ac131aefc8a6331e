package rest_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// A token may be sent in three ways.
func TestWaysToSendAToken(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	secret := s.Token(viewer)
	basic := func(user string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
	}
	for _, header := range []map[string]string{
		{"Authorization": "Bearer " + secret},
		{"Authorization": "bearer  " + secret},
		{"Authorization": basic("servicenow")},
		{"Authorization": basic("")},
		{wire.HeaderAPIKey: secret},
	} {
		if a := send(t, s, ask{method: "GET", path: "/jobs", header: header}); a.status != http.StatusOK {
			t.Errorf("%v: status %d: %s", header, a.status, a.body)
		}
	}
}

// The document names the scopes that there are, in the question and the answer.
func TestScopesInTheDocument(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	type schema struct {
		Properties struct {
			Scopes struct {
				Items struct {
					Enum []api.TokenScope `json:"enum"`
				} `json:"items"`
			} `json:"scopes"`
		} `json:"properties"`
	}
	doc := decode[struct {
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}](t, send(t, s, ask{method: "GET", path: "/openapi.json"}), http.StatusOK)
	for _, name := range []string{"CreateToken", "Token", "NewToken"} {
		if got := doc.Components.Schemas[name].Properties.Scopes.Items.Enum; !slices.Equal(got, api.TokenScopes) {
			t.Errorf("%s has the scopes %v, want %v", name, got, api.TokenScopes)
		}
	}
}

// Each token has its own number of requests a minute; the others go on.
func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	if _, err := s.SaveSetting(t.Context(), s.Admin, api.SaveSettingInput{Name: api.SettingTokenRate, Value: "60"}); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range 61 {
		if a := send(t, s, get(s, viewer, "/identity")); a.status == http.StatusTooManyRequests {
			refused++
			wantProblem(t, a, http.StatusTooManyRequests, "token_rate")
			if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 || n > 60 {
				t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
			}
		}
	}
	if refused == 0 {
		t.Error("61 requests of 60")
	}
	if a := send(t, s, get(s, helpdesk, "/identity")); a.status != http.StatusOK {
		t.Errorf("another token is refused, too: %d", a.status)
	}
}
