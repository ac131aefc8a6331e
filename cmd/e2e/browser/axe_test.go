package browser

import (
	"fmt"
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

// axeRun checks the page by rules of axe-core, and says of each violation what
// it is and where.
const axeRun = `axe.run(document, Object.assign(%s, {resultTypes: ["violations"]})).then((r) => r.violations.flatMap((v) => v.nodes.map((n) =>
	v.id + ": " + v.help + ": " + n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " "))))`

// rules of axe-core: those of WCAG 2.2 A and AA with axe's best practices, all
// of them, those on colours only, and those on everything else.
const (
	everyRule  = `{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], rules: {"target-size": {enabled: true}}}`
	colourRule = `{runOnly: {type: "rule", values: ["color-contrast"]}}`
	wordRules  = `{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], rules: {"target-size": {enabled: true}, "color-contrast": {enabled: false}}}`
)

// accessible holds the page that is open, in its present theme and size, to
// rules of axe-core.
func (b *tab) accessible(name, rules string) {
	b.Helper()
	script, err := axe()
	if err != nil {
		b.Fatal("axe-core is missing (make assets): ", err)
	}
	if !eval[bool](b, `typeof axe !== "undefined"`) {
		b.do(chromedp.Evaluate[chromedp.Void](script))
	}
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](fmt.Sprintf(axeRun, rules), chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatal(err)
	}
	if len(found) > 0 {
		b.Errorf("%s is not accessible:\n\t%s", name, strings.Join(found, "\n\t"))
	}
}
