package directory_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api/directory"
	"github.com/stickpress/stickpress/api/directory/directorytest"
	"github.com/stickpress/stickpress/api/fault"
)

// anybody may go on.
func anybody(string) error { return nil }

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	s := directorytest.Start(t,
		directorytest.Person("ada", "Ada Lovelace", "engine"), directorytest.Person("bob", "Bob (Stores)", "x*)(uid=*"),
		directorytest.Group("desk", "ada", "bob"), directorytest.Group("admins", "ada"))
	secure := s.Config()
	secure.URL, secure.StartTLS = s.LDAPS, false
	for name, config := range map[string]directory.Config{"StartTLS": s.Config(), "ldaps": secure} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := directory.New(config)
			p, err := d.Authenticate(t.Context(), "ADA", "engine", anybody)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"admins", "cn=admins,ou=groups," + directorytest.Suffix, "cn=desk,ou=groups," + directorytest.Suffix, "desk"}
			if p.Login != "ada" || p.Name != "Ada Lovelace" || len(p.ID) != 36 || !slices.Equal(p.Groups, want) {
				t.Errorf("person %+v", p)
			}
			if _, err := d.Authenticate(t.Context(), "bob", "x*)(uid=*", anybody); err != nil {
				t.Error(err)
			}
			for _, wrong := range [][2]string{
				{"ada", "wrong"},
				{"ada", ""},
				{"", "engine"},
				{"nobody", "engine"},
				{"*", "engine"},
				{"ada)(uid=*", "engine"},
				{"a*", "engine"},
				{"ada\x00", "engine"},
				{`ada\2a`, "engine"},
			} {
				if _, err := d.Authenticate(t.Context(), wrong[0], wrong[1], anybody); !errors.Is(err, directory.ErrRefused) {
					t.Errorf("%q with %q: %v", wrong[0], wrong[1], err)
				}
			}
		})
	}
}

// What is no answer is not "wrong password".
func TestUnavailable(t *testing.T) {
	t.Parallel()
	s := directorytest.Start(t, directorytest.Person("ada", "Ada", "engine"))
	for name, change := range map[string]func(*directory.Config){
		"a certificate that nobody vouches for": func(c *directory.Config) { c.CA = nil },
		"the console's own password":            func(c *directory.Config) { c.BindPassword = "wrong" },
		"nobody there":                          func(c *directory.Config) { c.URL = "ldap://127.0.0.1:1" },
		"a filter that is none":                 func(c *directory.Config) { c.UserFilter = "uid={login}" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := s.Config()
			change(&config)
			_, err := directory.New(config).Authenticate(t.Context(), "ada", "engine", anybody)
			if f := fault.From(err); f == nil || f.Code != directory.CodeUnavailable {
				t.Errorf("error %v", err)
			}
		})
	}
}
