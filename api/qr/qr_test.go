package qr_test

import (
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/qr"
)

// raster fills the path as a browser does, eight pixels a module.
func raster(t *testing.T, c qr.Code) string {
	t.Helper()
	const scale = 8
	img := image.NewGray(image.Rect(0, 0, c.Size*scale, c.Size*scale))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for part := range strings.SplitSeq(strings.TrimSuffix(c.Path, "z"), "z") {
		var x, y, run, back int
		if _, err := fmt.Sscanf(part, "M%d %dh%dv1h-%d", &x, &y, &run, &back); err != nil || run != back {
			t.Fatalf("the path has %q: %v", part, err)
		}
		if x < qr.Quiet || y < qr.Quiet || x+run > c.Size-qr.Quiet || y >= c.Size-qr.Quiet {
			t.Fatalf("%q lies in the quiet zone of a code of %d", part, c.Size)
		}
		draw.Draw(img, image.Rect(x*scale, y*scale, (x+run)*scale, (y+1)*scale), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
	path := filepath.Join(t.TempDir(), "code.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	return path
}

// The file of its own is XML with the code's path.
func TestSVG(t *testing.T) {
	t.Parallel()
	c, err := qr.Encode("1")
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		ViewBox string   `xml:"viewBox,attr"`
		Paths   []struct {
			D    string `xml:"d,attr"`
			Fill string `xml:"fill,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(c.SVG()), &svg); err != nil {
		t.Fatal(err)
	}
	if size := fmt.Sprintf("0 0 %d %d", c.Size, c.Size); svg.ViewBox != size || len(svg.Paths) != 2 || svg.Paths[1].D != c.Path || svg.Paths[1].Fill != "#000" {
		t.Errorf("%+v", svg)
	}
}

// A reader that we did not write reads what we drew.
func TestEncode(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"otpauth://totp/Stickpress:ada?algorithm=SHA1&digits=6&issuer=Stickpress&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
		"https://press.example.org/sticks/stick_01jd6y9k3te0mv8b0g2z5q4w7x",
		"1", "张伟的优盘", strings.Repeat("long ", 100),
	} {
		c, err := qr.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", raster(t, c)).Output()
		if err != nil {
			t.Fatalf("zbarimg (apt install zbar-tools): %v", err)
		}
		if got := strings.TrimSuffix(string(out), "\n"); got != text {
			t.Errorf("read %q, drew %q", got, text)
		}
	}
	if _, err := qr.Encode(strings.Repeat("x", 3000)); err == nil {
		t.Error("a text that does not fit was drawn")
	}
}
