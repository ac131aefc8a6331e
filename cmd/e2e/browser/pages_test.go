package browser

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/pquerna/otp/totp"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/web/webtest"
)

// TestPages takes pictures of every page of a console in the middle of a
// working day, in both languages.
func TestPages(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	checked := s.Compare(t, s.Done)
	calibrate(t, s)
	handOver(t, s)
	batch, fleet := s.Batch(t), s.Fleet(t)
	lose(t, s, fleet)
	s.Month(t, fleet)
	told(t, s)
	inspected(t, s)
	secondFactor(t, s)
	dir := album(t)
	for _, language := range []string{"en", "zh-CN"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := open(t, s.URL, language)
			b.visit("/sign-in")
			b.shoot(dir, "sign-in-"+language)
			b.visit("/sign-in/password?token=spo_x&login=mary")
			b.shoot(dir, "sign-in-password-"+language)
			b.visit("/sign-in")
			b.fill("[name=login]", "mary")
			b.fill("[name=password]", apitest.Password+kb.Enter)
			b.at("/sign-in/code")
			b.shoot(dir, "sign-in-code-"+language)
			b.visit(s.Link(t, "admin"))
			b.shoot(dir, "sign-in-link-"+language)
			b.press("main form .btn-primary")
			b.at("/")
			pages := somePages(t, everyPage(t, s, checked))
			pages = append(pages, page{"job-batch", "/jobs/" + batch.ID}, page{"host-batch", "/hosts/" + batch.HostID}, page{"job-fleet", "/jobs/" + fleet.ID})
			for _, p := range pages {
				b.visit(p.path)
				b.shoot(dir, p.name+"-"+language)
			}
			b.visit("/sticks/scan")
			b.press("#act-1")
			b.fill("#code", "4006381333931"+kb.Enter)
			b.until("the code was refused", `document.querySelector("#scan-result [data-tone=bad]")`)
			b.fill("#code", api.ShortName(s.Wiped.Builds[0].StickID)+kb.Enter)
			b.until("the stick is back", `document.querySelector("#scan-result .scan-next")`)
			b.shoot(dir, "stick-scanned-"+language)
			b.expect("404")
			b.visit("/jobs")
			b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(kb.ModifierCtrl)))
			b.until("the palette found something", `document.querySelector("#palette .here")`)
			b.shoot(dir, "palette-"+language)
			b.size(390, 844)
			b.visit("/jobs")
			b.press(".menu-frame > summary")
			b.shoot(dir, "menu-"+language)
			b.visit("/jobs/new")
			b.where()
			b.shoot(dir, "job-where-"+language)
			b.confirm(2)
			b.shoot(dir, "job-confirm-"+language)
			b.confirmAt("/jobs/new?kind=raw&version="+s.Disk.ID, 2)
			b.shoot(dir, "job-confirm-raw-"+language)
			b.confirmAt("/jobs/new?kind=verify", 2)
			b.shoot(dir, "job-confirm-verify-"+language)
			b.confirmAt("/jobs/new?kind=wipe", 2)
			b.shoot(dir, "job-confirm-wipe-"+language)
		})
	}
}

// page is one that pictures are taken of.
type page struct{ name, path string }

// somePages are those of the pages whose names fit the regular expression
// STICKPRESS_PAGES of the environment; without it, all.
func somePages(t *testing.T, all []page) []page {
	t.Helper()
	wanted, err := regexp.Compile(os.Getenv("STICKPRESS_PAGES"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p page) bool { return !wanted.MatchString(p.name) })
}

