package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// imagesForm opens the images as an admin and fills the form of a new version in.
func imagesForm(t *testing.T, s *webtest.Site, name string, raw []byte, scripts bool) *tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	b := open(t, s.URL, "en")
	if !scripts {
		call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	}
	b.visit(s.Link(t, "admin"))
	b.press("main form .btn-primary")
	b.at("/")
	b.visit("/images")
	b.fill("#image", "win11-ent")
	b.fill("#version", "1.0.0")
	b.file = file
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	return b
}

// Without a script the form carries the file itself.
func TestUploadWithoutScripts(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	b := imagesForm(t, s, "install.wim", apitest.WIM(t), false)
	b.press("#upload > .btn-primary")
	b.at("/versions/")
	b.shows("win11-ent 1.0.0")
	versions, err := s.ListVersions(t.Context(), s.Admin, api.VersionFilter{Image: "win11-ent"}, api.Page{})
	if err != nil || len(versions.Items) != 1 || versions.Items[0].FileName != "install.wim" {
		t.Errorf("%+v, %v", versions.Items, err)
	}
}

// signInBeside signs in again as another tab of the browser would.
const signInBeside = `(async () => {
	const page = new DOMParser().parseFromString(await (await fetch("LINK")).text(), "text/html");
	const form = page.querySelector("main form");
	const answer = await fetch(form.getAttribute("action"), {method: "POST", body: new URLSearchParams(new FormData(form))});
	document.body.dataset.beside = String(answer.ok);
})()`

// An upload whose session ends in the middle goes on after signing in again,
// from what the server has.
func TestUploadResumed(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	raw := append(apitest.DiskImage(t, "cp disk out"), make([]byte, 96<<20)...)
	b := imagesForm(t, s, "disk.img", raw, true)
	call(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: 16 << 20}},
	})
	asked := b.asked()
	b.press("#upload > .btn-primary")
	b.until("some of it has arrived", `document.querySelector("[data-upload-progress] progress").value > 0`)
	if err := s.EndSessions(t.Context(), s.Admin, s.Admin.UserID); err != nil {
		t.Fatal(err)
	}
	b.until("the page says that the session ended", `!document.querySelector("[data-upload-signed-out]").hidden`)
	if eval[string](b, `document.querySelector("#image").value + document.querySelector("#version").value`) != "win11-ent1.0.0" {
		t.Error("what was typed is lost")
	}
	b.do(chromedp.Evaluate[chromedp.Void](strings.Replace(signInBeside, "LINK", s.Link(t, "admin"), 1)))
	b.until("somebody signed in beside", `document.body.dataset.beside === "true"`)
	b.press("[data-upload-resume]")
	b.until("it is published, or being inspected", `/^\/(versions|inspections)\//.test(location.pathname)`)
	b.until("it is published", `/^\/versions\//.test(location.pathname) || document.querySelector("a[href^='/versions/']")`)
	versions, err := s.ListVersions(t.Context(), s.Admin, api.VersionFilter{Image: "win11-ent"}, api.Page{})
	if err != nil || len(versions.Items) != 1 || versions.Items[0].Bytes != int64(len(raw)) {
		t.Errorf("%+v, %v", versions.Items, err)
	}
	if n := begun(s, asked()); n != 1 {
		t.Errorf("%d uploads were begun", n)
	}
	b.expect("401")
}

// begun counts the uploads among the addresses that a browser asked.
func begun(s *webtest.Site, asked []string) int {
	all := map[string]bool{}
	for _, address := range asked {
		if strings.HasPrefix(address, s.URL+"/uploads/") && len(address) > len(s.URL+"/uploads/") {
			all[address] = true
		}
	}
	return len(all)
}

// A file that is too large is refused with the limit, before it is sent where a
// script can ask and after it where none can; what was typed stays.
func TestUploadTooLarge(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t, func(_ string, d *api.Deps) { d.MaxUpload = 1 << 20 })
	raw := make([]byte, 32<<20)
	for name, scripts := range map[string]bool{"with scripts": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			b := imagesForm(t, s, "disk.img", raw, scripts)
			b.press("#upload > .btn-primary")
			b.shows("The file is too large: 1 MiB is the most.")
			if eval[string](b, `document.querySelector("#image").value + document.querySelector("#version").value`) != "win11-ent1.0.0" {
				t.Error("what was typed is lost")
			}
			b.expect("413")
		})
	}
}

// What was cut off by closing the page is named when it is opened again, and
// goes on when the file is chosen again.
func TestUploadAfterReload(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	raw := append(apitest.DiskImage(t, "cp disk out"), make([]byte, 160<<20)...)
	b := imagesForm(t, s, "disk.img", raw, true)
	slow := network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: 16 << 20}},
	}
	call(b, network.EmulateNetworkConditionsByRule, slow)
	asked := b.asked()
	b.press("#upload > .btn-primary")
	b.until("some of it is kept", `document.querySelector("[data-upload-progress] progress").value > 48 * 2 ** 20`)
	b.until("it says how fast, and how long it takes", `/MB\/s · \d+:\d\d left/.test(document.querySelector("[data-upload-text]").innerText)`)
	warned := make(chan struct{}, 1)
	err := chromedp.Listen(b.ctx, func(ev any) {
		if _, ok := ev.(*devtools.EventJavascriptDialogOpening); ok {
			warned <- struct{}{}
			go func() { // a listener may not wait
				_, _ = chromedp.Call(b.ctx, devtools.HandleJavaScriptDialog, devtools.HandleJavaScriptDialogParams{Accept: true})
			}()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	b.visit("/images")
	if len(warned) != 1 {
		t.Error("the page is left without a warning")
	}
	b.shows("disk.img are here from an upload that was cut off")
	b.shoot(album(t), "upload-unfinished")
	b.fill("#image", "win11-ent")
	b.fill("#version", "1.0.0")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{b.file}))
	b.press("#upload > .btn-primary")
	b.until("it is published", `/^\/versions\//.test(location.pathname) || document.querySelector("main a.btn[href^='/versions/']")`)
	if n := begun(s, asked()); n != 1 {
		t.Errorf("%d uploads were begun", n)
	}
}
