package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// as returns a client with a token of a role, which does not wait between
// tries.
func as(t *testing.T, s *resttest.Server, role api.Role) *client.Client {
	t.Helper()
	return dial(t, s.URL, s.Token(role))
}

// chunk is small, so that a small image takes several.
const chunk = 32 << 10

func dial(t *testing.T, url, token string) *client.Client {
	t.Helper()
	c, err := client.New(url, token, client.Options{
		ChunkBytes: chunk,
		Backoff:    func(ctx context.Context, _ int) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// must unwraps a result that must be good.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantCode fails unless err is a problem with a code.
func wantCode(t *testing.T, err error, status int, code string) {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != status || !client.IsCode(err, code) {
		t.Errorf("error is %v, want %d %s", err, status, code)
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	ctx, c := t.Context(), as(t, s, api.RoleAdmin)
	v := s.Publish(t, "win11-ent", "1.0.0")
	must[api.Image](t)(c.CreateImage(ctx, api.CreateImageInput{Name: "win10", Title: "Windows 10"}))
	_, err := c.CreateImage(ctx, api.CreateImageInput{Name: "Windows 10"})
	wantCode(t, err, 422, "name_invalid")
	if i := must[api.Image](t)(c.GetImage(ctx, "win11-ent")); i.Latest == nil || i.Latest.ID != v.ID {
		t.Errorf("image is %+v", i)
	}
	newer := must[api.Version](t)(c.PublishVersion(ctx, api.PublishVersionInput{
		SHA256: v.SHA256, Image: "win11-ent", Version: "1.1.0", Commit: "abc", Channel: "testing",
	}))
	for _, tt := range []struct{ image, version, channel, want string }{
		{"", v.ID, "", "1.0.0"},
		{"win11-ent", "1.1.0", "", "1.1.0"},
		{"win11-ent", "", "", "1.0.0"},
		{"win11-ent", "", "testing", "1.1.0"},
	} {
		if got := must[api.Version](t)(c.FindVersion(ctx, tt.image, tt.version, tt.channel)); got.Version != tt.want {
			t.Errorf("%+v is %s", tt, got.Version)
		}
	}
	channels := must[[]api.Channel](t)(c.ListChannels(ctx, "win11-ent"))
	if len(channels) != 2 || channels[1].Name != "testing" {
		t.Fatalf("channels are %+v", channels)
	}
	set := api.SetChannelInput{Image: "win11-ent", Channel: "testing", Version: "1.0.0", Revision: channels[1].Revision}
	must[api.Channel](t)(c.SetChannel(ctx, set))
	set.Version = "1.1.0"
	_, err = c.SetChannel(ctx, set)
	wantCode(t, err, 412, "stale")
	if w := must[api.Version](t)(c.WithdrawVersion(ctx, api.WithdrawVersionInput{ID: newer.ID, Reason: "bad"})); w.State != "withdrawn" {
		t.Errorf("state %s", w.State)
	}
	if l := must[api.List[api.Version]](t)(c.ListVersions(ctx, api.VersionFilter{Image: "win11-ent"}, api.Page{Limit: 1})); len(l.Items) != 1 || l.Next == "" {
		t.Errorf("list is %+v", l)
	}
	var names []string
	for i, err := range client.All(ctx, func(ctx context.Context, p api.Page) (api.List[api.Image], error) {
		p.Limit = 1
		return c.ListImages(ctx, api.ImageFilter{}, p)
	}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, i.Name)
	}
	if got := strings.Join(names, " "); got != "win10 win11-ent" {
		t.Errorf("images %s", got)
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	ctx, c := t.Context(), as(t, s, api.RoleHelpdesk)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	s.Connect(t, "bench", stick)
	h := must[api.Host](t)(c.GetHost(ctx, "bench"))
	order := api.QueueJobInput{
		Image: "win11-ent", Host: h.ID, Layout: protocol.LayoutGPTUEFI, ExternalRef: api.Ticket("INC-1"), IdempotencyKey: "k",
		Devices: []api.QueueDevice{{Identity: h.Devices[0].Identity, Holder: "Ada", Variables: map[string]string{"computer_name": "PC-1"}}},
	}
	job := must[api.Job](t)(c.QueueJob(ctx, order))
	if again := must[api.Job](t)(c.QueueJob(ctx, order)); again.ID != job.ID {
		t.Errorf("job %s after %s", again.ID, job.ID)
	}
	if b := job.Builds[0]; b.Holder != "Ada" || b.ExternalRef.ID != "INC-1" || b.Identity != stick.Identity || b.Variables["computer_name"] != "PC-1" {
		t.Errorf("build is %+v", b)
	}
	list := must[api.List[api.Job]](t)(c.ListJobs(ctx, api.JobFilter{State: api.StateActive, Reference: "INC-1", HostID: h.ID}, api.Page{}))
	if len(list.Items) != 1 || list.Items[0].ID != job.ID {
		t.Errorf("list is %+v", list)
	}
	if o := must[api.Overview](t)(c.GetOverview(ctx)); len(o.Running) != 1 {
		t.Errorf("overview is %+v", o)
	}
	if j := must[api.Job](t)(c.CancelJob(ctx, job.ID)); j.State != "cancelled" {
		t.Errorf("state %s", j.State)
	}
	if j := must[api.Job](t)(c.RetryBuilds(ctx, api.RetryBuildsInput{JobID: job.ID, Builds: []string{job.Builds[0].ID}})); j.State != "queued" {
		t.Errorf("tried again it is %s", j.State)
	}
	if e := must[[]api.JobEvent](t)(c.JobEvents(ctx, job.ID, 1)); len(e) == 0 || e[0].Seq != 2 {
		t.Errorf("events are %+v", e)
	}
	sticks := must[api.List[api.Stick]](t)(c.ListSticks(ctx, api.StickFilter{Serial: stick.Serial}, api.Page{}))
	if len(sticks.Items) != 1 {
		t.Fatalf("sticks are %+v", sticks)
	}
	must[api.Stick](t)(c.GetStick(ctx, sticks.Items[0].ID))
	if l := must[[]api.Label](t)(c.StickLabels(ctx, sticks.Items[0].ID)); len(l) != 0 {
		t.Errorf("a stick that was not pressed has labels: %+v", l)
	}
	if l := must[[]api.Label](t)(c.JobLabels(ctx, job.ID)); len(l) != 0 {
		t.Errorf("a job that was not done has labels: %+v", l)
	}
	must[[]api.StickEvent](t)(c.StickEvents(ctx, sticks.Items[0].ID, 0))
	_, err := c.GetJob(ctx, "job_nope")
	wantCode(t, err, 404, "job_not_found")
	_, err = c.CreateEnrolment(ctx, api.CreateEnrolmentInput{})
	wantCode(t, err, 403, "forbidden")

	c = as(t, s, api.RoleAdmin)
	if e := must[api.Enrolment](t)(c.CreateEnrolment(ctx, api.CreateEnrolmentInput{TTL: time.Minute})); e.Token == "" {
		t.Error("no enrolment token")
	}
	if l := must[api.List[api.Host]](t)(c.ListHosts(ctx, api.HostFilter{OS: "linux"}, api.Page{})); len(l.Items) != 1 {
		t.Errorf("hosts are %+v", l)
	}
	must[api.Host](t)(c.RevokeHost(ctx, api.ChangeHostInput{ID: h.ID, Reason: "sold"}))
	_, err = c.DeclareHostLost(ctx, api.ChangeHostInput{ID: h.ID, Revision: h.Revision})
	wantCode(t, err, 412, "stale")
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	ctx, c := t.Context(), as(t, s, api.RoleAdmin)
	source := s.StarterTemplate()
	tpl := must[api.Template](t)(c.SaveTemplate(ctx, api.SaveTemplateInput{Name: "Büro 1/2", Source: source}))
	if got := must[api.Template](t)(c.GetTemplate(ctx, "Büro 1/2")); got.ID != tpl.ID {
		t.Errorf("template is %+v: a name may hold any sign", got)
	}
	if got := must[string](t)(c.TemplateSource(ctx, tpl.ID)); got != source {
		t.Errorf("source is %.60q", got)
	}
	must[[]api.Warning](t)(c.CheckTemplate(ctx, source))
	_, err := c.CheckTemplate(ctx, "<")
	wantCode(t, err, 422, "template_malformed")
	change := api.SaveTemplateInput{ID: tpl.ID, Name: "Lab", Source: source + "\n", Revision: tpl.Revision}
	must[api.Template](t)(c.SaveTemplate(ctx, change))
	_, err = c.SaveTemplate(ctx, change)
	wantCode(t, err, 412, "stale")
	if l := must[api.List[api.TemplateVersion]](t)(c.ListTemplateVersions(ctx, "Lab", api.Page{})); len(l.Items) != 2 {
		t.Errorf("%d versions, want 2", len(l.Items))
	}
	if l := must[api.List[api.Template]](t)(c.ListTemplates(ctx, api.ShelfFilter{}, api.Page{})); len(l.Items) != 2 {
		t.Errorf("%d templates, want 2", len(l.Items))
	}

	standard := must[api.TaskSequence](t)(c.GetTaskSequence(ctx, ""))
	if !standard.Default {
		t.Errorf("task sequence is %+v", standard)
	}
	spec := standard.Current.Spec
	spec.Layout = protocol.LayoutGPTUEFI
	seq := must[api.TaskSequence](t)(c.SaveTaskSequence(ctx, api.SaveTaskSequenceInput{Name: "UEFI", Spec: spec, Template: "Lab"}))
	spec.Edition = 2
	seq = must[api.TaskSequence](t)(c.SaveTaskSequence(ctx, api.SaveTaskSequenceInput{
		ID: seq.ID, Name: "UEFI", Spec: spec, Template: "Lab", Revision: seq.Revision,
	}))
	if seq.Current.Number != 2 || seq.Current.Spec != spec {
		t.Errorf("task sequence is %+v", seq)
	}
	must[api.List[api.TaskSequence]](t)(c.ListTaskSequences(ctx, api.ShelfFilter{}, api.Page{}))
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	ctx, c := t.Context(), as(t, s, api.RoleAdmin)
	u := must[api.User](t)(c.CreateUser(ctx, api.CreateUserInput{Login: "ann", Role: api.RoleViewer, Password: apitest.Password}))
	must[api.User](t)(c.GetUser(ctx, u.ID))
	must[api.List[api.User]](t)(c.ListUsers(ctx, api.UserFilter{Role: "viewer"}, api.Page{}))
	n := must[api.NewToken](t)(c.CreateToken(ctx, api.CreateTokenInput{Name: "ci", Role: api.RoleViewer, TTL: time.Hour, Login: "ann"}))
	ann := dial(t, s.URL, n.Secret)
	if l := must[api.List[api.Token]](t)(ann.ListTokens(ctx, api.TokenFilter{}, api.Page{})); len(l.Items) != 1 || l.Items[0].Login != "ann" {
		t.Errorf("tokens are %+v", l)
	}
	_, err := ann.ListAudit(ctx, api.AuditFilter{}, api.Page{})
	wantCode(t, err, 403, "forbidden")
	if err := c.RevokeToken(ctx, n.ID); err != nil {
		t.Fatal(err)
	}
	_, err = ann.ListTokens(ctx, api.TokenFilter{}, api.Page{})
	wantCode(t, err, 401, "token_invalid")
	l := must[api.List[api.AuditEntry]](t)(c.ListAudit(ctx, api.AuditFilter{ObjectKind: "token", ObjectID: n.ID}, api.Page{}))
	if len(l.Items) != 2 {
		t.Errorf("audit is %+v", l.Items)
	}
}

// Reading is tried again, and so is a POST, under one key; other changes are
// not. A proxy's page is a problem too.
func TestRetries(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var keys sync.Map
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.Method == http.MethodPost {
			keys.Store(r.Header.Get("Idempotency-Key"), true)
		}
		http.Error(w, "<h1>Bad Gateway</h1>", http.StatusBadGateway)
	}))
	t.Cleanup(srv.Close)
	c := dial(t, srv.URL, "stp_x")
	_, err := c.GetJob(t.Context(), "job_1")
	wantCode(t, err, 502, "http_502")
	if n := calls.Swap(0); n != 3 {
		t.Errorf("a GET was sent %d times, want 3", n)
	}
	_, err = c.CreateImage(t.Context(), api.CreateImageInput{Name: "a"})
	wantCode(t, err, 502, "http_502")
	if n := calls.Swap(0); n != 3 {
		t.Errorf("a POST was sent %d times, want 3", n)
	}
	known := 0
	keys.Range(func(key, _ any) bool {
		known++
		return key != ""
	})
	if known != 1 {
		t.Errorf("a POST was sent under %d keys, want 1", known)
	}
	_, err = c.SetChannel(t.Context(), api.SetChannelInput{Image: "a", Channel: "b", Version: "1.0.0"})
	wantCode(t, err, 502, "http_502")
	if n := calls.Load(); n != 1 {
		t.Errorf("a PUT was sent %d times, want 1", n)
	}
	for _, bad := range []string{"", "console.example", "ftp://console.example", "http://"} {
		if _, err := client.New(bad, "", client.Options{}); err == nil {
			t.Errorf("address %q was taken", bad)
		}
	}
}
