package browser

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/web/webtest"
)

// TestAPIDocs reads the API's pages as somebody who has not signed in: they are
// drawn from the console's own document, and ask nobody else for anything.
func TestAPIDocs(t *testing.T) {
	t.Parallel()
	origin := bothDoors(t, webtest.Start(t))
	dir := album(t)
	for _, language := range []string{"en", "zh-CN"} {
		b := open(t, origin, language)
		asked := b.asked()
		b.do(chromedp.Navigate(origin + "/api/docs#tag/jobs/POST/jobs"))
		b.until("an operation is drawn", `[...document.querySelectorAll("#api-docs :is(h2, h3)")].some((h) => h.textContent.includes("Queue sticks to be built"))`)
		for label, size := range widths {
			b.size(size[0], size[1])
			b.picture(dir, "api-docs-"+language+"-"+label+"-light", chromedp.CaptureScreenshot())
		}
		b.theme("dark") // which it asks for as it begins
		b.do(chromedp.Navigate(origin+"/api/docs"), chromedp.WaitReady(chromedp.CSS("#api-docs h1")))
		b.until("it is dark", `matchMedia("(prefers-color-scheme: dark)").matches && document.querySelector(".dark-mode")`)
		for label, size := range widths {
			b.size(size[0], size[1])
			b.picture(dir, "api-docs-"+language+"-"+label+"-dark", chromedp.CaptureScreenshot())
		}
		b.expect("info: @scalar/api-reference@") // its greeting
		var document bool
		for _, address := range asked() {
			document = document || address == origin+"/api/v1/openapi.json"
			if !strings.HasPrefix(address, origin+"/") && !strings.HasPrefix(address, "data:") && !strings.HasPrefix(address, "blob:") {
				t.Errorf("the page asks for %s", address)
			}
		}
		if !document {
			t.Error("the page does not ask for the console's document")
		}
	}
}

// bothDoors serves the API beside a site's pages, as cmd/stickpress does.
func bothDoors(t *testing.T, s *webtest.Site) string {
	t.Helper()
	door, err := rest.New(rest.Deps{Console: s.Console, Uploads: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	door.Mount(r)
	r.Handle("/*", httputil.NewSingleHostReverseProxy(pages))
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	return srv.URL
}

// asked remembers every address that the pages ask for from here on, and
// returns what was asked for so far.
func (b *tab) asked() func() []string {
	b.Helper()
	var mu sync.Mutex
	var all []string
	err := chromedp.Listen(b.ctx, func(ev any) {
		if e, ok := ev.(*network.EventRequestWillBeSent); ok {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, e.Request.URL)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}
