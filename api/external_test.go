package api_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/directory"
	"github.com/stickpress/stickpress/api/directory/directorytest"
	"github.com/stickpress/stickpress/store"
)

func TestParseGrants(t *testing.T) {
	t.Parallel()
	got, err := api.ParseGrants(" it=admin; cn=desk,ou=groups,dc=example,dc=org = helpdesk@Berlin, Bonn ;*=viewer;")
	want := []api.Grant{
		{Group: "it", Role: api.RoleAdmin},
		{Group: "cn=desk,ou=groups,dc=example,dc=org", Role: api.RoleHelpdesk, Sites: []string{"Berlin", "Bonn"}},
		{Group: "*", Role: api.RoleViewer},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("error %v, grants (-want +got):\n%s", err, d)
	}
	for _, wrong := range []string{"it", "=admin", "it=king", "it=admin@", "it=admin@ ,"} {
		if _, err := api.ParseGrants(wrong); err == nil {
			t.Errorf("%q was read", wrong)
		}
	}
}

// people sets up a console beside a real directory.
func people(t *testing.T, roles string, s *directorytest.Server) *apitest.Fixture {
	t.Helper()
	grants, err := api.ParseGrants(roles)
	if err != nil {
		t.Fatal(err)
	}
	return apitest.New(t, func(d *api.Deps) {
		d.People = &api.PeopleDirectory{Directory: directory.New(s.Config()), Grants: grants}
	})
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	const ou = ",ou=people," + directorytest.Suffix
	s := directorytest.Start(t, directorytest.Person("ada", "Ada Lovelace", "engine"), directorytest.Person("bob", "Bob", "lathe"),
		directorytest.Person("admin", "Not the admin", "mallet"), directorytest.Group("desk", "ada", "admin"), directorytest.Group("far", "ada"), directorytest.Group("gone", "bob"))
	f := people(t, "desk=helpdesk@Default; far=helpdesk@Elsewhere; gone=admin@Nowhere; cn=boss,ou=groups,dc=example,dc=org=admin", s)
	elsewhere := newSite(t, f, "Elsewhere")

	in := signIn(t, f, "192.0.2.5", "Ada", "engine", "")
	u := in.User
	want := []string{store.DefaultSite.String(), elsewhere}
	slices.Sort(want)
	if u.Login != "ada" || u.Name != "Ada Lovelace" || u.Origin != "ldap" || u.Role != api.RoleHelpdesk || !slices.Equal(slices.Sorted(slices.Values(u.Sites)), want) || u.HasPassword {
		t.Errorf("user %+v", u)
	}
	signIn(t, f, "192.0.2.5", "ada", "wrong", api.CodeSignInFailed)
	signIn(t, f, "192.0.2.5", "ada", "", api.CodeSignInFailed)
	signIn(t, f, "192.0.2.5", "nobody", "engine", api.CodeSignInFailed)
	signIn(t, f, "192.0.2.5", "bob", "lathe", api.CodeNoRole) // his only site does not exist
	// An account of the console is never the directory's.
	signIn(t, f, "192.0.2.5", "admin", "mallet", api.CodeSignInFailed)

	// Renamed she is still herself, and her groups are what they are now.
	s.Modify(t, "dn: uid=ada"+ou+"\nchangetype: modrdn\nnewrdn: uid=augusta\ndeleteoldrdn: 1\n\n"+
		"dn: cn=boss,ou=groups,"+directorytest.Suffix+"\nchangetype: add\nobjectClass: groupOfNames\ncn: boss\nmember: uid=augusta"+ou+"\n")
	again := signIn(t, f, "192.0.2.5", "augusta", "engine", "")
	if again.User.ID != u.ID || again.User.Role != api.RoleAdmin || len(again.User.Sites) != 0 {
		t.Errorf("renamed to %+v", again.User)
	}
	// What the directory decides is not decided here.
	_, err := f.UpdateUser(t.Context(), f.Admin, api.UpdateUserInput{ID: u.ID, Name: "x", Role: api.RoleViewer})
	wantFault(t, err, api.CodeOtherOrigin)
	_, err = f.CreatePasswordLink(t.Context(), f.Admin, u.ID)
	wantFault(t, err, api.CodeOtherOrigin)

	// Out of every group she is out of the console.
	s.Modify(t, "dn: cn=boss,ou=groups,"+directorytest.Suffix+"\nchangetype: delete\n")
	signIn(t, f, "192.0.2.5", "augusta", "engine", api.CodeNoRole)
	_, err = f.ActorForSession(t.Context(), anyone("192.0.2.5"), again.SessionID)
	wantFault(t, err, api.CodeSignedOut)
}

// A second factor of ours goes with a password of the directory's.
func TestDirectorySecondFactor(t *testing.T) {
	t.Parallel()
	s := directorytest.Start(t, directorytest.Person("ada", "Ada", "engine"))
	f := people(t, "*=viewer", s)
	a := browserOf(t, f, signIn(t, f, "192.0.2.5", "ada", "engine", ""))
	secret := must[api.TOTPSecret](t)(f.BeginTOTP(t.Context(), a))
	_, err := f.ConfirmTOTP(t.Context(), a, "wrong", codeAt(t, secret.Text, time.Now()))
	wantFault(t, err, api.CodePasswordWrong)
	codes := must[[]string](t)(f.ConfirmTOTP(t.Context(), a, "engine", codeAt(t, secret.Text, time.Now())))
	in := signIn(t, f, "192.0.2.5", "ada", "engine", "")
	if !in.CodeNeeded || in.SessionID != "" {
		t.Fatalf("the password alone gives %+v", in)
	}
	must[api.SignedIn](t)(f.SignInCode(t.Context(), anyone("192.0.2.5"), in.User.ID, api.MethodLDAP, codes[0]))
	// Disabled here she stays out, whatever the directory says.
	must[api.User](t)(f.SetUserDisabled(t.Context(), f.Admin, a.UserID, true))
	signIn(t, f, "192.0.2.5", "ada", "engine", api.CodeSignInFailed)
}
