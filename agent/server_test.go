package agent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
)

// pipes is a network in memory: in a synctest bubble its reads and deadlines
// follow the bubble's clock.
type pipes struct {
	conns chan net.Conn
	mu    sync.Mutex
	down  bool
	once  sync.Once
	over  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), over: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.mu.Lock()
	down := p.down
	p.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.over:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.over) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

// server is the other end of the protocol, as simple as it can be.
type server struct {
	*pipes
	t      *testing.T
	key    ed25519.PrivateKey
	http   *http.Server
	serves sync.WaitGroup

	mu       sync.Mutex
	host     ed25519.PublicKey
	ack      bool                      // acknowledge every event
	reject   *protocol.Fault           // instead of Welcome
	beat     int                       // Welcome.HeartbeatSeconds
	greet    func(*server, *peer)      // right after Resume
	mute     bool                      // answer no pings and no Hello
	peers    []*peer                   // connections that got a Welcome
	tries    []time.Time               // sockets opened
	enrolled []protocol.EnrollRequest  // what came to PathEnroll
	refuse   string                    // code for PathEnroll
	blobs    map[string][]byte         // by digest
	ticket   string                    // that is good
	hold     chan struct{}             // blobs wait for it, if set
	asked    int                       // requests for blobs
	got      map[string]protocol.Event // by build/attempt#seq
	refresh  func(p *peer, job string) // answers Refresh
	want     func(*peer, *protocol.WantRecord)
	judge    func(*peer, *protocol.FoundStick)
	records  []*protocol.Record            // all that came
	progress []protocol.AttemptProgress    // all that came
	invs     []*protocol.Inventory         // all that came
	resumes  []*protocol.Resume            // all that came
	batches  map[protocol.AttemptRef]int64 // highest seq seen
	longest  int                           // bytes of the longest message that came
}

// peer is one connection.
type peer struct {
	*websocket.Conn
	mu   sync.Mutex
	over chan struct{}
}

func (p *peer) send(t *testing.T, m protocol.Message) {
	t.Helper()
	raw, err := protocol.Encode(m)
	if err != nil {
		t.Error(err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.WriteMessage(websocket.TextMessage, raw); err != nil {
		t.Logf("server: send %s: %v", m.MessageType(), err)
	}
}

func newServer(t *testing.T) *server {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		pipes: newPipes(), t: t, key: key, ack: true, beat: 20, ticket: "ticket-1",
		blobs: map[string][]byte{}, got: map[string]protocol.Event{}, batches: map[protocol.AttemptRef]int64{},
	}
	s.http = &http.Server{Handler: s}
	s.serves.Go(func() { _ = s.http.Serve(s.pipes) })
	return s
}

func (s *server) close() {
	s.mu.Lock()
	peers := slices.Clone(s.peers)
	s.mu.Unlock()
	for _, p := range peers {
		_ = p.Close()
		<-p.over
	}
	_ = s.http.Close()
	s.serves.Wait()
}

func (s *server) public() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

func (s *server) setDown(down bool) {
	s.pipes.mu.Lock()
	s.down = down
	s.pipes.mu.Unlock()
	if down {
		_ = s.peer().Close()
	}
}

// peer is the newest connection.
func (s *server) peer() *peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.peers) == 0 {
		s.t.Fatal("no connection")
	}
	return s.peers[len(s.peers)-1]
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.peers)
}

func (s *server) addBlob(n int) protocol.Image {
	blob := bytes.Repeat([]byte("stickpress"), n/10+1)[:n]
	sum := sha256.Sum256(blob)
	digest := hex.EncodeToString(sum[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[digest] = blob
	return protocol.Image{Name: "win11-ent", Version: "1.0.0", Format: "wim", SHA256: digest, Bytes: int64(n)}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case protocol.PathSocket:
		s.socket(w, r)
	case protocol.PathEnroll:
		s.enroll(w, r)
	default:
		s.blob(w, r)
	}
}

func (s *server) blob(w http.ResponseWriter, r *http.Request) {
	digest := filepath.Base(r.URL.Path)
	s.mu.Lock()
	blob, ticket, hold := s.blobs[digest], s.ticket, s.hold
	isBlob := strings.HasPrefix(r.URL.Path, protocol.PathBlob)
	if isBlob {
		s.asked++
	}
	s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+ticket {
		http.Error(w, "ticket", http.StatusUnauthorized)
		return
	}
	if !isBlob {
		rec := protocol.BlobRecord{SHA256: digest, Bytes: int64(len(blob))}
		for b := range slices.Chunk(blob, protocol.BlockSize) {
			sum := sha256.Sum256(b)
			rec.Blocks = append(rec.Blocks, hex.EncodeToString(sum[:]))
		}
		_ = json.NewEncoder(w).Encode(rec)
		return
	}
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(blob))
}

func (s *server) enroll(w http.ResponseWriter, r *http.Request) {
	var req protocol.EnrollRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enrolled = append(s.enrolled, req)
	if s.refuse != "" {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(protocol.Reject{Fault: protocol.NewFault(s.refuse)})
		return
	}
	s.host = req.PublicKey
	_ = json.NewEncoder(w).Encode(protocol.EnrollResponse{HostID: fmt.Sprintf("host_%d", len(s.enrolled)), ServerKey: s.public()})
}

