package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/world"
	"github.com/stickpress/stickpress/web/webtest"
)

// bench is a console with an image and a host, and a browser of the admin.
func bench(t *testing.T, sticks int) (*world.World, *tab) {
	t.Helper()
	w := world.New(t)
	w.SetUp()
	w.Enrol(sticks, stickBytes)
	w.Publish("", "1.0.0")
	w.Devices(sticks)
	b := open(t, w.URL, "en")
	b.visit("/sign-in")
	b.fill("#login", world.Login)
	b.fill("#password", world.Password)
	b.press("main form .btn-primary")
	b.at("/")
	return w, b
}

const stickBytes = 64_000_000_000

// where goes to the second step.
func (b *tab) where() {
	b.Helper()
	b.press("main form .btn-primary")
	b.at("/jobs/where")
}

// jobHere is the job whose page is open.
func (b *tab) jobHere(w *world.World) api.Job {
	b.Helper()
	b.at("/jobs/job_")
	job, err := w.Client.GetJob(w.Context(), eval[string](b, `location.pathname.split("/").pop()`))
	if err != nil {
		b.Fatal(err)
	}
	return job
}

// succeeds waits until the job whose page is open is done.
func (b *tab) succeeds() {
	b.Helper()
	b.until("the job has succeeded", `document.querySelector(".page-head [data-state=succeeded]")`)
}

// What helpdesk staff does: choose, plug in, confirm, watch. The stick lights up
// as it is plugged in, an impatient double click makes one job.
func TestPressAlone(t *testing.T) {
	t.Parallel()
	w, b := bench(t, 1)
	b.visit("/jobs/new")
	b.fill("#holder", "Grace Hopper")
	b.fill("#reference", "INC-7")
	b.fill("#computer_name", "NB-{ticket}-{n:02}")
	b.until("the names are shown", `document.querySelector("#names").innerText.includes("NB-INC-7-01")`)
	b.where()
	b.press("#sticks input[name=device]")
	b.do(chromedp.Evaluate[chromedp.Void](`window.samePage = true`))
	w.AddStick("stick-2", stickBytes)
	b.until("the stick lights up", `document.querySelectorAll("#sticks .socket-idle").length === 2`)
	if !eval[bool](b, `window.samePage && document.querySelectorAll("#sticks input[name=device]:checked").length === 1`) {
		t.Error("the page was loaded again, or the tick was lost")
	}
	b.press("#choose-none")
	b.shows("No stick is chosen.")
	b.press("#choose-all")
	b.shows("2 sticks are chosen.")
	b.press("#next")
	b.at("/jobs/confirm")
	b.shows("NB-INC-7-02")
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.at("/jobs/where")
	// Of what was plugged in meanwhile the page that the browser kept knows nothing, until it follows again.
	b.shows("2 sticks are chosen.")
	b.press("#next")
	b.at("/jobs/confirm")
	b.shows("not known yet")
	if eval[bool](b, `document.querySelector("#count") !== null`) {
		t.Error("something has to be typed for blank sticks")
	}
	b.do(chromedp.DoubleClick(chromedp.CSS("#confirm .btn-primary")))
	b.at("/jobs/job_")
	job := b.jobHere(w)
	b.succeeds()
	jobs, err := w.Client.ListJobs(w.Context(), api.JobFilter{}, api.Page{})
	if err != nil || len(jobs.Items) != 1 {
		t.Errorf("%d jobs were queued (%v)", len(jobs.Items), err)
	}
	for i, build := range job.Builds {
		if want := fmt.Sprintf("NB-INC-7-%02d", i+1); build.Variables["computer_name"] != want || build.Holder != "Grace Hopper" {
			t.Errorf("build %d is %+v", i+1, build)
		}
	}
	b.visit("/jobs/" + job.ID + "/labels?paper=a4-labels")
	if n := eval[int](b, `document.querySelectorAll(".paper-label .qr").length`); n != 2 {
		t.Errorf("%d labels are printed", n)
	}

	// Again: what these took is known now, and whose they are is asked for.
	b.visit("/jobs/new")
	b.press("#repeat")
	b.until("the form is filled in", `document.querySelector("#holder").value === "Grace Hopper"`)
	b.where()
	b.press("#sticks input[name=device]")
	b.press("#next")
	b.at("/jobs/confirm")
	b.shows("as most of the 2 sticks before")
	b.shows("pressed for Grace Hopper")
	b.fill("#count", "1")
}

