package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// tabTo presses Tab until an element has the focus, which must be visible.
func (b *tab) tabTo(selector string) {
	b.Helper()
	for range 80 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if !eval[bool](b, `(() => { const e = document.activeElement, s = getComputedStyle(e); return e === document.body || s.outlineStyle !== "none" })()`) {
			b.Fatalf("the focus cannot be seen on %s", eval[string](b, `document.activeElement.outerHTML.slice(0, 200)`))
		}
		if eval[bool](b, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			return
		}
	}
	b.Fatalf("Tab does not lead to %s", selector)
}

// A job is queued by keyboard alone.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.do(chromedp.KeyEvent(kb.Enter)) // the button has the focus
	b.at("/")
	b.tabTo(".skip")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.tabTo("main a[href='/jobs/new']")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.at("/jobs/new")
	b.tabTo("#holder")
	b.do(chromedp.KeyEvent("Grace"))
	b.tabTo("main .btn-primary")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.at("/jobs/where")
	b.tabTo(`[id="device-1-2.7-0"]`)
	b.do(chromedp.KeyEvent(" "))
	b.tabTo(`[id="device-1-2.8-0"]`)
	b.do(chromedp.KeyEvent(" "))
	b.shows("2 sticks are chosen.")
	b.tabTo("#next")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.at("/jobs/confirm")
	b.tabTo("#count") // past what will be erased, which is to be seen first
	b.do(chromedp.KeyEvent("2"), chromedp.KeyEvent(kb.Enter))
	b.at("/jobs/job_")
	b.shows("Grace")
	b.tabTo("#job-cancel")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until("the dialog has the focus", `document.activeElement.closest("dialog")`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until("the focus is back", `document.activeElement.id === "job-cancel"`)
}

// Without JavaScript one signs in, queues a job, sees it and cancels it.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	const password = "correct horse battery"
	_, err := s.CreateUser(t.Context(), s.System, api.CreateUserInput{Login: "ada", Role: api.RoleHelpdesk, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, s.URL, "en")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.visit("/jobs/new")
	b.at("/sign-in")
	b.fill("#login", "ada")
	b.fill("#password", password)
	b.press("main form .btn-primary")
	b.at("/jobs/new")
	b.press("main form .btn-primary")
	b.at("/jobs/where")
	b.press(`[id="device-1-2.7-0"]`)
	b.press("#next")
	b.at("/jobs/confirm")
	b.shows("PHOTOS (exFAT)")
	b.fill("#count", "1")
	b.press("main form .btn-primary")
	b.at("/jobs/job_")
	b.shows("waits for the host")
	if !eval[bool](b, `document.querySelector("meta[http-equiv=refresh]") !== null`) {
		t.Error("without scripts the page does not load itself again")
	}
	b.press("noscript form .btn-danger")
	b.until("it is cancelled", `document.querySelector(".page-head [data-state=cancelled]")`)
}

// focused describes the element with the focus: whether it can be seen, whether
// it comes after the one before it in the page, and what it is. At the end of the
// page the focus begins anew.
const focused = `(() => {
	const e = document.activeElement, before = window.before;
	const s = getComputedStyle(e.closest(".cm-editor") ?? e), r = e.getBoundingClientRect();
	window.before = e;
	if (e === document.body) return "end";
	if (e === before) return ""; // a part of the same control: a date's month
	const what = e.outerHTML.slice(0, 160);
	if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) return "has no outline: " + what;
	if (r.width === 0 || r.bottom < 0 || r.top > innerHeight) return "is out of sight: " + what;
	if (before && before !== document.body && !(before.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)) return e.matches(".skip") ? "end" : "jumps back to: " + what;
	return "";
})()`

// fromTheTop lets Tab begin at the top of the page: what has the focus when a
// page is loaded stays the place to begin from, even when it loses it.
const fromTheTop = `(() => {
	window.before = null;
	const mark = document.createElement("span");
	mark.tabIndex = -1;
	document.body.prepend(mark);
	mark.focus();
	mark.remove();
})()`

// On every page Tab leads through what can be used in the order in which it is
// read, and where the focus is can be seen.
func TestTabOrder(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	handOver(t, s)
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "admin"))
	b.press("main form .btn-primary")
	b.at("/")
	for _, p := range everyPage(t, s, s.Done) {
		b.visit(p.path)
		b.do(chromedp.Evaluate[chromedp.Void](fromTheTop))
		stops := 0
		for ; stops < 120; stops++ {
			b.do(chromedp.KeyEvent(kb.Tab))
			said := eval[string](b, focused)
			if said == "end" {
				break
			}
			if said != "" {
				t.Errorf("%s: the focus %s", p.name, said)
			}
		}
		if stops < 10 {
			t.Errorf("%s: Tab finds only %d things", p.name, stops)
		}
	}
	b.expect("404")
}
