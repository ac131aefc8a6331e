package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

// there is a site with something of every kind, and somebody of another site.
type there struct {
	*apitest.Fixture
	host, site         string
	job                api.Job // a wiped stick
	order              api.QueueJobInput
	identity           protocol.Identity
	stick, certificate string
	user, login, token string
	session            string    // the user's
	request            string    // of a ticket
	mine               string    // a user of the stranger's site
	stranger           api.Actor // an admin of another site
}

func newThere(t *testing.T) *there {
	t.Helper()
	f := apitest.New(t)
	x := &there{Fixture: f, site: store.DefaultSite.String()}
	f.Publish(t, "win11-ent", "1.0.0")
	wiped, free := apitest.Stick("a.img"), apitest.Stick("b.img")
	h, s := f.Connect(t, "bench", wiped, free)
	x.host, x.identity, x.order = h.ID, free.Identity, apitest.Order("win11-ent", "bench", free)
	x.job = finish(t, f, s, must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, wiping(nil, wiped))), erased(wiped))
	x.stick, x.certificate = x.job.Builds[0].StickID, x.job.Builds[0].CertificateID
	u := must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "here", Role: api.RoleHelpdesk, Sites: []string{x.site}}))
	x.user, x.login = u.ID, u.Login
	x.token = must[api.NewToken](t)(f.CreateToken(t.Context(), f.Admin, api.CreateTokenInput{Name: "t", Role: api.RoleViewer, Login: u.Login})).ID
	link := must[api.SignInLink](t)(f.CreateSignInLink(t.Context(), f.Admin, api.SignInLinkInput{Login: x.login}))
	x.session = must[api.SignedIn](t)(f.RedeemSignInLink(t.Context(), anyone("192.0.2.21"), link.Secret)).SessionID
	k := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{Name: "desk", System: connector.Generic}))
	x.request = must[api.HookResult](t)(f.ReceiveHook(t.Context(), nobody, api.HookDelivery{
		Connector: "desk", Header: http.Header{connector.DefaultHeader: {k.Secret}}, Body: []byte(`{"ticket":"T-1"}`),
	})).Request.ID
	elsewhere := newSite(t, f, "Elsewhere")
	x.stranger = limited(t, f, "stranger", api.RoleAdmin, elsewhere)
	x.mine = limited(t, f, "mine", api.RoleHelpdesk, elsewhere).UserID
	return x
}