// A table becomes one job, in which each stick has its own holder, ticket and
// name. What is wrong is said at its cell, and the text of a cell stays text.
func TestPressByTable(t *testing.T) {
	t.Parallel()
	w, b := bench(t, 3)
	dir := album(t)
	b.visit("/jobs/new")
	b.press("[name=by][value=table]")
	b.until("the table is asked for", `document.querySelector("#table").offsetParent !== null`)
	b.fill("#table", "User,Computer,Ticket\n<img src=x onerror=alert(1)>,PC 1,INC-1\n王芳,PC-2,INC-2\n\"Hopper, Grace\",PC-3,")
	b.fill("#reference", "INC-9")
	b.press("main form .btn-primary")
	b.shows("cannot be a computer's name")
	b.expect("422")
	b.shoot(dir, "press-table-wrong")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#row_computer-0").value = "PC-1"`))
	b.where()
	b.until("the rows are dealt", `document.querySelector("#row-device-0")`)
	b.shoot(dir, "press-table-where")
	first, second := `document.querySelector("#row-device-0")`, `document.querySelector("#row-device-1")`
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { const [a, b] = [` + first + `, ` + second + `]; const v = a.value; a.value = b.value; b.value = v })()`))
	b.press("#next")
	b.at("/jobs/confirm")
	b.shoot(dir, "press-table-confirm")
	b.press("#confirm .btn-primary")
	job := b.jobHere(w)
	want := []struct{ holder, name, ticket, serial string }{
		{"<img src=x onerror=alert(1)>", "PC-1", "INC-1", "VIRTUAL-0002"},
		{"王芳", "PC-2", "INC-2", "VIRTUAL-0001"},
		{"Hopper, Grace", "PC-3", "INC-9", "VIRTUAL-0003"},
	}
	for i, x := range want {
		got := job.Builds[i]
		if got.Holder != x.holder || got.Variables["computer_name"] != x.name || got.ExternalRef.ID != x.ticket || got.Identity.Serial != x.serial {
			t.Errorf("build %d is %+v", i+1, got)
		}
	}
	b.succeeds()
	b.visit("/jobs/" + job.ID + "/labels?paper=62x29")
	b.shows("王芳")
	b.shoot(dir, "press-labels")
}

// A job for later waits, is moved, and begins by itself when its time has come.
func TestPressLater(t *testing.T) {
	t.Parallel()
	w, b := bench(t, 1)
	b.visit("/jobs/new")
	b.where()
	b.press("#sticks input[name=device]")
	b.press("#next")
	b.at("/jobs/confirm")
	b.press("[name=when][value=later]")
	b.until("the browser's zone is filled in", `document.querySelector("#zone").value === "Europe/Berlin"`)
	tomorrow := time.Now().Add(26 * time.Hour).Format("2006-01-02T15:04")
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("#at").value = %q`, tomorrow)))
	b.press("#confirm .btn-primary")
	job := b.jobHere(w)
	b.until("it is scheduled", `document.querySelector(".page-head [data-state=scheduled]")`)
	if job.NotBefore == nil || time.Until(*job.NotBefore) < 20*time.Hour {
		t.Fatalf("the job may begin at %v", job.NotBefore)
	}
	b.shows("Scheduled for")
	b.visit("/jobs/" + job.ID + "/schedule")
	b.until("the form has the time that the reader's clocks will show", fmt.Sprintf(`document.querySelector("#at").value === %q && document.querySelector("#zone").value === "Europe/Berlin"`, tomorrow))
	b.visit("/jobs/" + job.ID)
	soon := time.Now().Add(2 * time.Second)
	if _, err := w.Client.ScheduleJob(w.Context(), api.ScheduleJobInput{ID: job.ID, NotBefore: &soon}); err != nil {
		t.Fatal(err)
	}
	b.succeeds()
	done, err := w.Client.GetJob(w.Context(), job.ID)
	if err != nil || done.StartedAt == nil || done.StartedAt.Before(soon.Truncate(time.Microsecond)) {
		t.Errorf("it began at %v, before %v (%v)", done.StartedAt, soon, err)
	}
}

// A stick that is pulled out after it was confirmed leads back to the sticks;
// what was typed is still there.
func TestPulledBeforeQueued(t *testing.T) {
	t.Parallel()
	w, b := bench(t, 2)
	b.visit("/jobs/new")
	b.fill("#holder", "Grace")
	b.where()
	b.press("#sticks li:nth-child(1) input[name=device]")
	b.press("#sticks li:nth-child(2) input[name=device]")
	b.press("#next")
	b.at("/jobs/confirm")
	if err := os.Remove(filepath.Join(w.Sticks(), "stick-1.img")); err != nil {
		t.Fatal(err)
	}
	w.Until("the host misses the stick", func() (bool, error) {
		h, err := w.Client.GetHost(w.Context(), world.Host)
		gone := !slices.ContainsFunc(h.Devices, func(d api.Device) bool { return d.Serial == "VIRTUAL-0001" })
		return err == nil && gone, err
	})
	b.press("#confirm .btn-primary")
	b.until("the sticks are asked for again", `document.querySelector("#where [role=alert]")`)
	b.expect("409")
	if got := eval[string](b, `document.querySelector("[name=holder]").value + " " + document.querySelectorAll("[name=device]:checked").length`); got != "Grace 1" {
		t.Errorf("the form has %s", got)
	}
	b.press("#next")
	b.at("/jobs/confirm")
	b.press("#confirm .btn-primary")
	if job := b.jobHere(w); len(job.Builds) != 1 || job.Holder != "Grace" {
		t.Errorf("queued %+v", job)
	}
	b.succeeds()
}