func (s *server) socket(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.tries = append(s.tries, time.Now())
	reject, beat, mute, greet := s.reject, s.beat, s.mute, s.greet
	s.mu.Unlock()
	p := &peer{Conn: conn, over: make(chan struct{})}
	defer close(p.over)
	defer conn.Close()
	conn.SetReadLimit(protocol.MaxMessage)
	c := &protocol.Challenge{Nonce: make([]byte, protocol.NonceSize), ServerKey: s.public()}
	_, _ = rand.Read(c.Nonce)
	p.send(s.t, c)
	_, raw, err := conn.ReadMessage()
	if err != nil {
		return // it does not trust us
	}
	m, err := protocol.Decode(raw)
	h, ok := m.(*protocol.Hello)
	if err != nil || !ok || !protocol.VerifyAgent(s.host, c, h) {
		s.t.Errorf("server: hello %v: %v", m, err)
		return
	}
	if reject != nil {
		p.send(s.t, &protocol.Reject{Fault: reject, Signature: protocol.SignReject(s.key, c, h, reject.Code)})
		return
	}
	s.mu.Lock()
	s.peers = append(s.peers, p)
	n := len(s.peers)
	s.mu.Unlock()
	if mute {
		conn.SetPingHandler(func(string) error { return nil })
	}
	p.send(s.t, &protocol.Welcome{Protocol: protocol.Version, Session: int64(n), HeartbeatSeconds: beat, Signature: protocol.SignServer(s.key, c, h)})
	first := true
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		m, err := protocol.Decode(raw)
		if err != nil {
			s.t.Errorf("server: %v", err)
			return
		}
		s.mu.Lock()
		s.longest = max(s.longest, len(raw))
		s.mu.Unlock()
		if _, ok := m.(*protocol.Resume); first != ok {
			s.t.Errorf("server: message %s at the wrong place", m.MessageType())
		}
		s.take(p, m)
		if first && greet != nil {
			greet(s, p)
		}
		first = false
	}
}

func key(e *protocol.Event) string { return fmt.Sprintf("%s/%d#%d", e.BuildID, e.Attempt, e.HostSeq) }

func (s *server) take(p *peer, m protocol.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := m.(type) {
	case *protocol.Resume:
		s.resumes = append(s.resumes, m)
	case *protocol.Inventory:
		s.invs = append(s.invs, m)
	case *protocol.Progress:
		s.progress = append(s.progress, m.Attempts...)
	case *protocol.Refresh:
		if s.refresh != nil {
			go s.refresh(p, m.JobID)
		}
	case *protocol.WantRecord:
		if s.want != nil {
			go s.want(p, m)
		}
	case *protocol.FoundStick:
		if s.judge != nil {
			go s.judge(p, m)
		}
	case *protocol.Record:
		s.records = append(s.records, m)
	case *protocol.Events:
		for _, e := range m.Events {
			if e.HostSeq > s.batches[e.AttemptRef]+1 {
				s.t.Errorf("server: event %s leaves a gap after %d", key(&e), s.batches[e.AttemptRef])
			}
			s.batches[e.AttemptRef] = max(e.HostSeq, s.batches[e.AttemptRef])
			if old, ok := s.got[key(&e)]; ok && old.Type != e.Type {
				s.t.Errorf("server: event %s was %s and is %s", key(&e), old.Type, e.Type)
			}
			s.got[key(&e)] = e
			if s.ack {
				go p.send(s.t, &protocol.Ack{AttemptRef: e.AttemptRef, HostSeq: e.HostSeq})
			}
		}
	default:
		s.t.Errorf("server: got %s", m.MessageType())
	}
}

// checks are those of an attempt's preflights, in their order.
func (s *server) checks(ref protocol.AttemptRef) (all []protocol.Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := int64(1); ; n++ {
		e, ok := s.got[key(&protocol.Event{AttemptRef: ref, HostSeq: n})]
		if !ok {
			return all
		}
		if e.Preflight != nil {
			all = append(all, e.Preflight.Checks...)
		}
	}
}

// story is all events of an attempt, in words, but for its checks.
func (s *server) story(ref protocol.AttemptRef) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var words []string
	for n := int64(1); ; n++ {
		e, ok := s.got[key(&protocol.Event{AttemptRef: ref, HostSeq: n})]
		if !ok {
			return strings.Join(words, " ")
		}
		switch {
		case e.Preflight != nil:
		case e.Type == protocol.EventStepBegun:
			words = append(words, string(e.Step)+"<")
		case e.Type == protocol.EventStepDone:
			words = append(words, string(e.Step)+">")
		case e.Fault != nil:
			touched := "untouched"
			if e.Fault.Touched {
				touched = "touched"
			}
			words = append(words, string(e.Type)+":"+e.Fault.Code+":"+touched)
		case e.Log != nil:
			words = append(words, "log:"+e.Log.Code)
		default:
			words = append(words, string(e.Type))
		}
	}
}
