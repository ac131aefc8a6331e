// Package browser drives the pages in a real browser: the first run from the
// setup link to verified sticks, the same by keyboard alone and without
// JavaScript, and a picture of every page.
//
// Nothing may appear on the browser's console while a test runs: no script
// error, no broken Content-Security-Policy, no failed request.
package browser

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/stickpress/stickpress/api/oidc/oidctest"
	"github.com/stickpress/stickpress/cmd/e2e/world"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m, world.Cleanup, oidctest.Cleanup) }

// patience ends a test that hangs.
const patience = 12 * time.Minute

// tab is one browser with one tab.
type tab struct {
	testing.TB
	ctx  context.Context
	url  string // of the console
	file string // that a form sends

	language string // that the browser asks for

	mu    sync.Mutex
	noise []string      // what the browser complained of
	heard chan struct{} // a mark for each time that the test asked for one, see catchUp
}

// open starts a browser with a profile of its own.
func open(t testing.TB, url, language string) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the browser is missing (apt install chromium): ", err)
	}
	profile, err := os.MkdirTemp("", "stickpress-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	ctx, end := context.WithTimeout(t.Context(), patience)
	t.Cleanup(end)
	// The library's own list keeps Chromium from what people want of it:
	// offers to translate, bubbles, windows that sleep because nobody sees them.
	ctx, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("lang", language), chromedp.Flag("accept-lang", language),
		// What it lays beside its profile goes with it.
		chromedp.Env("TZ=Europe/Berlin", "LANGUAGE="+language, "TMPDIR="+profile),
		chromedp.WSURLReadTimeout(time.Minute),
	)...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	b := &tab{TB: t, ctx: ctx, url: url, language: language, heard: make(chan struct{}, 1)}
	deaf := make(chan struct{})
	messages := chromedp.Console(ctx)
	go func() {
		defer close(deaf)
		b.listen(messages)
	}()
	b.size(1440, 900)
	t.Cleanup(func() {
		if t.Failed() {
			b.dump()
		}
		_ = chromedp.Cancel(ctx) // closes the browser and waits for it
		closeTab()
		<-deaf
		for _, n := range b.noise {
			t.Errorf("the browser says: %s", n)
		}
	})
	return b
}

func (b *tab) listen(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range messages {
		if err != nil {
			return // the browser is closed
		}
		if strings.Contains(m.String(), mark) {
			b.heard <- struct{}{}
			continue
		}
		b.complain(m.String() + " (" + m.URL + ")")
	}
}

// mark is what a page says to let the test know how far it has listened.
const mark = "the test has said this"

// catchUp waits until everything is heard that the page has said: what it shows
// may be there before what the browser says of it.
func (b *tab) catchUp() {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("console.info(" + strconv.Quote(mark) + ")"))
	select {
	case <-b.heard:
	case <-b.ctx.Done():
		b.Fatal("the browser's console is not heard: ", b.ctx.Err())
	}
}

func (b *tab) complain(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noise = append(b.noise, text)
}

// expect forgives complaints that contain a text, which the test provoked.
func (b *tab) expect(text string) {
	b.Helper()
	b.catchUp()
	b.mu.Lock()
	defer b.mu.Unlock()
	var rest []string
	for _, n := range b.noise {
		if !strings.Contains(n, text) {
			rest = append(rest, n)
		}
	}
	b.noise = rest
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := b.try(actions...); err != nil {
		b.Fatal(err)
	}
}

// try gives up early enough that the page can still be looked at.
func (b *tab) try(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience/4)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// call sends a command of the DevTools protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatal(err)
	}
}

// visit opens a page and waits until its scripts ran.
func (b *tab) visit(path string) {
	b.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.url + path
	}
	b.do(chromedp.Navigate(path), chromedp.WaitReady(chromedp.CSS("main")))
}

// size sets the window, in CSS pixels.
func (b *tab) size(width, height int64) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	})
}

// theme sets what the system prefers: "light" or "dark".
func (b *tab) theme(scheme string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// eval runs an expression in the page and decodes what it returns.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until asks the page, and the pages that come after it, until an expression
// is true.
func (b *tab) until(what, expression string) {
	b.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience / 2)
	for {
		// In the middle of a navigation there is no page to ask.
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			b.Fatalf("until %s: it never was (%v)", what, err)
		}
	}
}

// settled is whether the browser has given the focus to the field that asks for
// it: who takes it before is in the browser's way, and it says so.
const settled = `document.readyState === "complete" &&
	(document.activeElement !== document.body || location.hash || !document.querySelector("main [autofocus]:not(dialog *)"))`

// at waits for a page by its path; one that ends in an ID's prefix ("/jobs/job_")
// or in a slash stands for every page that begins so.
func (b *tab) at(path string) {
	b.Helper()
	is := fmt.Sprintf("location.pathname === %q", path)
	if path != "/" && strings.HasSuffix(path, "/") || strings.HasSuffix(path, "_") {
		is = fmt.Sprintf("location.pathname.startsWith(%q)", path)
	}
	b.until("the page is "+path, is+" && "+settled)
}

// shows waits until the page has a text.
func (b *tab) shows(text string) {
	b.Helper()
	b.until("the page shows "+text, fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

func (b *tab) dump() {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	if text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText")); err == nil {
		b.Logf("the page at %s", text)
	}
}
