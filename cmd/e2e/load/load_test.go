// Package load measures the console beside its peers, in one run on one
// machine: what a second of it costs says more about the machine than about
// the program, so every figure comes with a ratio.
//
// The database is a Postgres of its own that syncs every commit to the disk of
// the temporary folder (TMPDIR), as a real one does. Hosts are sockets in this process; sticks
// exist in their inventories only.
package load

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/hub"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/store/pglocal"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(envIdle) != "" {
		os.Exit(idle())
	}
	stop, err := durable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	apitest.Conns = 0
	code := m.Run()
	stop()
	os.Exit(code)
}

// durable starts a Postgres that syncs, unless one is given.
func durable() (func(), error) {
	if os.Getenv(storetest.EnvURL) != "" {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "stickpress-load-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // Postgres has an account of its own
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pg, err := pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(dir, "pg"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return func() {
		_ = pg.Stop(context.Background())
		_ = os.RemoveAll(dir)
	}, os.Setenv(storetest.EnvURL, pg.URL())
}

// ports is how many sticks a host has.
const ports = 16

// room is a console with a published image, and hosts with sticks.
type room struct {
	*apitest.Fixture
	hosts []apitest.Host
	// sticks[i] are those of hosts[i].
	sticks [][]protocol.Device
}

// furnish sets up a console with so many hosts of ports sticks each. Their
// inventory came with a connection that is over.
func furnish(tb testing.TB, hosts int) *room {
	tb.Helper()
	r := &room{Fixture: apitest.New(tb)}
	r.Publish(tb, "win11-ent", "1.0.0")
	for i := range hosts {
		var sticks []protocol.Device
		for p := range ports {
			stick := apitest.Stick(fmt.Sprintf("p%04d-%02d", i, p))
			stick.Kind = protocol.KindUSB
			sticks = append(sticks, stick)
		}
		host := r.EnrollFrom(tb, name(i), fmt.Sprintf("198.51.%d.%d", i/250, i%250))
		session, err := r.HostConnected(tb.Context(), host.Hello())
		if err != nil {
			tb.Fatal(err)
		}
		if err := r.HostInventory(tb.Context(), session, &protocol.Inventory{Devices: sticks}); err != nil {
			tb.Fatal(err)
		}
		if err := r.HostDisconnected(tb.Context(), session); err != nil {
			tb.Fatal(err)
		}
		r.hosts, r.sticks = append(r.hosts, host), append(r.sticks, sticks)
	}
	return r
}

func name(host int) string { return fmt.Sprintf("host-%04d", host) }

func ticket(n int) string { return fmt.Sprintf("INC-%07d", n) }

// order asks for the n-th stick of the room.
func (r *room) order(n int) api.QueueJobInput {
	host := n / ports
	in := apitest.Order("win11-ent", name(host), r.sticks[host][n%ports])
	in.ExternalRef, in.Holder = api.Ticket(ticket(n)), "Ada Lovelace"
	return in
}

// listen serves the API and the hosts' door, and returns its address.
func (r *room) listen(tb testing.TB, start func(http.Handler) *httptest.Server) string {
	tb.Helper()
	router := resttest.Router(tb, r.Fixture)
	h := hub.New(hub.Deps{Console: r.Console, Logger: slog.New(slog.DiscardHandler), DrainWithin: time.Millisecond})
	front := chi.NewRouter()
	h.Routes(front)
	front.Mount("/", router)
	srv := start(front)
	tb.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		h.Drain(ctx)
		srv.Close()
	})
	return srv.URL
}

// percentile is the p-th of some durations, in milliseconds.
func percentile(all []time.Duration, p float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return float64(sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]) / 1e6
}
