package browser

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"

	"github.com/stickpress/stickpress/web/webtest"
)

// line carries connections to a console. A laptop that sleeps comes back to
// connections that look open and carry nothing any more: so freeze leaves them.
type line struct {
	net.Listener
	mu     sync.Mutex
	frozen chan struct{} // closed for the connections that were there
}

func newLine(t *testing.T, console string) (*line, string) {
	t.Helper()
	at, err := url.Parse(console)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{Listener: listener, frozen: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := new(net.Dialer).DialContext(ctx, "tcp", at.Host)
			if err != nil {
				_ = here.Close()
				continue
			}
			l.mu.Lock()
			frozen := l.frozen
			l.mu.Unlock()
			context.AfterFunc(ctx, func() { _, _ = here.Close(), there.Close() })
			all.Go(func() { carry(there, here, frozen) })
			all.Go(func() { carry(here, there, frozen) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		stop()
		all.Wait()
	})
	return l, "http://" + listener.Addr().String()
}

// freeze has every connection there is carry nothing from now on; new ones do.
func (l *line) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.frozen)
	l.frozen = make(chan struct{})
}

// carry copies from one end to the other, into nowhere once the line is frozen.
func carry(to, from net.Conn, frozen <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-frozen:
			if err != nil {
				return // the other end is not told
			}
			continue
		default:
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			if c, ok := to.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) {
				_ = c.CloseWrite()
			} else {
				_ = to.Close()
			}
			return
		}
	}
}

// slept moves the page's clock on, as a night does of which it saw nothing.
const slept = `(() => { const now = Date.now; Date.now = () => now.call(Date) + 8 * 3600e3; })()`

// resumed is how often the page has opened its stream with what it had seen.
const resumed = `performance.getEntriesByType("resource").filter((r) => /\/live\?.*after=[^&]/.test(r.name) && !r.name.endsWith("after=")).length`

// A page that slept, and one whose network was away, shows the present soon
// after: by the same page, which asks for what it does not have.
func TestWake(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	l, at := newLine(t, s.URL)
	way, err := url.Parse(s.Link(t, "helpdesk"))
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, at, "en")
	b.visit(way.RequestURI())
	b.press("main form .btn-primary")
	b.at("/")
	running := func(n string) {
		t.Helper()
		b.until("jobs under way: "+n, `document.querySelector("#tile-jobs .tile-value")?.innerText === "`+n+`"`)
	}
	running("1")
	eval[bool](b, `window.same = true`)
	job, press := s.Press(t)
	running("2")

	l.freeze()
	press.Fail(t, job.Builds[0])
	press.Fail(t, job.Builds[1])
	before := eval[int](b, resumed)
	eval[any](b, slept)
	running("1")
	if n := eval[int](b, resumed); n <= before {
		t.Errorf("the stream was opened %d times with what was seen, %d before", n, before)
	}

	offline := func(is bool) {
		t.Helper()
		call(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: -1, Offline: is}},
		})
	}
	offline(true) // which lets what is open be
	s.Break()
	b.until("it says that it hears nothing", `document.querySelector("[data-connection-lost]:not([hidden])")`)
	job, press = s.Press(t)
	offline(false)
	running("2")
	b.until("it hears again", `document.querySelector("[data-connection-lost][hidden]")`)
	press.Fail(t, job.Builds[0])
	press.Fail(t, job.Builds[1])
	running("1")

	l.freeze()
	s.Press(t)
	eval[bool](b, `window.dispatchEvent(new Event("online"))`)
	running("2")
	if !eval[bool](b, `window.same === true`) {
		t.Error("the page was loaded again")
	}
	b.expect("ERR_") // the network that the test took away
	b.expect("sseError")
	b.expect("[object Event]") // the same, as htmx says it
}
