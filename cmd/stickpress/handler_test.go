package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// Nobody but the proxy may say where a request comes from.
func TestTrustProxy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"not the proxy":            {"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1:5"},
		"the proxy":                {"10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1:0"},
		"the client's own words":   {"10.0.0.1:5", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1:0"},
		"in a header of their own": {"10.0.0.1:5", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1:0"},
		"two proxies":              {"10.0.0.1:5", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1:0"},
		"no address":               {"10.0.0.1:5", []string{"198.51.100.1, nobody"}, "10.0.0.1:5"},
		"nothing":                  {"10.0.0.1:5", nil, "10.0.0.1:5"},
		"IPv4 in IPv6":             {"[::ffff:10.0.0.1]:5", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
	} {
		var got string
		h := trustProxy("10.0.0.0/8")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		for _, f := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != tt.want {
			t.Errorf("%s: address %s, want %s", name, got, tt.want)
		}
	}
}

// Without TLS nobody gets past the proxy.
func TestOnlyProxy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cidr, peer string
		want       int
	}{
		{"10.0.0.0/8", "10.0.0.1:5", http.StatusOK},
		{"10.0.0.0/8", "[::ffff:10.0.0.1]:5", http.StatusOK},
		{"10.0.0.0/8", "127.0.0.1:5", http.StatusOK},
		{"10.0.0.0/8", "[::1]:5", http.StatusOK},
		{"fe80::/10", "[fe80::1%eth0]:5", http.StatusOK},
		{"10.0.0.0/8", "192.0.2.1:5", http.StatusForbidden},
		{"10.0.0.0/8", "[2001:db8::1]:5", http.StatusForbidden},
		{"10.0.0.0/8", "nobody", http.StatusForbidden},
		{"", "192.0.2.1:5", http.StatusOK}, // Validate: then nothing but this machine reaches us
	} {
		h := onlyProxy(tt.cidr)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		r.Header.Set("X-Forwarded-For", "10.0.0.1") // its own words change nothing
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want || tt.want == http.StatusForbidden && !strings.Contains(w.Body.String(), "proxy") {
			t.Errorf("%s behind %q: %d %q, want %d", tt.peer, tt.cidr, w.Code, w.Body, tt.want)
		}
	}
}

// Figures are for this machine, and for whom a setting names.
func TestOnlyFrom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cidrs, peer string
		want        int
	}{
		{"127.0.0.0/8,::1/128", "127.0.0.1:5", http.StatusOK},
		{"127.0.0.0/8,::1/128", "[::1]:5", http.StatusOK},
		{"127.0.0.0/8,::1/128", "[::ffff:127.0.0.1]:5", http.StatusOK},
		{"127.0.0.0/8,::1/128", "192.0.2.1:5", http.StatusForbidden},
		{"127.0.0.0/8, 192.0.2.0/24", "192.0.2.1:5", http.StatusOK},
		{"127.0.0.0/8", "nobody", http.StatusForbidden},
	} {
		h := onlyFrom(tt.cidrs)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.RemoteAddr = tt.peer
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s of %s: %d, want %d", tt.peer, tt.cidrs, w.Code, tt.want)
		}
	}
}

// A time series for every word that a client sends as its method would fill
// the memory.
func TestMethodLabel(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{"GET": "GET", "PATCH": "PATCH", "get": "other", "FOO1": "other", "": "other"} {
		if got := methodLabel(method); got != want {
			t.Errorf("%q is counted as %s, want %s", method, got, want)
		}
	}
}

func TestSecureCookies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		config Config
		want   bool
	}{
		{Config{}, false},
		{Config{TLSCert: "a", TLSKey: "b"}, true},
		{Config{BehindProxy: "10.0.0.0/8"}, true},
		{Config{PublicURL: "https://press.example"}, true},
		{Config{PublicURL: "http://127.0.0.1:8080", BehindProxy: "10.0.0.0/8"}, false},
	} {
		if got := tt.config.secure(); got != tt.want {
			t.Errorf("%+v: secure %t, want %t", tt.config, got, tt.want)
		}
	}
}

// The links that are printed must be ones that a browser can open.
func TestURL(t *testing.T) {
	t.Parallel()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", "[::]:8443": "http://" + name + ":8443",
		"0.0.0.0:80": "http://" + name + ":80", ":80": "http://" + name + ":80",
	} {
		if got := (Config{}).URL(listenAddr(listen)); got != want {
			t.Errorf("listening on %s: %s, want %s", listen, got, want)
		}
	}
}
