package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/web/webtest"
)

// A job's page stays usable while it moves: an open dialog stays open, the
// focus stays where it is, an opened log stays open; and when the network
// breaks, no line of it is missing or doubled afterwards.
func TestLivePage(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	job, press := s.Press(t)
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	b.visit("/jobs/" + job.ID)

	b.press(".run:first-child > summary")
	b.press(".run:first-child .fold > summary")
	b.press("#job-cancel")
	b.until("the dialog is open", `document.querySelector("dialog[open]")`)
	press.Steps(t, job.Builds[0], protocol.StepMaster)
	b.until("the step is shown", `document.querySelectorAll(".run:first-child .fold-done").length === 3`)
	if !eval[bool](b, `document.querySelector("#cancel").open && document.querySelector(".run").open && document.querySelector(".fold").open`) {
		t.Error("the dialog or the log was closed by an update")
	}
	b.do(chromedp.KeyEvent("\x1b"))
	b.until("the dialog is closed", `!document.querySelector("#cancel").open`)

	b.do(chromedp.Focus(chromedp.CSS("#job-host")))
	for range 3 {
		s.Break()
		press.Report(t, job.Builds[1], protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Text: "<b>while it was broken</b>"}})
		b.until("the line arrives", fmt.Sprintf(`document.querySelectorAll('[data-seq="%d"]').length > 0`, s.LastSeq(t, job)))
	}
	press.Fail(t, job.Builds[0])
	press.Fail(t, job.Builds[1])
	b.until("the end is shown", `document.querySelector(".page-head [data-state=failed]")`)
	ended, err := s.GetJob(t.Context(), s.Viewer, job.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.history(ended)
	if id := eval[string](b, `document.activeElement.id`); id != "job-host" {
		t.Errorf("the focus went to %q", id)
	}
	if !eval[bool](b, `document.querySelector("#cancel") === null || !document.querySelector("#cancel").open`) {
		t.Error("a dialog asks about a job that has ended")
	}
	b.expect("ERR_") // the connections that the test broke
	b.expect("sseError")
}

// What was ticked stays ticked while the list of sticks changes; a stick that
// was plugged in again is another one.
func TestSticksKeepTheirTicks(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	b.visit("/jobs/new")
	b.press("main form .btn-primary")
	b.at("/jobs/where")
	b.press(`[id="device-1-2.7-0"]`)
	b.press(`[id="device-1-2.8-0"]`)
	b.shows("2 sticks are chosen.")
	s.Replug(t, "1-2.8")
	b.shows("1 stick is chosen.")
	if !eval[bool](b, `document.getElementById("device-1-2.7-0").checked && document.activeElement.id === "device-1-2.8-0"`) {
		t.Error("a tick or the focus was lost")
	}
	// Back, the page is as it first was; what was ticked of what came later is ticked.
	b.press(`[id="device-1-2.8-0"]`)
	b.shows("2 sticks are chosen.")
	b.press("#next")
	b.at("/jobs/confirm")
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.at("/jobs/where")
	b.shows("2 sticks are chosen.")
	b.press("#next")
	b.at("/jobs/confirm")
	if n := eval[int](b, `document.querySelectorAll("#confirm input[name=device]").length`); n != 2 {
		t.Errorf("%d sticks are to be confirmed", n)
	}
}
