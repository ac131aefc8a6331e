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
	"github.com/stickpress/stickpress/api/oidc"
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

// Before the first admin is there nobody comes in from elsewhere, who would be
// the first.
func TestNobodyBeforeTheFirstAdmin(t *testing.T) {
	t.Parallel()
	s := directorytest.Start(t, directorytest.Person("ada", "Ada", "engine"))
	grants := []api.Grant{{Group: "*", Role: api.RoleAdmin}}
	c, _ := apitest.Bare(t, func(d *api.Deps) {
		d.People = &api.PeopleDirectory{Directory: directory.New(s.Config()), Grants: grants}
		d.Service = &api.SignInService{Provider: oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1"}), Grants: grants}
	})
	ada := api.SignInInput{Login: "ada", Password: "engine"}
	_, err := c.SignIn(t.Context(), anyone("192.0.2.5"), ada)
	wantFault(t, err, api.CodeSetupNeeded)
	_, err = c.BeginService(t.Context(), anyone("192.0.2.5"))
	wantFault(t, err, api.CodeSetupNeeded)
	_, err = c.SignInService(t.Context(), anyone("192.0.2.5"), oidc.Flow{}, nil)
	wantFault(t, err, api.CodeSetupNeeded)
	token, needed, err := c.SetupToken(t.Context())
	if err != nil || !needed {
		t.Fatalf("setting up is over: %v", err)
	}
	must[api.SignedIn](t)(c.Setup(t.Context(), anyone("192.0.2.5"), api.SetupInput{Token: token, Login: "boss", Password: apitest.Password}))
	must[api.SignedIn](t)(c.SignIn(t.Context(), anyone("192.0.2.5"), ada))
}

// Somebody who was renamed is asked for their own password, not for that of who
// has their login now; the next sign-in brings the new one, unless it is taken.
func TestRenamedInTheDirectory(t *testing.T) {
	t.Parallel()
	const ou = ",ou=people," + directorytest.Suffix
	s := directorytest.Start(t, directorytest.Person("ada", "Ada Lovelace", "engine"))
	f := people(t, "*=viewer", s)
	a := browserOf(t, f, signIn(t, f, "192.0.2.5", "ada", "engine", ""))
	s.Modify(t, "dn: uid=ada"+ou+"\nchangetype: modrdn\nnewrdn: uid=augusta\ndeleteoldrdn: 1\n\n"+
		"dn: uid=ada"+ou+"\nchangetype: add\nobjectClass: inetOrgPerson\nuid: ada\ncn: Other\nsn: Other\nuserPassword: other\n")
	secret := must[api.TOTPSecret](t)(f.BeginTOTP(t.Context(), a))
	_, err := f.ConfirmTOTP(t.Context(), a, "other", codeAt(t, secret.Text, time.Now()))
	wantFault(t, err, api.CodePasswordWrong)
	must[[]string](t)(f.ConfirmTOTP(t.Context(), a, "engine", codeAt(t, secret.Text, time.Now())))
	if err := f.DisableTOTP(t.Context(), a, "engine"); err != nil {
		t.Fatal(err)
	}
	signIn(t, f, "192.0.2.5", "ada", "other", api.CodeLoginOfOther)
	if in := signIn(t, f, "192.0.2.5", "augusta", "engine", ""); in.User.ID != a.UserID || in.User.Login != "augusta" {
		t.Errorf("renamed she is %+v", in.User)
	}
	if in := signIn(t, f, "192.0.2.5", "ada", "other", ""); in.User.ID == a.UserID {
		t.Error("the other one is her")
	}
	s.Modify(t, "dn: uid=augusta"+ou+"\nchangetype: modrdn\nnewrdn: uid=viewer\ndeleteoldrdn: 1\n")
	signIn(t, f, "192.0.2.5", "viewer", "engine", api.CodeSignInFailed) // that is the console's own
}

// A wrong password says the same of the console's people, of the directory's
// and of nobody, also while the directory is away; a right one of the console's
// own is good then, too.
func TestDirectoryIsAway(t *testing.T) {
	t.Parallel()
	away := directory.New(directory.Config{URL: "ldaps://127.0.0.1:1", UserBase: "dc=x", UserFilter: "(uid={login})", LoginName: "uid", ID: "entryUUID"})
	f := apitest.New(t, func(d *api.Deps) {
		d.People = &api.PeopleDirectory{Directory: away, Grants: []api.Grant{{Group: "*", Role: api.RoleViewer}}}
	})
	must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "glass", Role: api.RoleAdmin, Password: apitest.Password}))
	for _, login := range []string{"glass", "admin", "nobody"} {
		signIn(t, f, "192.0.2.5", login, "wrong", directory.CodeUnavailable)
	}
	signIn(t, f, "192.0.2.5", "glass", apitest.Password, "")
}
