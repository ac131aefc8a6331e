package browser

import (
	"strings"

	"github.com/chromedp/chromedp"
)

// press clicks an element. One that the stream replaced between being found and
// being clicked is looked for again.
func (b *tab) press(selector string) {
	b.Helper()
	for {
		err := b.try(chromedp.Click(chromedp.CSS(selector)))
		switch {
		case err == nil:
			return
		case !strings.Contains(err.Error(), "Could not find node"):
			b.Fatalf("press %s: %v", selector, err)
		}
	}
}

// fill types into an empty field.
func (b *tab) fill(selector, text string) {
	b.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// confirm goes through the steps of pressing to the confirmation with the first
// free sticks of the host that is chosen.
func (b *tab) confirm(sticks int) {
	b.Helper()
	b.visit("/jobs/new")
	b.press("main form .btn-primary")
	b.at("/jobs/where")
	for range sticks {
		b.press("#sticks li:not(.socket-off) input[name=device]:not([disabled]):not(:checked)")
	}
	b.press("#next")
	b.at("/jobs/confirm")
}

// confirmAt does so from another form of a new job.
func (b *tab) confirmAt(form string, sticks int) {
	b.Helper()
	b.visit(form)
	for range sticks {
		b.press("#sticks input[name=device]:not([disabled]):not(:checked)")
	}
	b.press("main form .btn-primary")
	b.at("/jobs/confirm")
}