func newSite(t *testing.T, f *apitest.Fixture, name string) string {
	t.Helper()
	id, err := store.NewID[store.SiteID](time.Now(), rand{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Store.Pool().Exec(t.Context(), `INSERT INTO sites (id, name, created_at, updated_at) VALUES ($1, $2, now(), now())`, id, name)
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// rand is not random: one site is enough for a test.
type rand struct{}

func (rand) Read(p []byte) (int, error) { return len(p), nil }

// limited is somebody with these sites.
func limited(t *testing.T, f *apitest.Fixture, login string, role api.Role, sites ...string) api.Actor {
	t.Helper()
	u := must[api.User](t)(f.CreateUser(t.Context(), f.System, api.CreateUserInput{Login: login, Role: role, Sites: sites}))
	return must[api.Actor](t)(f.ActorForUser(t.Context(), anyone("192.0.2.20"), u.ID))
}

// tries has a call of every use case that asks for sites, with what is at
// another site. It returns the fault, or what a list or a number told.
func (x *there) tries() map[api.UseCase]func(context.Context, api.Actor) (any, error) {
	change := api.ChangeHostInput{ID: x.host}
	return map[api.UseCase]func(context.Context, api.Actor) (any, error){
		api.UseListSites: func(ctx context.Context, a api.Actor) (any, error) {
			l, err := x.ListSites(ctx, a, api.ShelfFilter{}, api.Page{})
			return slices.DeleteFunc(l.Items, func(s api.Site) bool { return s.ID == a.Sites[0] }), err
		},
		api.UseListHosts: func(ctx context.Context, a api.Actor) (any, error) {
			l, err := x.ListHosts(ctx, a, api.HostFilter{}, api.Page{})
			return l.Items, err
		},
		api.UseGetHost: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.GetHostPorts(ctx, a, x.host); got(err) != "host_not_found" {
				return "ports", err
			}
			if _, err := x.GetHost(ctx, a, "bench"); got(err) != "host_not_found" {
				return "by name", err
			}
			return x.GetHost(ctx, a, x.host)
		},
		api.UseListSticks: func(ctx context.Context, a api.Actor) (any, error) {
			l, err := x.ListSticks(ctx, a, api.StickFilter{}, api.Page{Limit: 1})
			return l, err
		},
		api.UseGetStick: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.StickEvents(ctx, a, x.stick, 0); got(err) != "stick_not_found" {
				return "events", err
			}
			if _, err := x.StickCertificates(ctx, a, x.stick); got(err) != "stick_not_found" {
				return "certificates", err
			}
			return x.GetStick(ctx, a, x.stick)
		},
		api.UseGetCertificate: func(ctx context.Context, a api.Actor) (any, error) { return x.GetCertificate(ctx, a, x.certificate) },
		api.UseGetJob: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.JobEvents(ctx, a, x.job.ID, 0); got(err) != "job_not_found" {
				return "events", err
			}
			if _, err := x.WatchJob(ctx, a, x.job.ID, 0); got(err) != "job_not_found" {
				return "watched", err
			}
			return x.GetJob(ctx, a, x.job.ID)
		},
		api.UseGetBuild: func(ctx context.Context, a api.Actor) (any, error) {
			id := x.job.Builds[0].ID
			if _, err := x.BuildEvents(ctx, a, id, 0); got(err) != "build_not_found" {
				return "events", err
			}
			if _, err := x.BuildLog(ctx, a, id, 0); got(err) != "build_not_found" {
				return "log", err
			}
			return x.GetBuild(ctx, a, id)
		},
		api.UseListBuilds: func(ctx context.Context, a api.Actor) (any, error) {
			for field, f := range map[string]api.BuildFilter{
				"job": {JobID: x.job.ID}, "stick": {StickID: x.stick}, "host": {HostID: x.host}, "site": {SiteID: x.site},
			} {
				if _, err := x.ListBuilds(ctx, a, f, api.Page{}); got(err) != fault.Code(field+"_not_found") {
					return field, err
				}
			}
			l, err := x.ListBuilds(ctx, a, api.BuildFilter{}, api.Page{})
			return l.Items, err
		},
		api.UseListJobs: func(ctx context.Context, a api.Actor) (any, error) {
			l, err := x.ListJobs(ctx, a, api.JobFilter{}, api.Page{})
			return l.Items, err
		},
		api.UseGetOverview: func(ctx context.Context, a api.Actor) (any, error) {
			o, err := x.GetOverview(ctx, a)
			raw, _ := json.Marshal(o)
			told := o.HostsTotal + o.JobsQueued + o.JobsRunning + o.SticksQueued + o.SticksRunning + o.SticksVerified
			for _, d := range o.Statistic.Days {
				told += d.Sticks + d.Succeeded
			}
			if told == 0 && !strings.Contains(string(raw), x.host) && !strings.Contains(string(raw), x.job.ID) {
				return nil, err
			}
			return o, err
		},
		api.UseSearch: func(ctx context.Context, a api.Actor) (any, error) {
			for _, text := range []string{x.job.ID, x.stick, x.host, "bench", x.job.Builds[0].Identity.Serial} {
				if found, err := x.Search(ctx, a, text); err != nil || len(found) > 0 {
					return found, err
				}
			}
			return nil, nil
		},
		api.UseListEvents: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.WatchEvents(ctx, a, api.EventFilter{Site: x.site}, ""); got(err) != "site_not_found" {
				return "watched", err
			}
			l, err := x.ListEvents(ctx, a, api.EventFilter{}, "", 1)
			if len(l) == 0 {
				return nil, err
			}
			return l, err
		},
		api.UseUpdateHost: func(ctx context.Context, a api.Actor) (any, error) {
			return x.UpdateHost(ctx, a, api.UpdateHostInput{ID: x.host, Name: "mine", SiteID: a.Sites[0]})
		},
		api.UseListHistory: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.ListHistory(ctx, a, "site", x.site, api.Page{}); got(err) != "site_not_found" {
				return "of the site", err
			}
			return x.ListHistory(ctx, a, "host", x.host, api.Page{})
		},
		api.UseCancelBuild: func(ctx context.Context, a api.Actor) (any, error) {
			return x.CancelBuild(ctx, a, x.job.ID, x.job.Builds[0].ID)
		},
		api.UseRetryBuilds: func(ctx context.Context, a api.Actor) (any, error) {
			return x.RetryBuilds(ctx, a, api.RetryBuildsInput{JobID: x.job.ID})
		},
		api.UseScheduleJob: func(ctx context.Context, a api.Actor) (any, error) {
			return x.ScheduleJob(ctx, a, api.ScheduleJobInput{ID: x.job.ID})
		},
		api.UseEstimateJob: func(ctx context.Context, a api.Actor) (any, error) {
			hosts, err := x.WatchHosts(ctx, a)
			if err != nil {
				return nil, err
			}
			for _, h := range <-hosts {
				if h.ID == x.host {
					return h, nil
				}
			}
			return x.EstimateJob(ctx, a, api.EstimateInput{Host: x.host})
		},
		api.UseQueueJob:  func(ctx context.Context, a api.Actor) (any, error) { return x.QueueJob(ctx, a, x.order) },
		api.UseCancelJob: func(ctx context.Context, a api.Actor) (any, error) { return x.CancelJob(ctx, a, x.job.ID) },
		api.UseReturnStick: func(ctx context.Context, a api.Actor) (any, error) {
			return x.ReturnStick(ctx, a, api.MoveStickInput{ID: x.stick})
		},
		api.UseIssueStick: func(ctx context.Context, a api.Actor) (any, error) {
			return x.IssueStick(ctx, a, api.IssueStickInput{ID: x.stick, Holder: "Eve"})
		},
		api.UseDeclareStickLost: func(ctx context.Context, a api.Actor) (any, error) {
			return x.DeclareStickLost(ctx, a, api.MoveStickInput{ID: x.stick})
		},
		api.UseStickFound: func(ctx context.Context, a api.Actor) (any, error) {
			return x.StickFound(ctx, a, api.MoveStickInput{ID: x.stick})
		},
		api.UseRetireStick: func(ctx context.Context, a api.Actor) (any, error) {
			return x.RetireStick(ctx, a, api.MoveStickInput{ID: x.stick})
		},
		api.UseTickStickTask: func(ctx context.Context, a api.Actor) (any, error) {
			return x.TickStickTask(ctx, a, api.TickStickTaskInput{Stick: x.stick, Task: "task_01jd6y9k3te0mv8b0g2z5q4w7x", Done: true})
		},
		api.UseUndoStickMove: func(ctx context.Context, a api.Actor) (any, error) { return x.UndoStickMove(ctx, a, x.stick, 1) },
		api.UseSettleStickData: func(ctx context.Context, a api.Actor) (any, error) {
			for _, code := range []string{x.stick, api.ShortName(x.stick)} {
				if _, err := x.ScanStick(ctx, a, api.ScanStickInput{Code: code, Act: api.ScanReturn}); got(err) != "scan_unknown" {
					return "scanned", err
				}
			}
			return x.SettleStickData(ctx, a, api.SettleStickDataInput{Stick: x.stick, Data: api.DataNone})
		},
		api.UseIdentifyDevice: func(ctx context.Context, a api.Actor) (any, error) {
			return nil, x.IdentifyDevice(ctx, a, x.host, x.identity, 1)
		},
		api.UseOverride: func(ctx context.Context, a api.Actor) (any, error) {
			in := x.order
			in.Overrides = []string{string(store.CodeStickNotWiped)}
			return x.QueueJob(ctx, a, in)
		},
		api.UseCreateEnrolment: func(ctx context.Context, a api.Actor) (any, error) {
			return x.CreateEnrolment(ctx, a, api.CreateEnrolmentInput{SiteID: x.site})
		},
		api.UseRevokeHost:      func(ctx context.Context, a api.Actor) (any, error) { return x.RevokeHost(ctx, a, change) },
		api.UseDeclareHostLost: func(ctx context.Context, a api.Actor) (any, error) { return x.DeclareHostLost(ctx, a, change) },
		api.UseCalibrateHost: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.SetHostPorts(ctx, a, api.SetHostPortsInput{Host: x.host}); got(err) != "host_not_found" {
				return "set", err
			}
			if _, err := x.StepCalibration(ctx, a, x.host, api.CalibrationFinish); got(err) != "host_not_found" {
				return "step", err
			}
			return x.StartCalibration(ctx, a, x.host, "", 1)
		},
		api.UseListUsers: func(ctx context.Context, a api.Actor) (any, error) {
			l, err := x.ListUsers(ctx, a, api.UserFilter{}, api.Page{})
			return slices.DeleteFunc(l.Items, func(u api.User) bool { return u.ID == a.UserID || u.ID == x.mine }), err
		},
		api.UseGetUser: func(ctx context.Context, a api.Actor) (any, error) { return x.GetUser(ctx, a, x.user) },
		api.UseCreateUser: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.CreateUser(ctx, a, api.CreateUserInput{Login: "wide", Role: api.RoleViewer}); got(err) != api.CodeSitesTooWide {
				return "everywhere", err
			}
			return x.CreateUser(ctx, a, api.CreateUserInput{Login: "mole", Role: api.RoleViewer, Sites: []string{x.site}})
		},
		api.UseCreateSignInLink: func(ctx context.Context, a api.Actor) (any, error) {
			return x.CreateSignInLink(ctx, a, api.SignInLinkInput{Login: x.login})
		},
		api.UseCreateToken: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.CreateToken(ctx, a, api.CreateTokenInput{Name: "t", Role: api.RoleViewer, Login: x.login}); got(err) != "user_not_found" {
				return "for another", err
			}
			return x.CreateToken(ctx, a, api.CreateTokenInput{Name: "t", Role: api.RoleViewer, Sites: []string{x.site}})
		},
		api.UseUpdateUser: func(ctx context.Context, a api.Actor) (any, error) {
			own := api.UpdateUserInput{ID: x.user, Name: "x", Role: api.RoleViewer, Sites: a.Sites}
			if _, err := x.UpdateUser(ctx, a, own); got(err) != "user_not_found" {
				return "taken over", err
			}
			own.ID, own.Sites = x.mine, []string{x.site}
			return x.UpdateUser(ctx, a, own)
		},
		api.UseDisableUser: func(ctx context.Context, a api.Actor) (any, error) { return x.SetUserDisabled(ctx, a, x.user, true) },
		api.UseUnlockUser:  func(ctx context.Context, a api.Actor) (any, error) { return x.UnlockUser(ctx, a, x.user) },
		api.UseResetTOTP:   func(ctx context.Context, a api.Actor) (any, error) { return x.ResetTOTP(ctx, a, x.user) },
		api.UseCreatePasswordLink: func(ctx context.Context, a api.Actor) (any, error) {
			return x.CreatePasswordLink(ctx, a, x.user)
		},
		api.UseListSessions: func(ctx context.Context, a api.Actor) (any, error) { return x.ListSessions(ctx, a, x.user) },
		api.UseEndSession: func(ctx context.Context, a api.Actor) (any, error) {
			if err := x.EndSession(ctx, a, x.user, x.session); got(err) != "user_not_found" {
				return "one", err
			}
			if err := x.EndSession(ctx, a, a.UserID, x.session); got(err) != "session_not_found" {
				return "as one's own", err
			}
			return nil, x.EndSessions(ctx, a, x.user)
		},
		api.UseExportAudit: func(ctx context.Context, a api.Actor) (any, error) {
			var all []api.AuditEntry
			err := x.ExportAudit(ctx, a, api.AuditFilter{}, func(e api.AuditEntry) error {
				if e.ActorID != a.UserID {
					all = append(all, e)
				}
				return nil
			})
			return all, err
		},
		api.UseListStickRequests: func(ctx context.Context, a api.Actor) (any, error) {
			if _, err := x.RequestWriteBacks(ctx, a, x.request); got(err) != "stick_request_not_found" {
				return "what was written back", err
			}
			if _, err := x.ListHistory(ctx, a, "stick_request", x.request, api.Page{}); got(err) != "stick_request_not_found" {
				return "history", err
			}
			if n, err := x.CountOpenStickRequests(ctx, a); err != nil || n > 0 {
				return n, err
			}
			if l, err := x.ListStickRequests(ctx, a, api.StickRequestFilter{}, api.Page{}); err != nil || len(l.Items) > 0 {
				return l, err
			}
			return x.GetStickRequest(ctx, a, x.request)
		},
		api.UseDeclineStickRequest: func(ctx context.Context, a api.Actor) (any, error) {
			return x.DeclineStickRequest(ctx, a, api.MoveRequestInput{ID: x.request, Reason: "x"})
		},
		api.UseReopenStickRequest: func(ctx context.Context, a api.Actor) (any, error) {
			return x.ReopenStickRequest(ctx, a, api.MoveRequestInput{ID: x.request})
		},
		api.UseListTokens: func(ctx context.Context, a api.Actor) (any, error) {
			l, err := x.ListTokens(ctx, a, api.TokenFilter{}, api.Page{})
			return l.Items, err
		},
		api.UseRevokeToken: func(ctx context.Context, a api.Actor) (any, error) { return nil, x.RevokeToken(ctx, a, x.token) },
		api.UseListAudit: func(ctx context.Context, a api.Actor) (any, error) {
			l, err := x.ListAudit(ctx, a, api.AuditFilter{}, api.Page{})
			return slices.DeleteFunc(l.Items, func(e api.AuditEntry) bool { return e.ActorID == a.UserID }), err
		},
	}
}
