package directory_test

import (
	"errors"
	"slices"
	"strings"
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

// Groups are those of who was found, not of what was typed.
func TestGroupsAreOfWhoWasFound(t *testing.T) {
	t.Parallel()
	const sfx = directorytest.Suffix
	s := directorytest.Start(t, directorytest.Person("ada", "Ada", "engine"),
		"dn: cn=boss,ou=groups,"+sfx+"\nobjectClass: groupOfNames\ncn: boss\nmember: cn=nobody,"+sfx+"\ndescription: svc-root\n\n",
		"dn: cn=desk,ou=groups,"+sfx+"\nobjectClass: groupOfNames\ncn: desk\nmember: cn=nobody,"+sfx+"\ndescription: ada\n\n")
	s.Modify(t, "dn: uid=ada,ou=people,"+sfx+"\nchangetype: modify\nadd: mail\nmail: svc-root\n")
	c := s.Config()
	c.UserFilter = "(|(uid={login})(mail={login}))"
	c.GroupFilter = "(description={login})" // in the place of memberUid
	p, err := directory.New(c).Authenticate(t.Context(), "svc-root", "engine", anybody)
	if want := []string{"cn=desk,ou=groups," + sfx, "desk"}; err != nil || p.Login != "ada" || !slices.Equal(p.Groups, want) {
		t.Errorf("person %+v, error %v", p, err)
	}
	c.LoginName = "employeeNumber" // which she does not have
	if _, err := directory.New(c).Authenticate(t.Context(), "ada", "engine", anybody); !errors.Is(err, directory.ErrRefused) {
		t.Errorf("without a login: %v", err)
	}
}

// By what somebody is known is there, and always spelt alike.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	const ada, bob = "uid=ada,ou=people," + directorytest.Suffix, "uid=bob,ou=people," + directorytest.Suffix
	s := directorytest.Start(t, directorytest.Person("ada", "Ada", "engine"), directorytest.Person("bob", "Bob", "lathe"))
	guid := func(dn, base64 string) {
		t.Helper()
		s.Modify(t, "dn: "+dn+"\nchangetype: modify\nadd: objectClass\nobjectClass: identified\n-\nadd: objectGUID\nobjectGUID:: "+base64+"\n")
	}
	guid(ada, "QUJDREVGR0hJSktMTU5PUA==") // sixteen bytes that are letters
	guid(bob, "/4CBgoOEhYaHiImKi4yNjg==") // and that are none
	c := s.Config()
	for _, tt := range []struct{ attribute, login, password, want string }{
		{"objectGUID", "ada", "engine", "4142434445464748494a4b4c4d4e4f50"},
		{"objectguid", "bob", "lathe", "ff808182838485868788898a8b8c8d8e"},
		{"cn", "ada", "engine", "Ada"},
		{"dn", "ada", "engine", ada},
		{"DN", "bob", "lathe", bob},
	} {
		c.ID = tt.attribute
		d := directory.New(c)
		p, err := d.Authenticate(t.Context(), tt.login, tt.password, anybody)
		if err != nil || p.ID != tt.want {
			t.Errorf("%s of %s is %q, error %v", tt.attribute, tt.login, p.ID, err)
		}
		if again, err := d.Again(t.Context(), tt.want, tt.password); err != nil || again.Login != tt.login {
			t.Errorf("by %s %s is %+v, error %v", tt.attribute, tt.want, again, err)
		}
		for _, wrong := range [][2]string{{tt.want, "wrong"}, {"*", tt.password}, {"", tt.password}, {tt.want, ""}} {
			if _, err := d.Again(t.Context(), wrong[0], wrong[1]); !errors.Is(err, directory.ErrRefused) {
				t.Errorf("by %s %q with %q: %v", tt.attribute, wrong[0], wrong[1], err)
			}
		}
	}
	c.ID = "employeeNumber"
	_, err := directory.New(c).Authenticate(t.Context(), "ada", "engine", anybody)
	if f := fault.From(err); f == nil || f.Code != directory.CodeUnavailable || !strings.Contains(err.Error(), "employeeNumber") {
		t.Errorf("without what identifies people: %v", err)
	}
}
