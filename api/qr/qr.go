// Package qr draws QR codes (ISO/IEC 18004) as the path of an SVG, so that a
// page shows one without a script, an image file or a third party.
package qr

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// Quiet is the width of the light margin that a reader needs around the code,
// in modules (ISO/IEC 18004, section 6.3.8).
const Quiet = 4

// Code is a QR code: a square of dark and light modules.
type Code struct {
	// Size is the length of a side in modules, the quiet zone included: the
	// view box of the SVG is "0 0 Size Size".
	Size int
	// Path is the dark modules as the d of an SVG path, to be filled.
	Path string
}

// Encode makes the code of a text, with 15 % of it to spare for dirt and
// folds (level M). It fails for a text that is too long, above 2331 bytes.
func Encode(text string) (Code, error) {
	drawn, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		return Code{}, fmt.Errorf("draw a QR code: %w", err)
	}
	side := drawn.Bounds().Dx()
	var path strings.Builder
	for y := range side {
		for x := 0; x < side; {
			if !dark(drawn.At(x, y)) {
				x++
				continue
			}
			run := 1
			for x+run < side && dark(drawn.At(x+run, y)) {
				run++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+Quiet, y+Quiet, run, run)
			x += run
		}
	}
	return Code{Size: side + 2*Quiet, Path: path.String()}, nil
}

// SVG is the code as a file of its own, dark on light, as large as whoever shows
// it wants.
func (c Code) SVG() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges">`+
		`<path d="M0 0h%dv%dH0z" fill="#fff"/><path d="%s" fill="#000"/></svg>`, c.Size, c.Size, c.Size, c.Size, c.Path)
}

func dark(c color.Color) bool {
	r, _, _, _ := c.RGBA()
	return r == 0
}
