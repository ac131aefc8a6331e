package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/apitest"
)

// envIdle makes the test binary the hosts of BenchmarkIdle: what they need is
// no memory of the server's.
const envIdle = "STICKPRESS_LOAD_IDLE"

// guests is what the other process is told.
type guests struct {
	URL   string
	Count int // without Hosts: plain sockets that say nothing
	Hosts []apitest.Host
}

// BenchmarkIdle counts the memory of the server for each host that is connected
// over TLS and has nothing to do: heap in use and stacks, after a collection,
// with so many hosts and without. In the same run as many sockets are held the
// usual way: gorilla over net/http, one goroutine that reads, one that writes.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		idleHosts(b, 1000)
	}
}

func idleHosts(b *testing.B, count int) {
	r := furnish(b, count)
	url := r.listen(b, httptest.NewTLSServer)
	ours := perGuest(b, guests{URL: url, Count: count, Hosts: r.hosts})

	plain := httptest.NewTLSServer(http.HandlerFunc(usual))
	defer plain.Close()
	theirs := perGuest(b, guests{URL: plain.URL, Count: count})
	b.ReportMetric(ours/1024, "KiB/host")
	b.ReportMetric(theirs/1024, "usual-KiB/socket")
	b.ReportMetric(ours/theirs, "of-usual")
}

// usual holds a websocket the way that gorilla's examples do.
func usual(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	ended := make(chan struct{})
	go func() {
		beat := time.NewTicker(time.Minute)
		defer beat.Stop()
		for {
			select {
			case <-beat.C:
				_ = ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
			case <-ended:
				return
			}
		}
	}()
	defer close(ended)
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
}

// perGuest is the growth of this process for each socket of another one, in
// bytes.
func perGuest(b *testing.B, g guests) float64 {
	b.Helper()
	before := inUse()
	ctx, cancel := context.WithTimeout(b.Context(), 2*patience)
	defer cancel()
	other := exec.CommandContext(ctx, os.Args[0])
	other.Env = append(os.Environ(), envIdle+"=1")
	other.Stderr = os.Stderr
	in, err := other.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := other.Start(); err != nil {
		b.Fatal(err)
	}
	if err := json.NewEncoder(in).Encode(g); err != nil {
		b.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "there\n" {
		b.Fatalf("the other process said %q, %v", line, err)
	}
	after := inUse()
	if err := in.Close(); err != nil {
		b.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		b.Fatal(err)
	}
	return float64(after-before) / float64(g.Count)
}

// inUse is what the process holds: the least of some looks, because work that is
// just going on holds more.
func inUse() int64 {
	least := int64(1) << 62
	for range 10 {
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		least = min(least, int64(m.HeapInuse+m.StackInuse)) //nolint:gosec // of this process
		time.Sleep(300 * time.Millisecond)
	}
	return least
}

// idle is the other process: it opens the sockets, says so, and keeps them
// until nobody listens any more.
func idle() int {
	in := bufio.NewReader(os.Stdin)
	var g guests
	if err := json.NewDecoder(in).Decode(&g); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	for i := range g.Count {
		ws, err := guest(ctx, &g, i)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer ws.Close()
		go func() { // answers pings
			for {
				if _, _, err := ws.ReadMessage(); err != nil {
					return
				}
			}
		}()
	}
	fmt.Println("there")
	_, _ = in.ReadString(0)
	return 0
}

func guest(ctx context.Context, g *guests, i int) (*websocket.Conn, error) {
	if len(g.Hosts) == 0 {
		return open(ctx, g.URL)
	}
	a, err := dial(ctx, g.URL, g.Hosts[i], nil)
	if err != nil {
		return nil, err
	}
	return a.ws, a.send(&protocol.Resume{})
}