// everyPage names the pages of a scene with their pictures' names.
func everyPage(t *testing.T, s *webtest.Scene, checked api.Job) []page {
	t.Helper()
	hook, sent := hooked(t, s)
	tokens, err := s.ListTokens(t.Context(), s.Admin, api.TokenFilter{Search: "pipeline"}, api.Page{})
	if err != nil || len(tokens.Items) == 0 {
		t.Fatalf("%d tokens, %v", len(tokens.Items), err)
	}
	views, err := s.ListViews(t.Context(), s.Admin, "sticks")
	if err != nil || len(views) == 0 {
		t.Fatalf("%d views, %v", len(views), err)
	}
	away, err := s.GetHost(t.Context(), s.Admin, "bench-2")
	if err != nil {
		t.Fatal(err)
	}
	return []page{
		{"overview", "/"},
		{"jobs", "/jobs"},
		{"job-running", "/jobs/" + s.Running.ID},
		{"job-failed", "/jobs/" + s.Failed.ID},
		{"job-done", "/jobs/" + s.Done.ID},
		{"job-wiped", "/jobs/" + s.Wiped.ID},
		{"job-checked", "/jobs/" + checked.ID},
		{"first-run-end", "/first-run"},
		{"labels", "/jobs/" + s.Done.ID + "/labels"},
		{"handover", "/jobs/" + s.Done.ID + "/labels?paper=a4-handover"},
		{"job-new", "/jobs/new"},
		{"job-new-verify", "/jobs/new?kind=verify"},
		{"job-new-wipe", "/jobs/new?kind=wipe"},
		{"job-new-raw", "/jobs/new?kind=raw&version=" + s.Disk.ID},
		{"exclusions", "/exclusions"},
		{"images", "/images"},
		{"inspection", "/inspections/under-way"},
		{"inspection-refused", "/inspections/refused"},
		{"image", "/images/win11-ent"},
		{"version", "/versions/" + s.Version.ID},
		{"version-disk", "/versions/" + s.Disk.ID},
		{"templates", "/templates"},
		{"template", "/templates/" + s.Template.ID},
		{"task-sequences", "/task-sequences"},
		{"task-sequence", "/task-sequences/" + s.Sequence.ID},
		{"task-sequence-compare", "/task-sequences/" + s.Sequence.ID + "/compare"},
		{"hosts", "/hosts"},
		{"host", "/hosts/" + s.Host.ID},
		{"host-away", "/hosts/" + away.ID},
		{"host-ports", "/hosts/" + s.Host.ID + "/ports"},
		{"sticks", "/sticks"},
		{"stick-scan", "/sticks/scan"},
		{"stick", "/sticks/" + s.Failed.Builds[1].StickID},
		{"stick-data", "/sticks/" + s.Failed.Builds[0].StickID},
		{"stick-lost", "/sticks/" + s.Done.Builds[0].StickID},
		{"stick-checked", "/sticks/" + s.Done.Builds[1].StickID},
		{"stick-label", "/sticks/" + s.Done.Builds[1].StickID + "/label"},
		{"stick-wiped", "/sticks/" + s.Wiped.Builds[0].StickID},
		{"certificate", "/certificates/" + s.Wiped.Builds[0].CertificateID},
		{"account", "/account"},
		{"pair", "/pair"},
		{"pair-asked", "/pair?code=" + asking(t, s)},
		{"jobs-narrowed", "/jobs?state=failed&host=bench-1"},
		{"jobs-none", "/jobs?color=red&holder=nobody"},
		{"versions", "/versions?image=win11-ent"},
		{"template-compare", "/templates/" + s.Template.ID + "/compare"},
		{"sites", "/sites"},
		{"site", "/sites/" + s.Host.SiteID},
		{"tokens", "/tokens"},
		{"token", "/tokens/" + tokens.Items[0].ID},
		{"webhooks", "/webhooks"},
		{"webhook-new", "/webhooks/new"},
		{"webhook", "/webhooks/" + hook},
		{"webhook-delivery", "/webhooks/" + hook + "/deliveries/" + sent},
		{"views", "/views"},
		{"view-delete", "/views/" + views[0].ID + "/delete"},
		{"requests", "/requests"},
		{"request", "/requests/" + s.Request.ID},
		{"job-new-requested", "/jobs/new?request=" + s.Request.ID},
		{"connectors", "/connectors"},
		{"connector-new", "/connectors/new"},
		{"connector", "/connectors/" + s.Connector.ID},
		{"connector-mapping", "/connectors/" + s.Connector.ID + "/mapping"},
		{"connector-write-back", "/connectors/" + s.Connector.ID + "/write-back"},
		{"setting", "/settings/session-idle"},
		{"sequence-new", "/task-sequences/new"},
		{"template-new", "/templates/new"},
		{"missing", "/nothing/here"},
		{"versions-all", "/versions"},
		{"users", "/users"},
		{"user-new", "/users/new"},
		{"user", "/users/" + s.Helpdesk.UserID},
		{"audit", "/audit"},
		{"second-factor", "/account/second-factor"},
		{"settings", "/settings"},
		{"search", "/search?q=1"},
		{"shortcuts", "/shortcuts"},
		{"ui", "/ui"},
	}
}

