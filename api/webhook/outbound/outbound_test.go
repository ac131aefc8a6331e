package outbound_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/outbound"
)

// client allows what the list says, and trusts the receiver's certificate.
func client(t *testing.T, list string, change ...func(*outbound.Options)) *outbound.Client {
	t.Helper()
	allowed, err := outbound.ParseAllowed(list)
	if err != nil {
		t.Fatal(err)
	}
	o := outbound.Options{Allowed: func(context.Context) (outbound.Allowed, error) { return allowed, nil }}
	for _, c := range change {
		c(&o)
	}
	return outbound.New(o)
}

func receiver(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func faultIs(t *testing.T, err error, code fault.Code) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("the error is %v, want %s", err, code)
		return &fault.Error{}
	}
	return f
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Header.Get("X-Test"), r.UserAgent(), body)
	})
	times := []time.Time{time.Unix(10, 0), time.Unix(12, 0)}
	c := client(t, "127.0.0.0/8", func(o *outbound.Options) {
		o.Now = func() time.Time { at := times[0]; times = times[1:]; return at }
	})
	a, err := c.Do(t.Context(), outbound.Request{URL: url, Header: http.Header{"x-test": {"yes"}}, Body: []byte("hello")})
	if err != nil || a.Status != http.StatusTeapot || a.OK() || string(a.Body) != "POST yes Stickpress hello" || a.Cut || a.Took != 2*time.Second {
		t.Errorf("the answer is %+v %q, %v", a, a.Body, err)
	}
}

// Nothing is connected to that the list does not have, by whatever name.
func TestRefusedBeforeItIsConnectedTo(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 100)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			came <- struct{}{}
			c.Close()
		}
	}()
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	c := client(t, "")
	names := client(t, "", func(o *outbound.Options) { o.Resolver = resolver(t, "127.0.0.1") })
	for _, x := range []struct {
		c    *outbound.Client
		host string
	}{
		{c, "127.0.0.1"},
		{c, "localhost"},
		{c, "[::1]"},
		{c, "[::ffff:127.0.0.1]"},
		{c, "0.0.0.0"},
		{names, "looks-public.example.org"},
	} {
		_, err := x.c.Do(t.Context(), outbound.Request{URL: "https://" + x.host + ":" + port + "/?key=secret"})
		f := faultIs(t, err, outbound.CodeNotAllowed)
		if strings.Contains(f.Error(), "secret") {
			t.Errorf("the error tells the query: %v", f)
		}
	}
	if len(came) != 0 {
		t.Errorf("%d connections were made", len(came))
	}
}

// A name that is checked as public and points inside when it is asked: what is
// judged is the address that is dialled.
func TestRebinding(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"169.254.169.254", "10.1.2.3", "127.0.0.1", "100.64.0.1", "168.63.129.16"} {
		c := client(t, "", func(o *outbound.Options) { o.Resolver = resolver(t, address) })
		if err := c.Check(t.Context(), "https://hooks.example.org/"); err != nil {
			t.Errorf("the name is refused already: %v", err)
		}
		_, err := c.Do(t.Context(), outbound.Request{URL: "https://hooks.example.org/"})
		if f := faultIs(t, err, outbound.CodeNotAllowed); f.Params["address"] != address || f.Params["host"] != "hooks.example.org" {
			t.Errorf("the error is %v", f)
		}
	}
}

// A host that is listed may have an address inside, but never that of a
// metadata service.
func TestListedName(t *testing.T) {
	t.Parallel()
	url := receiver(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	c := client(t, "tickets.lan", func(o *outbound.Options) { o.Resolver = resolver(t, "127.0.0.1") })
	if a, err := c.Do(t.Context(), outbound.Request{URL: "http://Tickets.lan:" + port}); err != nil || !a.OK() {
		t.Errorf("a listed host answers %+v, %v", a, err)
	}
	_, err := c.Do(t.Context(), outbound.Request{URL: "http://other.lan:" + port})
	faultIs(t, err, outbound.CodeNotAllowed)
	for _, list := range []string{"tickets.lan", "169.254.0.0/16"} {
		c = client(t, list, func(o *outbound.Options) { o.Resolver = resolver(t, "169.254.169.254") })
		_, err = c.Do(t.Context(), outbound.Request{URL: "http://tickets.lan/"})
		faultIs(t, err, outbound.CodeNotAllowed)
	}
}

// Plain http is for what is listed.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	_, err := client(t, "").Do(t.Context(), outbound.Request{URL: "http://example.org/"})
	faultIs(t, err, outbound.CodeNotHTTPS)
	c := client(t, "10.0.0.0/8", func(o *outbound.Options) { o.Resolver = resolver(t, "93.184.216.34") })
	_, err = c.Do(t.Context(), outbound.Request{URL: "http://example.org/"})
	faultIs(t, err, outbound.CodeNotHTTPS)
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	asked := 0
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	a, err := client(t, "127.0.0.1, 169.254.169.254").Do(t.Context(), outbound.Request{URL: url})
	f := faultIs(t, err, outbound.CodeRedirect)
	if asked != 1 || a.Status != http.StatusFound || f.Params["to"] != "169.254.169.254" || f.Params["status"] != "302" {
		t.Errorf("asked %d times, the answer is %d, %v", asked, a.Status, f)
	}
}

