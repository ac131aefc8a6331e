package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/cmd/e2e/sample"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// A command that is killed in the middle of an upload goes on where it was when
// it is given again.
func TestUploadCut(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.SetUp()
	target, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	cut := &cutter{after: 4 << 20}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			r.Body = cut.around(r.Body)
		}
		forward.ServeHTTP(rw, r)
	}))
	t.Cleanup(proxy.Close)
	image := w.SampleOf(sample.Options{SmallFiles: 200, BigFiles: 2, BigBytes: 8 << 20})
	config := t.TempDir()
	add := func() (string, error) {
		cmd := exec.CommandContext(w.Context(), filepath.Join(w.Programs(), "stickpress"), "image", "add", image, "--image", "cut", "--version", "1.0.0")
		cmd.Env = append(os.Environ(), "STICKPRESS_SERVER="+proxy.URL, "STICKPRESS_TOKEN="+w.Token, "XDG_CONFIG_HOME="+config)
		var said strings.Builder
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cut.victim(cmd.Process)
		err := cmd.Wait()
		return said.String(), err
	}
	if said, err := add(); err == nil {
		t.Fatalf("it was not cut off: %s", said)
	}
	said, err := add()
	if err != nil {
		t.Fatalf("the second time: %v: %s", err, said)
	}
	if !strings.Contains(said, "goes on at ") || strings.Contains(said, "goes on at 0 B") {
		t.Errorf("it began anew: %q", said)
	}
	if _, err := w.Client.FindVersion(w.Context(), "cut", "1.0.0", ""); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(config, "stickpress", "uploads", "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// cutter kills a program once so many bytes of what it sends went by.
type cutter struct {
	mu      sync.Mutex
	after   int64
	process *os.Process
	done    bool
}

func (c *cutter) victim(p *os.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process = p
}

func (c *cutter) around(body io.ReadCloser) io.ReadCloser { return &cutBody{body, c} }

type cutBody struct {
	io.ReadCloser
	c *cutter
}

// Read implements io.Reader.
func (b *cutBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	if b.c.after -= int64(n); b.c.after <= 0 && !b.c.done && b.c.process != nil {
		b.c.done = true
		_ = b.c.process.Kill() // it has not ended: it is sending
	}
	return n, err
}
