// Package spool remembers what an agent did until its server has stored it.
//
// The spool is one append-only journal. Everything that happens to an attempt
// is an event; it gets its number (HostSeq, from 1 without a gap) and is on
// the disk before anybody else hears of it. Events are handed out for sending
// as often as it takes (Next) and forgotten when they are acknowledged.
//
// The same journal is the agent's memory across a crash: an attempt that was
// accepted is known for good, so that the same assignment sent again is
// ignored, and one that had not ended when the program died is found again
// (Unended) with the step that it was in and whether its stick was touched.
//
// What is never in the journal: answer files, tickets, keys.
package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Errors of a Spool.
var (
	// ErrDamaged means that a record in the middle of the journal cannot be
	// read: not a crash but a broken disk.
	ErrDamaged = errors.New("journal is damaged")
	// ErrUnknown is returned for events of an attempt that was not accepted.
	ErrUnknown = errors.New("attempt is not known")
	// ErrBroken means that it is not known any more what the disk holds: the
	// journal must be opened anew.
	ErrBroken = errors.New("journal cannot be trusted any more")
	// ErrEnded is returned for events after the last one of an attempt.
	ErrEnded = errors.New("attempt has ended")
)

const (
	// maxKnown is how many finished builds are remembered, newest first.
	maxKnown = 10_000
	// compactAbove is the size in bytes from which a journal that is mostly
	// acknowledged is written anew.
	compactAbove = 256 << 10
)

// Attempt is what the spool knows of one attempt.
type Attempt struct {
	protocol.AttemptRef
	Seq     int64         `json:"seq"`   // number of the last event
	Acked   int64         `json:"acked"` // number of the last acknowledged event
	Step    protocol.Step `json:"step,omitempty"`
	Touched bool          `json:"touched,omitempty"`
	Ended   bool          `json:"ended,omitempty"`
	// Order counts accepted attempts, so that the oldest are forgotten first.
	Order int64 `json:"order"`
}

// Entry is a waiting event with its place in the order of all events here.
type Entry struct {
	Index int64
	Event protocol.Event
}

// Spool is open on one directory, which belongs to it alone. Its methods may
// be called from several goroutines.
type Spool struct {
	log *slog.Logger

	mu       sync.Mutex
	journal  journal
	attempts map[protocol.AttemptRef]*Attempt
	newest   map[string]int // highest attempt known of each build
	waiting  []Entry
	index    int64
	order    int64
	acks     []protocol.Ack // not yet in the journal
}

// Open reads the journal in dir, which is made if absent, and drops a torn
// last record. It returns ErrDamaged when an earlier one cannot be read.
func Open(dir string, log *slog.Logger) (*Spool, error) {
	return open(dir, log, func(string) error { return nil })
}

func open(dir string, log *slog.Logger, before func(string) error) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool directory: %w", err)
	}
	s := &Spool{
		log:      log,
		journal:  journal{dir: dir, before: before},
		attempts: map[protocol.AttemptRef]*Attempt{},
		newest:   map[string]int{},
	}
	raw, err := os.ReadFile(s.journal.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	good, err := scan(raw, s.replay)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.journal.path(), err)
	}
	if torn := int64(len(raw)) - good; torn > 0 {
		log.Warn("dropped a torn record at the end of the journal", "bytes", torn)
	}
	if s.journal.file, err = os.OpenFile(s.journal.path(), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	s.journal.size = good
	if err := s.begin(good, int64(len(raw))); err != nil {
		_ = s.journal.file.Close()
		return nil, err
	}
	return s, nil
}

// begin cuts off the torn end, heads a new journal and lays in the reserve. A
// full disk is no reason not to start: what is running must be reported.
func (s *Spool) begin(good, length int64) error {
	if length > good {
		if err := s.journal.file.Truncate(good); err != nil {
			return fmt.Errorf("cut torn record: %w", err)
		}
	}
	if good == 0 {
		if err := s.journal.append(&record{Version: version}); err != nil {
			return fmt.Errorf("begin journal: %w", err)
		}
		if err := syncDir(s.journal.dir); err != nil {
			return fmt.Errorf("begin journal: %w", err)
		}
	}
	if st, err := os.Stat(s.journal.reservePath()); err != nil || st.Size() != reserveSize {
		if err := s.journal.restock(); err != nil {
			s.log.Warn("the journal has no reserve", "err", err)
		}
	}
	return nil
}

// replay applies one record of the journal.
func (s *Spool) replay(r *record) error {
	for _, a := range r.Known {
		s.know(&a)
	}
	for _, e := range r.Events {
		if err := s.apply(e); err != nil {
			return fmt.Errorf("replay event %d of build %s: %w", e.HostSeq, e.BuildID, err)
		}
	}
	for _, a := range r.Acks {
		s.acknowledge(a)
	}
	return nil
}

func (s *Spool) know(a *Attempt) {
	s.attempts[a.AttemptRef] = a
	s.newest[a.BuildID] = max(s.newest[a.BuildID], a.Attempt)
	s.order = max(s.order, a.Order)
}

// apply changes what the spool knows by one event that is in the journal.
func (s *Spool) apply(e protocol.Event) error {
	a := s.attempts[e.AttemptRef]
	if a == nil {
		if e.Type != protocol.EventAccepted {
			return ErrUnknown
		}
		s.order++
		a = &Attempt{AttemptRef: e.AttemptRef, Order: s.order}
		s.know(a)
	}
	if e.HostSeq <= a.Acked {
		return nil
	}
	a.Seq = e.HostSeq
	switch {
	case e.Type == protocol.EventStepBegun:
		a.Step = e.Step
	case e.Type == protocol.EventTouched:
		a.Touched = true
	case e.Type.Terminal():
		a.Ended = true
	}
	s.index++
	s.waiting = append(s.waiting, Entry{s.index, e})
	return nil
}