// A job for a host that is away waits for it; what was plugged in anew by then
// is refused, and not written.
func TestPressForHostThatIsAway(t *testing.T) {
	t.Parallel()
	w, b := bench(t, 2)
	w.Agent.Stop()
	w.Until("the host is offline", func() (bool, error) {
		h, err := w.Client.GetHost(w.Context(), world.Host)
		return err == nil && !h.Online, err
	})
	b.visit("/jobs/new")
	b.where()
	b.shows("is offline")
	b.press("#sticks li:nth-child(1) input[name=device]")
	b.press("#sticks li:nth-child(2) input[name=device]")
	b.press("#next")
	b.at("/jobs/confirm")
	b.shows("compares each stick with this confirmation again")
	b.press("#confirm .btn-primary")
	job := b.jobHere(w)
	swapped := filepath.Join(w.Sticks(), "stick-2.img")
	if err := os.Remove(swapped); err != nil {
		t.Fatal(err)
	}
	w.AddStick("stick-2", 2*stickBytes)
	w.StartAgent()
	b.until("the job is over", `document.querySelector(".page-head [data-state=failed]")`)
	done, err := w.Client.GetJob(w.Context(), job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if one, two := done.Builds[0], done.Builds[1]; one.State != "verified" || two.State != "failed" || two.Touched || two.Fault.Code != protocol.FaultDeviceChanged {
		t.Errorf("the sticks are %+v and %+v", one, two)
	}
}

// TestPressPages takes pictures of the three steps and of what is printed.
func TestPressPages(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	calibrate(t, s)
	later := time.Now().Add(20 * time.Hour)
	in := api.QueueJobInput{Version: s.Version.ID, Host: s.Host.ID, NotBefore: &later, Holder: "Ada", Devices: []api.QueueDevice{{Identity: s.Free[1].Identity}}}
	scheduled, err := s.QueueJob(t.Context(), s.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	dir := album(t)
	for _, language := range []string{"en", "zh-CN"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := open(t, s.URL, language)
			b.visit(s.Link(t, "helpdesk"))
			b.press("main form .btn-primary")
			b.at("/")
			b.visit("/jobs/new")
			b.fill("#holder", "Grace Hopper")
			b.fill("#reference", "INC-1044")
			b.fill("#computer_name", "NB-{n:02}")
			b.shoot(dir, "press-1-what-"+language)
			b.where()
			b.press(`[id="device-1-2.7-0"]`)
			b.shoot(dir, "press-2-where-"+language)
			b.press("#next")
			b.at("/jobs/confirm")
			b.press("[name=when][value=later]")
			b.shoot(dir, "press-3-confirm-"+language)
			for name, path := range map[string]string{
				"press-scheduled": "/jobs/" + scheduled.ID, "press-schedule": "/jobs/" + scheduled.ID + "/schedule",
				"press-labels-roll": "/jobs/" + s.Done.ID + "/labels", "press-labels-a4": "/jobs/" + s.Done.ID + "/labels?paper=a4-labels",
				"press-handover": "/jobs/" + s.Done.ID + "/labels?paper=a4-handover", "press-label-none": "/sticks/" + s.Wiped.Builds[0].StickID + "/label",
			} {
				b.visit(path)
				b.shoot(dir, name+"-"+language)
			}
		})
	}
}

// Labels are as large on paper as they say.
func TestLabelPaper(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	for paper, want := range map[string]string{"62x29": "2 of 62 x 29", "89x36": "2 of 89 x 36", "a4-labels": "1 of 210 x 297", "a4-handover": "2 of 210 x 297"} {
		b.visit("/jobs/" + s.Done.ID + "/labels?paper=" + paper)
		if got := b.printed(); got != want {
			t.Errorf("%s is printed as %s, want %s", paper, got, want)
		}
	}
	b.visit("/jobs/" + s.Done.ID + "/labels?paper=a4-handover")
	if strings.Contains(eval[string](b, `document.querySelector(".handover").innerText`), "undefined") {
		t.Error("a word is missing")
	}
}
