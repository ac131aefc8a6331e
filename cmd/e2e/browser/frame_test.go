package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/web/webtest"
)

// The command palette is opened, searched and followed by keyboard.
func TestPalette(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(kb.ModifierCtrl)))
	b.until("the palette is open", `document.activeElement.closest("#palette[open]")`)
	b.do(chromedp.KeyEvent("INC-1042"))
	found := fmt.Sprintf(`document.querySelector("#palette[open] .here")?.getAttribute("href") === "/jobs/%s"`, s.Failed.ID)
	b.until("the job is found", found)
	b.accessible("palette", everyRule)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until("the palette is closed", `!document.querySelector("#palette").open`)
	b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(kb.ModifierCtrl)))
	b.until("the palette is open with what was found", found)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.at("/jobs/" + s.Failed.ID)
	b.do(chromedp.KeyEvent("g"), chromedp.KeyEvent("h"))
	b.at("/hosts")
	b.do(chromedp.KeyEvent("?", chromedp.KeyModifiers(kb.ModifierShift)))
	b.at("/shortcuts")
	b.press("main form .btn")
	b.shows("Single letters are switched off")
	b.do(chromedp.KeyEvent("g"), chromedp.KeyEvent("h"), chromedp.KeyEvent("k", chromedp.KeyModifiers(kb.ModifierCtrl)))
	b.until("the palette opens, since it needs Ctrl", `document.querySelector("#palette").open && location.pathname === "/shortcuts"`)
}

// On a narrow screen the sections are in a menu, which works without a script.
func TestMenuWithoutScripts(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	b := open(t, s.URL, "en")
	b.size(390, 844)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	b.press(".menu-frame > summary")
	b.press(".menu-frame a[href='/sticks']")
	b.at("/sticks")
	b.press(".find")
	b.at("/search")
	b.fill("main input[name=q]", "INC-1042")
	b.press("main form .btn-primary")
	b.shows("2 sticks for Alan Turing")
}

// watchPage counts, in the page, what shifts and what is read aloud.
const watchPage = `window.shifts = []; window.aloud = [];
new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) window.shifts.push(
	e.value + " " + e.sources.map((s) => s.previousRect.y + " to " + s.currentRect.y + ": " + s.node?.outerHTML?.slice(0, 80)).join(" ")); }).observe({type: "layout-shift"});
new MutationObserver(() => window.aloud.push(performance.now())).observe(document.getElementById("announcer"), {childList: true});`

// While a job runs nothing on its page moves away from under the pointer, and
// what happens is read aloud at most every ten seconds.
func TestLiveIsCalm(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	for _, width := range []int64{1440, 390} {
		job, press := s.Press(t)
		b.size(width, 900)
		b.visit("/jobs/" + job.ID)
		b.do(chromedp.Evaluate[chromedp.Void](watchPage))
		for i, build := range job.Builds {
			press.Report(t, build, protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Text: fmt.Sprintf("line %d", i)}})
			b.until("the line arrives", fmt.Sprintf(`document.querySelectorAll('[data-seq="%d"]').length > 0`, s.LastSeq(t, job)))
		}
		press.Steps(t, job.Builds[0], protocol.StepVerify)
		for i, build := range job.Builds {
			press.Fail(t, build)
			b.until("that is read aloud", fmt.Sprintf(`window.aloud.length > %d`, i))
		}
		if shifts := eval[[]string](b, `window.shifts`); len(shifts) > 0 {
			t.Errorf("at a width of %d the page shifts:\n\t%s", width, strings.Join(shifts, "\n\t"))
			b.dump()
		}
		if pause := eval[float64](b, `window.aloud[1] - window.aloud[0]`); pause < 9900 {
			t.Errorf("the page speaks again after %.0f ms", pause)
		}
		if loud := eval[int](b, `document.querySelectorAll("[sse-connect] :is([role=log], [role=status], [role=alert]):not([aria-live=off])").length`); loud > 0 {
			t.Errorf("%d more parts of the page speak", loud)
		}
	}
}
