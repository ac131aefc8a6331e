package browser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// TestFirstRun is a newcomer's first hour with the real programs: from the
// link in the terminal to two sticks that may be handed out.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	b := open(t, w.URL, "en")
	dir := album(t)

	b.visit(w.SetupLink())
	b.shoot(dir, "first-run-1-setup")
	b.fill("#login", world.Login)
	b.fill("#name", "Ada")
	b.fill("#password", world.Password)
	b.press("main form .btn-primary")
	b.at("/first-run/address")
	b.shows("Your account is ready")
	b.visit("/")
	b.shoot(dir, "first-run-2-overview")

	b.press("#next-first-run")
	b.at("/first-run/address")
	b.shoot(dir, "first-run-3-address")
	b.press("main form[action='/first-run/address'] .btn-primary")
	b.at("/first-run/storage")
	b.shoot(dir, "first-run-3-storage")
	b.press("#seen")
	b.at("/first-run/host")
	b.press("#enrol")
	b.shows("sudo stickpress-agent enroll " + w.URL + " --token spo_")
	b.shoot(dir, "first-run-3-enrol")
	w.Client = b.token()
	b.visit("/first-run/host")
	b.do(chromedp.Evaluate[chromedp.Void](`window.samePage = true`))
	w.Enrol(2, 64_000_000_000)
	w.Devices(2)
	b.until("the host has come", `document.querySelector("#arrived [data-state=online]")`)
	b.until("the step is done and leads on", `document.querySelector("#step-host[data-step-state=done]") && document.querySelector("#go-on")`)
	if !eval[bool](b, `window.samePage === true`) {
		b.Error("the page was loaded again")
	}
	b.visit("/first-run")
	b.at("/first-run/image")
	b.shoot(dir, "first-run-3-image")

	b.upload(w.Sample())
	b.shows("win-sample 1.0.0 is published.")
	b.shoot(dir, "first-run-4-published")

	b.visit("/first-run")
	b.at("/first-run/template")
	b.shoot(dir, "first-run-4-template")
	b.fill("#account", "desk")
	b.press("main form[action='/first-run/template'] .btn-primary")
	b.shows("The password of desk on every stick:")
	b.shoot(dir, "first-run-4-password")
	b.visit("/first-run")
	b.at("/first-run/press")
	b.shows("goes onto the virtual stick")
	b.shoot(dir, "first-run-4-press")

	b.confirm(2)
	b.shoot(dir, "first-run-5-confirm")
	b.press("main form .btn-primary")
	b.at("/jobs/job_")
	b.watch(dir)

	id := eval[string](b, `location.pathname.split("/").pop()`)
	job, err := w.Client.GetJob(w.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if job.State != "succeeded" {
		t.Errorf("the job %s", job.State)
	}
	b.history(job)
	b.visit("/sticks")
	if n := eval[int](b, `document.querySelectorAll("[data-state=verified]").length`); n != 2 {
		t.Errorf("%d sticks are shown as verified, want 2", n)
	}
	b.visit("/")
	b.until("the overview counts two verified sticks", `document.querySelector("#tile-verified .tile-value").innerText === "2"`)
	b.visit("/first-run")
	b.shows("All steps are seen to")
	b.press("#finish")
	b.at("/")
	b.shows("The first run is finished.")
	b.visit("/first-run/host")
	b.at("/first-run")
	b.shows("was finished by " + world.Login)
	b.shoot(dir, "first-run-8-locked")
}

// token makes an API token on the account page.
func (b *tab) token() *client.Client {
	b.Helper()
	b.visit("/account")
	b.fill("main input[name=name]", "tests")
	b.press("main form[action='/account/tokens'] button")
	b.shows("shown only now")
	c, err := client.New(b.url, eval[string](b, `document.getElementById("secret").textContent`), client.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// upload sends a file by the form of the images page and waits until it is
// published.
func (b *tab) upload(file string) {
	b.Helper()
	b.visit("/images")
	b.fill("#image", "win-sample")
	b.fill("#version", "1.0.0")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	// The bar may be gone before anybody asks for it.
	b.do(chromedp.Evaluate[chromedp.Void](`new MutationObserver(() => {
		if (!document.querySelector("[data-upload-progress]").hidden) sessionStorage.setItem("bar", "seen");
	}).observe(document.body, {attributes: true, subtree: true})`))
	b.press("#upload > .btn-primary")
	b.at("/versions/")
	if seen := eval[string](b, `String(sessionStorage.getItem("bar"))`); seen != "seen" {
		b.Error("the upload showed no progress")
	}
}

// watch looks at a job's page until both sticks are verified. The page must
// not be loaded again for that.
func (b *tab) watch(dir string) {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`window.samePage = true`))
	b.until("a bar moves", `[...document.querySelectorAll(".run progress")].some((p) => p.value > 0)`)
	b.shoot(dir, "first-run-6-running")
	b.until("both sticks have ended", `document.querySelectorAll("[data-build-state] :is([data-state=verified], [data-state=failed])").length === 2`)
	b.until("the head says so", `document.querySelector(".page-head [data-state=succeeded]")`)
	if !eval[bool](b, `window.samePage === true`) {
		b.Error("the page was loaded again")
	}
	b.shoot(dir, "first-run-7-verified")
}

// history compares the lines of the page that is open with the job's history:
// each once, none missing.
func (b *tab) history(job api.Job) {
	b.Helper()
	b.until("the last line is there", fmt.Sprintf(`document.querySelector('[data-seq="%d"]')`, job.LastSeq))
	seen := eval[[]int](b, `[...document.querySelectorAll("[data-seq]")].map((l) => Number(l.dataset.seq))`)
	slices.Sort(seen)
	for i, seq := range seen {
		if seq != i+1 {
			b.Fatalf("the page's lines are %v of %d", seen, job.LastSeq)
		}
	}
	if text := eval[string](b, `document.body.innerText`); strings.Contains(text, "map[") {
		b.Errorf("a line has no sentence:\n%s", text)
	}
}
