// Package hub is the hosts' door: the server end of the agents' websockets and
// of their image downloads.
//
// A Hub keeps one connection per host. It proves itself and the host to each
// other (agent/protocol), then only moves messages: what they mean is decided
// by api.Console. Postgres is the truth and a socket is a nudge: whatever a
// connection was about to say when it broke is said again on the next one,
// so a Hub holds no state that is worth keeping.
//
// Each connection has one goroutine that waits for what the host says. What it
// says is taken, what is queued for it is written, and assignments and
// cancellations are looked for, by goroutines that end with that: hundreds of
// hosts are idle most of the day. One clock for all of them sends heartbeats and
// looks for work now and then without being woken.
package hub

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// Deps is what a Hub needs. Zero durations and numbers mean the defaults.
type Deps struct {
	Console *api.Console
	Logger  *slog.Logger
	Rand    io.Reader // of nonces and jitter; nil means crypto/rand

	// Heartbeat is how often a ping is sent; a host that says nothing for
	// three of them is gone. Default 15 s.
	Heartbeat time.Duration
	// Poll is how often work is looked for without a notification, with a
	// jitter of half. Default 5 s.
	Poll time.Duration
	// DrainWithin is the time over which agents spread their reconnects when
	// this server stops. Default 5 s.
	DrainWithin time.Duration
	// MaxConns bounds the sockets of this replica. Default 2000.
	MaxConns int
}

// Limits that are no setting.
const (
	handshakeTime = 10 * time.Second // for the whole handshake
	writeTime     = 10 * time.Second // for one message
	closeTime     = 2 * time.Second  // for the answer to a farewell
	maxHandshakes = 64               // at the same time
	maxEnrollBody = 16 << 10         // bytes
	socketBuffer  = 1 << 10          // bytes; a longer message takes several
	maxTick       = 250 * time.Millisecond
)

// Hub is the hosts' door. Make one with New; it is safe for concurrent use.
type Hub struct {
	deps     Deps
	log      *slog.Logger
	upgrader websocket.Upgrader
	// handshakes bounds sockets that have not proved anything yet.
	handshakes chan struct{}

	mu       sync.Mutex
	conns    map[string]*conn // by host ID
	ticking  bool
	open     int // sockets, those in their handshake included
	draining bool
	idle     chan struct{} // closed when draining and open is 0
}

// New returns a hub.
func New(d Deps) *Hub {
	if d.Heartbeat <= 0 {
		d.Heartbeat = 15 * time.Second
	}
	if d.Poll <= 0 {
		d.Poll = 5 * time.Second
	}
	if d.DrainWithin <= 0 {
		d.DrainWithin = 5 * time.Second
	}
	if d.MaxConns <= 0 {
		d.MaxConns = 2000
	}
	if d.Rand == nil {
		d.Rand = rand.Reader
	}
	h := &Hub{
		deps:       d,
		log:        d.Logger.With("part", "hub"),
		handshakes: make(chan struct{}, maxHandshakes),
		conns:      map[string]*conn{},
		idle:       make(chan struct{}),
	}
	h.upgrader = websocket.Upgrader{
		HandshakeTimeout: handshakeTime,
		ReadBufferSize:   socketBuffer,
		WriteBufferSize:  socketBuffer,
		WriteBufferPool:  &sync.Pool{},
		CheckOrigin:      noOrigin,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, _ error) {
			http.Error(w, http.StatusText(status), status)
		},
	}
	return h
}

// Routes adds the agents' paths to a router.
func (h *Hub) Routes(r chi.Router) {
	r.Post(protocol.PathEnroll, h.handle(h.enroll))
	r.Get(protocol.PathSocket, h.socket)
	r.Get(protocol.PathBlob+"{sha256}", h.handle(h.blob))
	r.Head(protocol.PathBlob+"{sha256}", h.handle(h.blob))
	r.Get(protocol.PathBlocks+"{sha256}", h.handle(h.blocks))
	r.Post(protocol.PathUpload, h.handle(h.upload))
	r.Get(protocol.PathUpload+"/{id}", h.handle(h.uploadAt))
	r.Patch(protocol.PathUpload+"/{id}", h.handle(h.uploadPiece))
	r.Post(protocol.PathUpload+"/{id}/publish", h.handle(h.publish))
}

// Online reports how many hosts are connected to this replica.
func (h *Hub) Online() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// noOrigin accepts what agents send, which is no Origin at all: a browser
// always names one on a websocket, and no page has business here.
func noOrigin(r *http.Request) bool { return r.Header.Get("Origin") == "" }

// enter counts a new socket; it refuses when the hub is full or draining.
func (h *Hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining || h.open >= h.deps.MaxConns {
		return false
	}
	h.open++
	return true
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	if h.draining && h.open == 0 {
		close(h.idle)
	}
}

// join makes c its host's connection; an older one is closed. Of two that were
// accepted at the same time the older may come last: it closes itself.
func (h *Hub) join(c *conn) {
	h.mu.Lock()
	old := h.conns[c.session.HostID]
	if old != nil && old.session.Session > c.session.Session {
		old = c
	} else {
		h.conns[c.session.HostID] = c
	}
	draining := h.draining
	h.mu.Unlock()
	if old != nil {
		old.stop(websocket.CloseGoingAway, "a newer connection took over")
	}
	if draining {
		c.drain()
	}
}

// startClock makes sure that somebody does what is due.
func (h *Hub) startClock() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ticking {
		h.ticking = true
		go h.tick()
	}
}

// tick does for all connections what is due, until there are none.
func (h *Hub) tick() {
	every := time.NewTicker(max(time.Millisecond, min(maxTick, h.deps.Heartbeat/8, h.deps.Poll/8)))
	defer every.Stop()
	for now := range every.C {
		h.mu.Lock()
		conns := slices.Collect(maps.Values(h.conns))
		h.ticking = len(conns) > 0
		h.mu.Unlock()
		if len(conns) == 0 {
			return
		}
		for _, c := range conns {
			c.tick(now)
		}
	}
}

func (h *Hub) part(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns[c.session.HostID] == c {
		delete(h.conns, c.session.HostID)
	}
}

// Drain stops taking sockets and work, asks every agent to reconnect, and
// returns when all have gone; when ctx ends it closes those that stayed.
func (h *Hub) Drain(ctx context.Context) {
	h.mu.Lock()
	if !h.draining {
		h.draining = true
		if h.open == 0 {
			close(h.idle)
		}
	}
	conns := make([]*conn, 0, len(h.conns))
	for _, c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	for _, c := range conns {
		c.drain()
	}
	select {
	case <-h.idle:
		return
	case <-ctx.Done():
	}
	h.mu.Lock()
	conns = conns[:0]
	for _, c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	for _, c := range conns {
		c.stop(websocket.CloseServiceRestart, "the server is stopping")
	}
	select {
	case <-h.idle:
	case <-time.After(2 * closeTime):
	}
}
