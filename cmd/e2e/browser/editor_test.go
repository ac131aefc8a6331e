package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stickpress/stickpress/web/webtest"
)

// The answer-file editor marks what saving would refuse, where it is, and
// saves what was typed.
func TestEditor(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "admin"))
	b.press("main form .btn-primary")
	b.at("/")
	b.visit("/templates/" + s.Template.ID)
	b.until("the editor is there", `document.querySelector(".editor .cm-content")`)
	if eval[bool](b, `document.getElementById("source").offsetParent !== null`) {
		t.Error("the text area is still shown")
	}
	b.do(chromedp.Focus(chromedp.CSS(".cm-content")), chromedp.KeyEvent("</oops>"))
	b.until("the error is marked", `document.querySelector(".cm-lint-marker-error")`)
	b.press("main form .btn-primary")
	b.shows("This is not well-formed XML. Line 1, column ")
	b.until("the editor keeps what was typed", `document.querySelector(".cm-content")?.innerText.startsWith("</oops>")`)
	b.expect("422")

	b.visit("/templates/" + s.Template.ID)
	b.until("the editor is there", `document.querySelector(".editor .cm-content")`)
	b.do(chromedp.Focus(chromedp.CSS(".cm-content")), chromedp.KeyEvent(kb.End, chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.KeyEvent("<!-- kept -->"))
	b.press("main form .btn-primary")
	b.shows("Starter is saved as version 2.")
	source, err := s.TemplateSource(t.Context(), s.Admin, s.Template.ID)
	if err != nil || !strings.HasSuffix(source, "<!-- kept -->") {
		t.Errorf("the source ends with %q (%v)", source[len(source)-40:], err)
	}
}

// A file that is no image is refused after its upload, with the reason, and
// the form can be sent again.
func TestUploadRefused(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	file := filepath.Join(t.TempDir(), "notes.wim")
	if err := os.WriteFile(file, []byte("these are my notes"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := open(t, s.URL, "zh-CN")
	b.visit(s.Link(t, "admin"))
	b.press("main form .btn-primary")
	b.at("/")
	b.visit("/images")
	b.fill("#image", "win11-ent")
	b.fill("#version", "1.0.0")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	for range 2 {
		b.press("#upload > .btn-primary")
		b.shows("该文件不是可用于制作启动盘的映像")
		b.until("the form is ready again", `!document.querySelector("#upload > .btn-primary").disabled && document.querySelector("[data-upload-progress]").hidden`)
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-upload-error]").textContent = ""`))
	}
	b.expect("422")
	b.expect("404")
}
