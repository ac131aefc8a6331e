package browser

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/chromedp/chromedp"
)

var pdfPage = regexp.MustCompile(`(?s)Pages:\s+(\d+).*Page size:\s+([\d.]+) x ([\d.]+) pts`)

// printed prints the page that is open on the paper that it asks for, and says
// how many sheets of how many millimetres come out, by poppler.
func (b *tab) printed() string {
	b.Helper()
	raw, err := chromedp.Run(b.ctx, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize()))
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "labels.pdf")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		b.Fatal(err)
	}
	out, err := exec.CommandContext(b.ctx, "pdfinfo", path).CombinedOutput()
	if err != nil {
		b.Fatalf("pdfinfo (apt install poppler-utils): %v\n%s", err, out)
	}
	m := pdfPage.FindStringSubmatch(string(out))
	if m == nil {
		b.Fatalf("pdfinfo says:\n%s", out)
	}
	millimetres := func(points string) int {
		n, _ := strconv.ParseFloat(points, 64) // the pattern has digits only
		return int(math.Round(n / 72 * 25.4))
	}
	return fmt.Sprintf("%s of %d x %d", m[1], millimetres(m[2]), millimetres(m[3]))
}
