package api_test

import (
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Every use case is tried by an admin of another site: what is here is not
// there for them, whether they would read it or change it.
func TestForeignSite(t *testing.T) {
	t.Parallel()
	x := newThere(t)
	tries := x.tries()
	for use := range api.Permissions {
		switch api.Scopes[use] {
		case api.ScopeSelf, api.ScopeShared:
		case api.ScopeEvery:
			if x.stranger.Can(use) || !x.Admin.Can(use) {
				t.Errorf("%s: somebody with some sites may, or somebody with all may not", use)
			}
			wantFault(t, calls(x.Fixture)[use](t.Context(), x.stranger), api.CodeEverySite)
		case api.ScopeSite:
			try, ok := tries[use]
			if !ok {
				t.Errorf("no try of %s at another site in this test", use)
				continue
			}
			saw, err := try(t.Context(), x.stranger)
			f := fault.From(err)
			switch {
			case f != nil && f.Kind == fault.KindNotFound:
			case err != nil:
				t.Errorf("%s at another site: %v (%v)", use, err, saw)
			case !empty(saw):
				t.Errorf("%s at another site saw %+v", use, saw)
			}
		default:
			t.Errorf("%s has no scope: say in scopes what it has to do with sites", use)
		}
	}
	if len(api.Scopes) != len(api.Permissions) {
		t.Errorf("%d scopes of %d use cases", len(api.Scopes), len(api.Permissions))
	}
}

// empty reports whether a list told nothing.
func empty(saw any) bool {
	switch l := saw.(type) {
	case nil:
		return true
	case []api.Site:
		return len(l) == 0
	case []api.JobBuild:
		return len(l) == 0
	case []api.Host:
		return len(l) == 0
	case []api.Job:
		return len(l) == 0
	case []api.User:
		return len(l) == 0
	case []api.Token:
		return len(l) == 0
	case []api.AuditEntry:
		return len(l) == 0
	case api.List[api.Stick]:
		return len(l.Items) == 0 && l.Next == ""
	}
	return false
}

// And somebody of the site itself sees and uses all of it.
func TestOwnSite(t *testing.T) {
	t.Parallel()
	x := newThere(t)
	here := limited(t, x.Fixture, "helper", api.RoleHelpdesk, x.site)
	chief := limited(t, x.Fixture, "chief", api.RoleAdmin, x.site)
	must[api.Host](t)(x.GetHost(t.Context(), here, x.host))
	must[api.Stick](t)(x.GetStick(t.Context(), here, x.stick))
	must[api.Certificate](t)(x.GetCertificate(t.Context(), here, x.certificate))
	job := must[api.Job](t)(x.QueueJob(t.Context(), here, x.order))
	if o := must[api.Overview](t)(x.GetOverview(t.Context(), here)); o.HostsTotal != 1 || o.JobsQueued != 1 {
		t.Errorf("overview %+v", o)
	}
	must[api.Job](t)(x.CancelJob(t.Context(), here, job.ID))
	if l := must[api.List[api.Stick]](t)(x.ListSticks(t.Context(), here, api.StickFilter{}, api.Page{})); len(l.Items) != 2 {
		t.Errorf("sees %d sticks", len(l.Items))
	}
	audit := must[api.List[api.AuditEntry]](t)(x.ListAudit(t.Context(), chief, api.AuditFilter{}, api.Page{}))
	kinds := map[string]int{}
	for _, e := range audit.Items {
		kinds[e.ObjectKind]++
	}
	if kinds["job"] != 3 || kinds["host"] != 1 || kinds["image"]+kinds["image_version"]+kinds["user"] != 0 {
		t.Errorf("the chief of a site reads of %v", kinds)
	}
	u := must[api.User](t)(x.CreateUser(t.Context(), chief, api.CreateUserInput{Login: "new", Role: api.RoleAdmin, Sites: []string{x.site}}))
	if !slices.Equal(u.Sites, []string{x.site}) {
		t.Errorf("the new one has %v", u.Sites)
	}
	must[api.User](t)(x.GetUser(t.Context(), chief, x.user))
	_, err := x.GetUser(t.Context(), chief, x.Viewer.UserID) // has every site
	wantFault(t, err, "user_not_found")
	_, err = x.CreateSignInLink(t.Context(), chief, api.SignInLinkInput{Login: "admin"})
	wantFault(t, err, "user_not_found")
}

// A token never reaches further than its owner does now, nor makes one that
// reaches further than itself.
func TestTokenSites(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	here, other := store.DefaultSite.String(), newSite(t, f, "Elsewhere")
	made := must[api.NewToken](t)(f.CreateToken(t.Context(), f.Admin, api.CreateTokenInput{Name: "ci", Role: api.RoleAdmin, Sites: []string{here}}))
	a := must[api.Actor](t)(f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret))
	if !slices.Equal(a.Sites, []string{here}) {
		t.Fatalf("the token has %v", a.Sites)
	}
	more := must[api.NewToken](t)(f.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "ci2", Role: api.RoleAdmin}))
	if !slices.Equal(more.Sites, []string{here}) {
		t.Errorf("it made one with %v", more.Sites)
	}
	_, err := f.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "ci3", Role: api.RoleAdmin, Sites: []string{other}})
	wantFault(t, err, "site_not_found")
	_, err = f.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "ci3", Role: api.RoleAdmin, Sites: []string{"site_01jd6y9k3te0mv8b0g2z5q4w7x"}})
	wantFault(t, err, "site_not_found")
	if _, err := f.Store.Pool().Exec(t.Context(), `UPDATE users SET sites = ARRAY(SELECT id FROM sites WHERE name = 'Elsewhere') WHERE login = 'admin'`); err != nil {
		t.Fatal(err)
	}
	_, err = f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret)
	wantFault(t, err, "token_invalid")
}

func TestSites(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	host, _ := f.Connect(t, "bench", d)
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d)))

	elsewhere := f.Admin
	elsewhere.Sites = []string{"site_01jd6y9k3te0mv8b0g2z5q4w7x"}
	_, err := f.GetHost(t.Context(), elsewhere, host.ID)
	wantFault(t, err, "host_not_found")
	_, err = f.GetJob(t.Context(), elsewhere, job.ID)
	wantFault(t, err, "job_not_found")
	_, err = f.CancelJob(t.Context(), elsewhere, job.ID)
	wantFault(t, err, "job_not_found")
	_, err = f.CancelBuild(t.Context(), elsewhere, job.ID, job.Builds[0].ID)
	wantFault(t, err, "job_not_found")
	_, err = f.JobRun(t.Context(), elsewhere, job.ID)
	wantFault(t, err, "job_not_found")
	_, err = f.GetStick(t.Context(), elsewhere, job.Builds[0].StickID)
	wantFault(t, err, "stick_not_found")
	_, err = f.QueueJob(t.Context(), elsewhere, apitest.Order("win11-ent", "bench", d))
	wantFault(t, err, "host_not_found")
	_, err = f.RevokeHost(t.Context(), elsewhere, api.ChangeHostInput{ID: host.ID})
	wantFault(t, err, "host_not_found")
	o := must[api.Overview](t)(f.GetOverview(t.Context(), elsewhere))
	if o.HostsTotal != 0 || len(o.Running) != 0 {
		t.Errorf("overview of another site is %+v", o)
	}
}
