package browser

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// album is the folder of the pictures, STICKPRESS_SCREENSHOTS; without it none
// are kept.
func album(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("STICKPRESS_SCREENSHOTS")
	if dir == "" {
		return ""
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// widths of the pictures, in CSS pixels, with the window's height.
var widths = map[string][2]int64{"1440": {1440, 900}, "390": {390, 844}}

// reflow are widths at which nothing may be cut off either: WCAG's 320, a window
// of 1280 at 200 %, the least one with a rail, and a small notebook's.
var reflow = []int64{320, 640, 1080, 1280}

// shoot takes four pictures of the page that is open: light and dark, wide
// and narrow. None may be blank, each must be accessible, and no page may be
// wider than its window.
//
// Without an album, two opposite corners, which have each width and each theme
// once, are held to every rule and the other two to those on colours, the one
// thing that a theme and a width spoil together. Of a translation two corners are
// held to all but those: colours do not depend on words.
func (b *tab) shoot(dir, name string) {
	b.Helper()
	for _, width := range reflow {
		b.size(width, 844)
		b.fits(name, width)
	}
	for label, size := range widths {
		b.size(size[0], size[1])
		b.fits(name, size[0])
		for _, scheme := range []string{"light", "dark"} {
			rules := everyRule
			switch corner := (label == "390") == (scheme == "dark"); {
			case dir != "":
			case !corner && b.language != "en":
				continue
			case !corner:
				rules = colourRule
			case b.language != "en":
				rules = wordRules
			}
			b.theme(scheme)
			b.accessible(name+" "+label+" "+scheme, rules)
			b.still(name)
			if dir != "" {
				b.picture(dir, name+"-"+label+"-"+scheme, chromedp.FullScreenshot(100))
			} else if label == "390" && scheme == "dark" {
				b.picture("", name, chromedp.CaptureScreenshot())
			}
		}
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	b.size(1440, 900)
}

// picture takes a picture of the page that is open, which must not be blank.
func (b *tab) picture(dir, name string, shot chromedp.Action[[]byte]) {
	b.Helper()
	raw, err := chromedp.Run(b.ctx, shot)
	if err != nil {
		b.Fatal(err)
	}
	if dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), raw, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if spread := variance(b.TB, raw); spread < 20 {
		b.Errorf("%s is blank: the brightness of its pixels varies by %.1f only", name, spread)
	}
}

// moving is a script that names what moves although the system asks for less of
// it, and what came from elsewhere.
const moving = `[...document.querySelectorAll("body *")].filter((e) => {
	const s = getComputedStyle(e);
	return parseFloat(s.animationDuration) > 0 && s.animationName !== "none" || parseFloat(s.transitionDuration) > 0;
}).map((e) => e.outerHTML.slice(0, 120)).concat(performance.getEntriesByType("resource").map((r) => r.name).filter((n) => !n.startsWith(location.origin + "/")))`

// still fails if something on the page moves under prefers-reduced-motion, or if
// the page loaded something from another server.
func (b *tab) still(name string) {
	b.Helper()
	if found := eval[[]string](b, moving); len(found) > 0 {
		b.Errorf("%s moves, or loads from elsewhere:\n\t%s", name, strings.Join(found, "\n\t"))
	}
}

// widest is a script that names the elements that reach to the page's right end.
const widest = `[...document.querySelectorAll("body *")].filter(e =>
	Math.abs(e.getBoundingClientRect().right - document.documentElement.scrollWidth) < 2).map(e =>
	e.outerHTML.slice(0, 120)).join(" | ") || "nothing"`

// bursting is a script that names the panels that something reaches out of.
const bursting = `[...document.querySelectorAll(".panel, .page-head")].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) =>
	(e.getAttribute("aria-labelledby") ?? e.className) + " by " + (e.scrollWidth - e.clientWidth))`

// fits fails if the page that is open is wider than its window, or a panel's
// content than the panel.
func (b *tab) fits(name string, width int64) {
	b.Helper()
	if wide := eval[int64](b, "document.documentElement.scrollWidth"); wide > width {
		b.Errorf("%s is %d pixels wide in a window of %d, by %s", name, wide, width, eval[string](b, widest))
	}
	if found := eval[[]string](b, bursting); len(found) > 0 {
		b.Errorf("%s does not hold its content at %d: %s", name, width, strings.Join(found, ", "))
	}
}

// variance of the brightness of a picture's pixels; that of a page with one
// heading is above 50, that of an empty one 0.
func variance(t testing.TB, raw []byte) float64 {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var n, sum, squares float64
	at := func(x, y int) float64 {
		r, g, b, _ := img.At(x, y).RGBA()
		return float64(299*r+587*g+114*b) / 1000 / 257
	}
	if p, ok := img.(*image.NRGBA); ok { // what Chromium makes; fast
		at = func(x, y int) float64 {
			c := p.Pix[p.PixOffset(x, y):]
			return float64(299*int(c[0])+587*int(c[1])+114*int(c[2])) / 1000
		}
	}
	size := img.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x += 2 {
			v := at(x, y)
			n++
			sum += v
			squares += v * v
		}
	}
	mean := sum / n
	return squares/n - mean*mean
}
