package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/cmd/e2e/world"
	"github.com/stickpress/stickpress/web/webtest"
)

// Logs are filtered while one types, a link to a line unfolds it, and a page
// that was out of sight or asleep shows the present and every line once.
func TestJobPage(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	b.visit("/jobs/" + s.Failed.ID)
	b.fill("#q", "Reset superspeed")
	b.until("one line is left", `document.querySelectorAll(".log-line:not([hidden])").length === 1`)
	b.until("that is said", `document.querySelector("[data-filter-count]").textContent === "1 lines"`)
	id := eval[string](b, `document.querySelector(".log-line:not([hidden])").id`)
	if !eval[bool](b, `document.querySelector(".log-line:not([hidden]) span").getBoundingClientRect().height > 0`) {
		t.Error("the line that was found is folded away")
	}
	b.press("#" + id + " .log-number")
	b.until("the address names the line", fmt.Sprintf(`location.hash === "#%s"`, id))
	b.visit("/jobs/" + s.Done.ID + "#b2-L5")
	b.until("the line is unfolded", `document.querySelector("#b2-L5:target")?.getBoundingClientRect().height > 0`)

	job, press := s.Press(t)
	b.visit("/jobs/" + job.ID)
	b.press(".run:first-child > summary")
	press.Steps(t, job.Builds[0], protocol.StepWrite)
	b.until("it writes", `document.querySelectorAll("#b1 .fold-running").length === 1`)
	// Another tab, and there the job goes on.
	hide := func(hidden bool) {
		b.Helper()
		eval[bool](b, fmt.Sprintf(`Object.defineProperty(document, "hidden", {get: () => %t, configurable: true}) && document.dispatchEvent(new Event("visibilitychange"))`, hidden))
	}
	hide(true)
	press.Report(t, job.Builds[0], protocol.Event{Type: protocol.EventStepDone, Step: protocol.StepWrite})
	press.Fail(t, job.Builds[1])
	if eval[bool](b, `document.querySelector("#b2 [data-state=failed]") !== null`) {
		t.Error("a tab that nobody sees has an open stream")
	}
	hide(false)
	b.until("what happened is shown", `document.querySelector("#b2 [data-build-state] [data-state=failed]") && document.querySelectorAll("#b1 .fold-running").length === 0`)
	// A laptop that slept: its clock is ahead, its connection dead.
	eval[bool](b, `(() => { const now = Date.now; Date.now = () => now() + 3600000; const open = EventSource;
		window.opened = 0; window.EventSource = class extends open { constructor(...a) { super(...a); window.opened++; } }; return true; })()`)
	b.until("the stream is opened again", `window.opened > 0`)
	press.Fail(t, job.Builds[0])
	b.until("the end is shown", `document.querySelector(".page-head [data-state=failed]")`)
	ended, err := s.GetJob(t.Context(), s.Viewer, job.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.history(ended)
	if !eval[bool](b, `document.querySelector("#b1").open`) {
		t.Error("what was unfolded is folded")
	}
}

// With the real programs: a job is watched, one stick of it is stopped, another
// fails and is tried again, and its attempts stay apart.
func TestRetry(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.SetUp()
	w.Enrol(2, 64_000_000_000)
	w.Devices(2)
	w.Publish(w.Sample(), "1.0.0")
	b := open(t, w.URL, "en")
	b.visit("/sign-in")
	b.fill("#login", world.Login)
	b.fill("#password", world.Password)
	b.press("main form .btn-primary")
	b.at("/")
	b.confirm(2)
	spoil := spoiled(t, w)
	b.press("main form .btn-primary")
	b.at("/jobs/job_")
	b.until("one stick fails", `document.querySelectorAll("[data-build-state] [data-state=failed]").length === 1`)
	spoil()
	b.until("the job has ended", `document.querySelector(".page-head [data-state=failed]")`)
	b.until("the other is verified", `document.querySelectorAll("[data-build-state] [data-state=verified]").length === 1`)
	b.press("#job-retry")
	b.press("#retry .btn-primary")
	b.until("the second attempt is verified", `document.querySelectorAll("[data-build-state] [data-state=verified]").length === 2`)
	b.until("the head says so", `document.querySelector(".page-head [data-state=succeeded]")`)
	tabs := `[...document.querySelectorAll(".run .tabs a")]`
	if n := eval[int](b, tabs+`.length`); n != 2 {
		t.Fatalf("%d attempts are shown", n)
	}
	b.visit(eval[string](b, tabs+`[0].getAttribute("href")`))
	b.until("the first attempt is shown", `document.querySelector(".run .tabs a[aria-current=page]").textContent.includes("failed")`)
	if !eval[bool](b, `document.querySelector(".run[open] .note-bad") !== null && document.querySelectorAll(".run[open] .fold-failed").length === 1`) {
		t.Error("the first attempt does not show its failure")
	}
}

// spoiled keeps one of the sticks from ever holding what is written to it, until
// the function that it returns is called: the reading back must notice.
func spoiled(t *testing.T, w *world.World) (stop func()) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.Sticks(), "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sticks: %v", err)
	}
	f, err := os.OpenFile(files[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, 1<<20)
	for i := range junk {
		junk[i] = byte(i*7 + 3)
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		defer f.Close()
		for {
			select {
			case <-quit:
				return
			default:
				_, _ = f.WriteAt(junk, 1<<20) // where the first volume begins
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		close(quit)
		<-gone
	})
	t.Cleanup(stop)
	return stop
}
