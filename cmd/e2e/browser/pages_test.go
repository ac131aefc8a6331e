package browser

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
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
