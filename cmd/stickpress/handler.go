package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/upload"
	"github.com/stickpress/stickpress/store/blob"
	"github.com/stickpress/stickpress/web"
)

// handler is the house's front: the three doors and what operators ask.
func (s *server) handler(staging *blob.Staging) (http.Handler, error) {
	restUploads, err := upload.New(upload.Deps{
		Console: s.console, Staging: staging, Logger: s.log,
		BasePath: rest.UploadPath, Actor: rest.ActorOf, Render: rest.RenderFault,
	})
	if err != nil {
		return nil, err
	}
	programs, err := rest.New(rest.Deps{Console: s.console, Uploads: restUploads, Logger: s.log, URL: s.url})
	if err != nil {
		return nil, err
	}
	webUploads, err := upload.New(upload.Deps{
		Console: s.console, Staging: staging, Logger: s.log,
		BasePath: "/uploads/", Actor: web.ActorOf, Render: web.RenderFault,
	})
	if err != nil {
		return nil, err
	}
	people := web.New(web.Deps{
		Console: s.console, Sessions: s.sessions, Uploads: webUploads, Receive: webUploads.Receive,
		Logger: s.log, Secure: s.config.secure(), URL: s.url, Fingerprint: s.fingerprint,
	})

	metrics, observe := s.metrics()
	r := chi.NewRouter()
	if s.config.TLSCert == "" {
		r.Use(onlyProxy(s.config.BehindProxy))
	}
	r.Use(trustProxy(s.config.BehindProxy), recoverer(s.log), observe, answerHead)
	r.Get("/livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	r.Get("/readyz", s.readyz)
	r.With(onlyFrom(s.config.MetricsAllow)).Handle("/metrics", metrics)
	s.hub.Routes(r)
	programs.Mount(r)
	people.Mount(r)
	return r, nil
}

// readyz says whether this replica should get requests: it is up, not going
// down, and reaches its database.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if !s.ready.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	if err := s.store.Ping(ctx); err != nil {
		s.log.WarnContext(ctx, "database not reachable", "error", err)
		http.Error(w, "database not reachable", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// metrics returns the page that Prometheus reads and the middleware that
// fills it. Routes are counted by their pattern, never by their path.
func (s *server) metrics() (http.Handler, func(http.Handler) http.Handler) {
	registry := prometheus.NewRegistry()
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "stickpress_http_request_duration_seconds", Help: "Time to answer a request, by route and status class.",
		Buckets: prometheus.DefBuckets,
	}, []string{"method", "route", "status"})
	hosts := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stickpress_hosts_connected", Help: "Hosts whose socket this replica holds.",
	}, func() float64 { return float64(s.hub.Online()) })
	registry.MustRegister(requests, hosts, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	observe := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			seen := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			next.ServeHTTP(seen, r)
			route := "unmatched"
			if rc := chi.RouteContext(r.Context()); rc != nil && rc.RoutePattern() != "" {
				route = rc.RoutePattern()
			}
			status := max(seen.Status(), http.StatusOK)
			class := string(rune('0'+status/100)) + "xx"
			requests.WithLabelValues(methodLabel(r.Method), route, class).Observe(time.Since(began).Seconds())
		})
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), observe
}

// methodLabel bounds the values of a label: a client may send any word as its
// method, and each would be a time series for ever.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// recoverer answers 500 to a request whose handler panicked, and logs it.
func recoverer(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if v == http.ErrAbortHandler { //nolint:errorlint // the sentinel itself is panicked
					panic(v)
				}
				log.ErrorContext(r.Context(), "handler panicked", "path", r.URL.Path, "panic", v)
				http.Error(w, "internal error", http.StatusInternalServerError)
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// onlyFrom refuses whoever is in none of some networks, as the proxy in front
// says where they are.
func onlyFrom(cidrs string) func(http.Handler) http.Handler {
	networks, _ := parseNetworks(cidrs) // Validate saw to it
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from, err := netip.ParseAddrPort(r.RemoteAddr)
			if err != nil || !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(from.Addr().Unmap().WithZone("")) }) {
				http.Error(w, "Figures are for monitoring alone; if this is it, add its address to the setting metrics-allow.", http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func parseNetworks(cidrs string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for text := range strings.SplitSeq(cidrs, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		out = append(out, n.Masked())
	}
	return out, nil
}

// onlyProxy refuses whoever goes past the configured proxy: what travels there
// is not encrypted. This machine itself may.
func onlyProxy(cidr string) func(http.Handler) http.Handler {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil { // Validate saw to it: the setting is empty, and nobody else reaches the address
		return func(next http.Handler) http.Handler { return next }
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer, err := netip.ParseAddrPort(r.RemoteAddr)
			from := peer.Addr().Unmap().WithZone("")
			if err != nil || !from.IsLoopback() && !prefix.Contains(from) {
				http.Error(w, "Without TLS the console answers only its proxy. Open it through the proxy; "+
					"if this is the proxy, add its address to the setting behind-proxy.", http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// trustProxy takes the peer's address from X-Forwarded-For when the request
// comes from the configured proxy, and from nobody else: the last address that
// is not the proxy's own.
func trustProxy(cidr string) func(http.Handler) http.Handler {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil { // Validate saw to it: the setting is empty
		return func(next http.Handler) http.Handler { return next }
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer, err := netip.ParseAddrPort(r.RemoteAddr)
			if err == nil && prefix.Contains(peer.Addr().Unmap()) {
				hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
				for i := len(hops) - 1; i >= 0; i-- {
					addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
					if err != nil {
						break
					}
					r.RemoteAddr = net.JoinHostPort(addr.String(), "0")
					if !prefix.Contains(addr.Unmap()) {
						break
					}
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