// handOver has one stick back, whose data is asked for, one lost, a template of
// two versions, a task sequence of two, a view, and tokens: one of somebody else's, and one for images
// only. The console is set up.
func handOver(t *testing.T, s *webtest.Scene) {
	t.Helper()
	ctx := t.Context()
	_, err := s.ReturnStick(ctx, s.Helpdesk, api.MoveStickInput{ID: s.Failed.Builds[0].StickID})
	if err == nil {
		_, err = s.DeclareStickLost(ctx, s.Helpdesk, api.MoveStickInput{ID: s.Done.Builds[0].StickID, Reason: "left on the train"})
	}
	if err == nil {
		_, err = s.CreateToken(ctx, s.Helpdesk, api.CreateTokenInput{Name: "label printer", Role: api.RoleViewer})
	}
	if err == nil {
		_, err = s.CreateToken(ctx, s.Admin, api.CreateTokenInput{
			Name: "pipeline", Role: api.RoleAdmin, TTL: 90 * 24 * time.Hour, Scopes: []api.TokenScope{api.TokenJobs, api.TokenImages},
		})
	}
	if err == nil {
		_, err = s.SaveView(ctx, s.Admin, api.SaveViewInput{List: "sticks", Name: "Back, not wiped", Query: "life=returned", Shared: true})
	}
	if err == nil {
		_, err = s.SaveTemplate(ctx, s.Admin, api.SaveTemplateInput{
			ID: s.Template.ID, Name: s.Template.Name, Description: "Setup without questions",
			Source: strings.Replace(s.StarterTemplate(), "<ProtectYourPC>3</ProtectYourPC>", "<ProtectYourPC>1</ProtectYourPC>", 1),
		})
	}
	if err == nil {
		spec := s.Sequence.Current.Spec
		spec.Layout = protocol.LayoutGPTUEFI
		_, err = s.SaveTaskSequence(ctx, s.Admin, api.SaveTaskSequenceInput{ID: s.Sequence.ID, Name: s.Sequence.Name, Spec: spec, Template: s.Template.ID})
	}
	if err == nil {
		_, err = s.BeginTOTP(ctx, s.Admin)
	}
	for _, step := range api.FirstRunSteps {
		if err == nil && step != api.FirstRunAccount {
			err = s.MarkFirstRunStep(ctx, s.Admin, step, api.FirstRunSkipped)
		}
	}
	if err == nil {
		err = s.FinishFirstRun(ctx, s.Admin)
	}
	if err == nil {
		_, err = s.SaveSetting(ctx, s.Admin, api.SaveSettingInput{Name: api.SettingSessionIdle, Value: "480"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// secondFactor makes a person who is asked for a code at each sign-in.
func secondFactor(t *testing.T, s *webtest.Scene) {
	t.Helper()
	u, err := s.CreateUser(t.Context(), s.System, api.CreateUserInput{Login: "mary", Name: "Mary Jackson", Role: api.RoleViewer, Password: apitest.Password})
	if err != nil {
		t.Fatal(err)
	}
	mary := s.Viewer
	mary.UserID, mary.Name = u.ID, u.Login
	secret, err := s.BeginTOTP(t.Context(), mary)
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret.Text, time.Now())
	if err == nil {
		_, err = s.ConfirmTOTP(t.Context(), mary, apitest.Password, code)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lose has half of a job's sticks lost, so that much is to be disabled.
func lose(t *testing.T, s *webtest.Scene, j api.Job) {
	t.Helper()
	for _, b := range j.Builds[:len(j.Builds)/2] {
		if _, err := s.DeclareStickLost(t.Context(), s.Helpdesk, api.MoveStickInput{ID: b.StickID, Reason: "the van was broken into"}); err != nil {
			t.Fatal(err)
		}
	}
}

// told has a ticket declined and its system told so, which cannot be reached, and
// a delivery that proved nothing.
func told(t *testing.T, s *webtest.Scene) {
	t.Helper()
	k, err := s.RenewConnectorSecret(t.Context(), s.Admin, s.Connector.ID, "", s.Connector.Revision)
	if err != nil {
		t.Fatal(err)
	}
	config := *k.WriteBack
	config.Template.URL, config.Events = "https://[2001:500:2::c]/tickets/{{.key}}", append(config.Events, connector.EventDeclined)
	_, err = s.SaveWriteBack(t.Context(), s.Admin, api.SaveWriteBackInput{ID: k.ID, Secret: "their password", Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Ask(t, k.Secret, `{"number":"RITM0010039","sys_id":"a0","requested_for":"Joan Clarke","variables":{"image":"win11-ent"}}`)
	if _, err := s.DeclineStickRequest(t.Context(), s.Helpdesk, api.MoveRequestInput{ID: r.ID, Reason: "The laptop came first"}); err != nil {
		t.Fatal(err)
	}
	_, err = s.ReceiveHook(t.Context(), api.Anonymous("en", "req_x", "2001:db8:fab::25"), api.HookDelivery{Connector: s.Connector.Name, Body: []byte(`{}`)})
	if fault.From(err).Code != api.CodeHookRefused {
		t.Fatal(err)
	}
}

// inspected has one upload that is being looked into, and one that was refused.
func inspected(t *testing.T, s *webtest.Scene) {
	t.Helper()
	_, err := s.Store.Pool().Exec(t.Context(), `
		INSERT INTO inspections (upload_id, state, file_name, bytes, done_bytes, fault, publication, created_at, created_by_kind, created_by_id, updated_at)
		SELECT v.*, a.at, a.actor_kind, a.actor_id, now() FROM (VALUES
			('under-way', 'inspecting', 'kiosk-2026.03.img.zst', 8123456789, 3123456789, NULL::jsonb, '{"image": "kiosk", "version": "2026.3.0", "channel": "testing"}'::jsonb),
			('refused', 'refused', 'rescue-4.9.img.xz', 712345678, 712345678, '{"code": "image_truncated", "params": {"have_bytes": "712345678"}}', NULL)) v,
			(SELECT at, actor_kind, actor_id FROM audit WHERE action = 'publish_version' LIMIT 1) a`)
	if err != nil {
		t.Fatal(err)
	}
}

// asking is the code of a program that asks for a token, for as long as a test
// takes.
func asking(t *testing.T, s *webtest.Scene) string {
	t.Helper()
	p, err := s.BeginPairing(t.Context(), api.Anonymous("en", "req", "192.0.2.30"), "ada@laptop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.Pool().Exec(t.Context(), `UPDATE pairings SET expires_at = now() + interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	return p.Code
}

// hooked makes webhooks of which one cannot be delivered to, and gives its ID and
// that of the delivery that failed.
func hooked(t *testing.T, s *webtest.Scene) (hook, sent string) {
	t.Helper()
	if _, err := s.CreateWebhook(t.Context(), s.Admin, api.SaveWebhookInput{URL: "https://hooks.example.org/stickpress"}); err != nil {
		t.Fatal(err)
	}
	w, err := s.CreateWebhook(t.Context(), s.Admin, api.SaveWebhookInput{
		URL: "https://[2001:500:2::c]/tickets", Description: "Tickets", Types: []string{"job.succeeded", "job.failed", "stick.lost"},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.PingWebhook(t.Context(), s.Admin, w.ID)
	for err == nil && d.State == api.DeliveryPending {
		d, err = s.GetDelivery(t.Context(), s.Admin, w.ID, d.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.ID, d.ID
}

// calibrate numbers the sockets of the host's hub, is in the middle of it, and
// lets its sticks flash.
func calibrate(t *testing.T, s *webtest.Scene) {
	t.Helper()
	s.Reconnect(t, protocol.CapIdentify)
	var ports []api.HostPort
	for i := range 10 { // the last two are empty
		ports = append(ports, api.HostPort{Hub: "A", Number: i + 1, Socket: fmt.Sprintf("pci-0000:00:14.0-usb-0:2.%d", i+1)})
	}
	_, err := s.SetHostPorts(t.Context(), s.Admin, api.SetHostPortsInput{Host: s.Host.ID, Ports: ports})
	if err == nil {
		_, err = s.StartCalibration(t.Context(), s.Admin, s.Host.ID, "A", 11)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFirstRunPages takes pictures of the first run's steps in the other
// language; TestFirstRun goes through them.
func TestFirstRunPages(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	dir := album(t)
	b := open(t, s.URL, "zh-CN")
	b.visit(s.Link(t, "admin"))
	b.press("main form .btn-primary")
	b.at("/")
	for _, step := range api.FirstRunSteps {
		b.visit("/first-run/" + string(step))
		b.shoot(dir, "first-run-"+string(step)+"-zh-CN")
	}
}

// TestPagesEmpty takes pictures of a console on which there is nothing yet, as
// somebody sees it who cannot change that.
func TestPagesEmpty(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	dir := album(t)
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	b.shoot(dir, "empty-overview")
	for _, section := range []string{"jobs", "images", "hosts", "sticks"} {
		b.visit("/" + section)
		b.shoot(dir, "empty-"+section)
	}
	b.visit("/jobs/new")
	b.shoot(dir, "empty-job-new")
	b.visit("/users")
	b.shoot(dir, "forbidden")
	b.expect("403")
	if _, err := s.Store.Pool().Exec(t.Context(), "ALTER TABLE saved_views RENAME TO mislaid"); err != nil {
		t.Fatal(err)
	}
	b.visit("/views")
	b.shoot(dir, "broken")
	b.expect("500")
}