// limit ends a request's time when done is closed, as the clock would.
func limit(done <-chan struct{}) func(*outbound.Options) {
	return func(o *outbound.Options) {
		o.Limit = func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			if d != outbound.Timeout {
				panic("another limit")
			}
			ctx, cancel := context.WithCancel(ctx)
			stop := make(chan struct{})
			go func() {
				select {
				case <-done:
					cancel()
				case <-stop:
				}
			}()
			return ctx, func() { close(stop); cancel() }
		}
	}
}

func TestReceiverThatHangs(t *testing.T) {
	t.Parallel()
	late := make(chan struct{})
	url := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(late)
		<-r.Context().Done()
	})
	_, err := client(t, "127.0.0.1", limit(late)).Do(t.Context(), outbound.Request{URL: url})
	faultIs(t, err, outbound.CodeLate)
}

func TestReceiverThatAnswersByteByByte(t *testing.T) {
	t.Parallel()
	late := make(chan struct{})
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; r.Context().Err() == nil; i++ {
			_, _ = w.Write([]byte("."))
			_ = http.NewResponseController(w).Flush()
			if i == 3 {
				close(late)
				<-r.Context().Done()
			}
		}
	})
	_, err := client(t, "127.0.0.1", limit(late)).Do(t.Context(), outbound.Request{URL: url})
	faultIs(t, err, outbound.CodeLate)
}

// Who calls may give up; that says nothing about the receiver.
func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	if _, err := client(t, "127.0.0.1").Do(ctx, outbound.Request{URL: url}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestHugeAnswers(t *testing.T) {
	t.Parallel()
	url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		piece := bytes.Repeat([]byte("x"), 1<<20)
		for range 1000 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	a, err := client(t, "127.0.0.1").Do(t.Context(), outbound.Request{URL: url})
	if err != nil || len(a.Body) != outbound.MaxBody || !a.Cut {
		t.Errorf("%d bytes were read, cut %t, %v", len(a.Body), a.Cut, err)
	}
	url = receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Huge", strings.Repeat("x", outbound.MaxHeader+1))
	})
	_, err = client(t, "127.0.0.1").Do(t.Context(), outbound.Request{URL: url})
	faultIs(t, err, outbound.CodeBroken)
}

func TestReceiverThatClosesEarly(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "SSH-2.0-OpenSSH_9.2\r\n"} {
		url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = c.Write([]byte(part))
			c.Close()
		})
		_, err := client(t, "127.0.0.1").Do(t.Context(), outbound.Request{URL: url})
		faultIs(t, err, outbound.CodeBroken)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	_, err = client(t, "127.0.0.1").Do(t.Context(), outbound.Request{URL: "http://" + listener.Addr().String()})
	faultIs(t, err, outbound.CodeUnreached)
	c := client(t, "", func(o *outbound.Options) { o.Resolver = resolver(t, "") })
	_, err = c.Do(t.Context(), outbound.Request{URL: "https://nobody.example.org"})
	faultIs(t, err, outbound.CodeUnresolved)
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // refusals are what is asked for
	s.StartTLS()
	defer s.Close()
	_, err := client(t, "127.0.0.1").Do(t.Context(), outbound.Request{URL: s.URL})
	faultIs(t, err, outbound.CodeCertificate) // of nobody's making

	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	trust := func(o *outbound.Options) { o.TLS = &tls.Config{RootCAs: roots} }
	if a, err := client(t, "127.0.0.1", trust).Do(t.Context(), outbound.Request{URL: s.URL}); err != nil || !a.OK() {
		t.Errorf("a trusted certificate: %+v, %v", a, err)
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	named := client(t, "127.0.0.1", trust, func(o *outbound.Options) { o.Resolver = resolver(t, "127.0.0.1") })
	_, err = named.Do(t.Context(), outbound.Request{URL: "https://other.test:" + port})
	faultIs(t, err, outbound.CodeCertificate) // somebody else's

	plain := receiver(t, func(http.ResponseWriter, *http.Request) {})
	_, err = client(t, "127.0.0.1").Do(t.Context(), outbound.Request{URL: strings.Replace(plain, "http:", "https:", 1)})
	faultIs(t, err, outbound.CodeCertificate) // no TLS at all
}

// A proxy of the environment would connect in our place.
func TestNoProxy(t *testing.T) {
	url := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	t.Setenv("HTTPS_PROXY", url)
	t.Setenv("HTTP_PROXY", url)
	c := client(t, "inside.test", func(o *outbound.Options) { o.Resolver = resolver(t, "127.0.0.1") })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_, err = c.Do(t.Context(), outbound.Request{URL: "http://inside.test:" + port})
	faultIs(t, err, outbound.CodeUnreached)
}

// resolver knows one address for every name, or none.
func resolver(t *testing.T, address string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}
			m.Additionals = nil
			switch q := m.Questions[0]; {
			case address == "":
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
				}}
			}
			out, err := m.Pack()
			if err == nil {
				_, _ = server.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}