// known reports whether this attempt, or a later one of its build, was ever
// accepted here.
func (s *Spool) known(ref protocol.AttemptRef) bool {
	n, ok := s.newest[ref.BuildID]
	return ok && ref.Attempt <= n
}

// Accept writes the first event of every attempt that is new here, and returns
// those; one is not new if a later attempt of its build was accepted. When it returns an error none of them is accepted. Events
// given must be of type accepted; HostSeq is set here.
func (s *Spool) Accept(events []protocol.Event) ([]protocol.AttemptRef, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fresh []protocol.Event
	for _, e := range events {
		twice := slices.ContainsFunc(fresh, func(f protocol.Event) bool { return f.AttemptRef == e.AttemptRef })
		if s.known(e.AttemptRef) || twice {
			continue
		}
		e.HostSeq = 1
		fresh = append(fresh, e)
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	if err := s.store(fresh); err != nil {
		return nil, err
	}
	refs := make([]protocol.AttemptRef, len(fresh))
	for i, e := range fresh {
		refs[i] = e.AttemptRef
	}
	return refs, nil
}

// Append numbers e and makes it durable. It returns ErrUnknown or ErrEnded
// where e cannot follow, or what the disk said; then nothing has changed.
func (s *Spool) Append(e protocol.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.attempts[e.AttemptRef]
	switch {
	case a == nil:
		return ErrUnknown
	case a.Ended:
		return ErrEnded
	}
	e.HostSeq = a.Seq + 1
	return s.store([]protocol.Event{e})
}

func (s *Spool) store(events []protocol.Event) error {
	if err := s.journal.append(&record{Events: events, Acks: s.acks}); err != nil {
		return err
	}
	s.acks = nil
	for _, e := range events {
		if err := s.apply(e); err != nil {
			return err
		}
	}
	return nil
}

// Ack forgets the events of an attempt up to ack.HostSeq. An acknowledgement
// that comes twice, late or for an unknown attempt changes nothing. It is not
// written at once: losing it costs one more sending.
func (s *Spool) Ack(ack protocol.Ack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.acknowledge(ack) {
		return
	}
	s.acks = append(s.acks, ack)
	if len(s.waiting) == 0 && s.journal.size > compactAbove {
		if err := s.compact(); err != nil {
			s.log.Warn("could not write the journal anew", "err", err)
		}
	}
}

func (s *Spool) acknowledge(ack protocol.Ack) bool {
	a := s.attempts[ack.AttemptRef]
	if a == nil || ack.HostSeq <= a.Acked {
		return false
	}
	a.Acked = min(ack.HostSeq, a.Seq)
	s.waiting = slices.DeleteFunc(s.waiting, func(w Entry) bool {
		return w.Event.AttemptRef == a.AttemptRef && w.Event.HostSeq <= a.Acked
	})
	return true
}

// Next returns up to n waiting events that come after index, in their order.
// Index 0 is before the first.
func (s *Spool) Next(index int64, n int) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := slices.BinarySearchFunc(s.waiting, index+1, func(w Entry, i int64) int { return cmp.Compare(w.Index, i) })
	return slices.Clone(s.waiting[i:min(i+n, len(s.waiting))])
}

// Waiting is how many events are not acknowledged.
func (s *Spool) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// Held lists every attempt that has not ended or has events waiting, in the
// order in which they were accepted.
func (s *Spool) Held() []Attempt {
	return s.list(func(a *Attempt) bool { return !a.Ended || a.Acked < a.Seq })
}

// Unended lists every attempt without a last event. Right after Open these
// are the ones that a crash or a kill interrupted.
func (s *Spool) Unended() []Attempt {
	return s.list(func(a *Attempt) bool { return !a.Ended })
}

func (s *Spool) list(want func(*Attempt) bool) []Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Attempt
	for a := range maps.Values(s.attempts) {
		if want(a) {
			out = append(out, *a)
		}
	}
	slices.SortFunc(out, func(a, b Attempt) int { return cmp.Compare(a.Order, b.Order) })
	return out
}

// Healthy returns why no new work may be taken, or nil: the disk was full and
// still is, or it is not known what it holds.
func (s *Spool) Healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal.dead != nil {
		return s.journal.dead
	}
	if s.journal.low {
		return s.journal.restock()
	}
	return nil
}

// compact writes a journal with only what still matters.
func (s *Spool) compact() error {
	var finished []*Attempt
	for a := range maps.Values(s.attempts) {
		if a.Ended && a.Acked == a.Seq {
			finished = append(finished, a)
		}
	}
	slices.SortFunc(finished, func(a, b *Attempt) int { return cmp.Compare(a.Order, b.Order) })
	for _, a := range finished[:max(0, len(finished)-maxKnown)] {
		delete(s.attempts, a.AttemptRef)
		if s.newest[a.BuildID] == a.Attempt {
			delete(s.newest, a.BuildID)
		}
	}
	known := &record{}
	for a := range maps.Values(s.attempts) {
		known.Known = append(known.Known, *a)
	}
	slices.SortFunc(known.Known, func(a, b Attempt) int { return cmp.Compare(a.Order, b.Order) })
	// Waiting events are written again behind what is known of their
	// attempts; replaying them changes nothing but the list of the waiting.
	events := &record{}
	for _, w := range s.waiting {
		events.Events = append(events.Events, w.Event)
	}
	if err := s.journal.replace([]*record{{Version: version}, known, events}); err != nil {
		return err
	}
	s.acks = nil
	return nil
}

// Close writes the journal anew and lets go of it.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.compact()
	return errors.Join(err, s.journal.file.Close())
}
