package browser

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// axe is axe-core, the checker of accessibility, from where npm put it for the
// tests; no page loads it.
var axe = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	script, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", "..", "web", "node_modules", "axe-core", "axe.min.js"))
	return string(script), err
})

// axeRun checks the page by WCAG 2.2 A and AA and by axe's best practices, and
// says of each violation what it is and where.
const axeRun = `axe.run(document, {
	runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
	rules: {"target-size": {enabled: true}},
	resultTypes: ["violations"],
}).then((r) => r.violations.flatMap((v) => v.nodes.map((n) =>
	v.id + ": " + v.help + ": " + n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " "))))`

// accessible holds the page that is open, in its present theme and size, to
// what axe-core knows.
func (b *tab) accessible(name string) {
	b.Helper()
	script, err := axe()
	if err != nil {
		b.Fatal("axe-core is missing (make assets): ", err)
	}
	if !eval[bool](b, `typeof axe !== "undefined"`) {
		b.do(chromedp.Evaluate[chromedp.Void](script))
	}
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](axeRun, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatal(err)
	}
	if len(found) > 0 {
		b.Errorf("%s is not accessible:\n\t%s", name, strings.Join(found, "\n\t"))
	}
}
