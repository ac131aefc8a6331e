package api_test

import (
	"crypto/ed25519"
	"errors"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

// A first start with settings makes one admin and lets one host in; any number
// of starts, at once or later, make no other.
func TestSetupFromSettings(t *testing.T) {
	t.Parallel()
	c, _ := apitest.Bare(t)
	in := api.SetupFromSettingsInput{Login: "root", Password: apitest.Password, HostToken: "agreed-beforehand-0123456789abcdef"}
	made := make(chan bool, 4)
	var all sync.WaitGroup
	for range cap(made) {
		all.Go(func() {
			ok, err := c.SetupFromSettings(t.Context(), api.System("settings"), in)
			if err != nil {
				t.Error(err)
			}
			made <- ok
		})
	}
	all.Wait()
	close(made)
	n := 0
	for ok := range made {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of four starts made the admin", n)
	}
	other := in
	other.Login = "mallory"
	if ok, err := c.SetupFromSettings(t.Context(), api.System("settings"), other); ok || err != nil {
		t.Errorf("a later start with another login: %v, %v", ok, err)
	}
	if _, needed, err := c.SetupToken(t.Context()); needed || err != nil {
		t.Errorf("a link for the first admin is still made: %v, %v", needed, err)
	}
	who := api.Anonymous("en", "req_1", "192.0.2.7")
	signed, err := c.SignIn(t.Context(), who, api.SignInInput{Login: "root", Password: apitest.Password})
	if err != nil || signed.User.Role != api.RoleAdmin {
		t.Errorf("sign in: %v as %q", err, signed.User.Role)
	}
	enrol := func(name string) error {
		key, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.EnrollHost(t.Context(), who, protocol.EnrollRequest{Token: in.HostToken, Name: name, PublicKey: key, Version: "1", OS: "linux", Arch: "amd64"})
		return err
	}
	if err := enrol("bench"); err != nil {
		t.Errorf("the host is not let in: %v", err)
	}
	if err := enrol("second"); !errors.Is(err, fault.New(fault.KindUnauthenticated, "token_invalid")) {
		t.Errorf("the token lets a second host in: %v", err)
	}
}

// What cannot become an admin makes nothing at all.
func TestSetupFromSettingsRefuses(t *testing.T) {
	t.Parallel()
	c, _ := apitest.Bare(t)
	for code, in := range map[string]api.SetupFromSettingsInput{
		"password_too_short": {Login: "root", Password: "short"},
		"login_invalid":      {Login: "two words", Password: apitest.Password},
	} {
		if _, err := c.SetupFromSettings(t.Context(), api.System("settings"), in); fault.From(err).Code != fault.Code(code) {
			t.Errorf("%+v: %v, want %s", in, err, code)
		}
	}
	if _, err := c.SetupFromSettings(t.Context(), api.Anonymous("en", "", ""), api.SetupFromSettingsInput{Login: "x", Password: apitest.Password}); err == nil {
		t.Error("a stranger may set the console up")
	}
	if needed, err := c.SetupNeeded(t.Context()); !needed || err != nil {
		t.Errorf("somebody was made: %v, %v", needed, err)
	}
}
