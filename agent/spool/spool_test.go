package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stickpress/stickpress/agent/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	quiet = slog.New(slog.DiscardHandler)
	at    = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	one   = protocol.AttemptRef{BuildID: "build_1", Attempt: 1}
	two   = protocol.AttemptRef{BuildID: "build_2", Attempt: 1}
)

func event(ref protocol.AttemptRef, t protocol.EventType) protocol.Event {
	return protocol.Event{AttemptRef: ref, Type: t, At: at}
}

func mustOpen(t *testing.T, dir string) *Spool {
	t.Helper()
	s, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.journal.file.Close() })
	return s
}

func accept(t *testing.T, s *Spool, refs ...protocol.AttemptRef) []protocol.AttemptRef {
	t.Helper()
	var events []protocol.Event
	for _, r := range refs {
		events = append(events, event(r, protocol.EventAccepted))
	}
	got, err := s.Accept(events)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func add(t *testing.T, s *Spool, e protocol.Event) {
	t.Helper()
	if err := s.Append(e); err != nil {
		t.Fatal(err)
	}
}

// show renders what waits as "build/attempt#seq type".
func show(s *Spool) []string {
	var out []string
	for _, w := range s.Next(0, 1000) {
		e := w.Event
		out = append(out, fmt.Sprintf("%s/%d#%d %s", e.BuildID, e.Attempt, e.HostSeq, e.Type))
	}
	return out
}

func wantWaiting(t *testing.T, s *Spool, want ...string) {
	t.Helper()
	if got := show(s); !slices.Equal(got, want) {
		t.Fatalf("waiting events\n got %q\nwant %q", got, want)
	}
}

func TestEventsAreNumberedAndSurvive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	accept(t, s, one, two)
	add(t, s, protocol.Event{AttemptRef: one, Type: protocol.EventStepBegun, Step: protocol.StepFetch, At: at})
	add(t, s, event(one, protocol.EventTouched))
	add(t, s, protocol.Event{AttemptRef: two, Type: protocol.EventFailed, At: at, Fault: protocol.NewFault(protocol.FaultDeviceGone, "port", "1-1")})
	want := []string{
		"build_1/1#1 accepted", "build_2/1#1 accepted", "build_1/1#2 step_begun", "build_1/1#3 touched", "build_2/1#2 failed",
	}
	wantWaiting(t, s, want...)
	// A kill: nobody calls Close.
	s = mustOpen(t, dir)
	wantWaiting(t, s, want...)
	un := s.Unended()
	if len(un) != 1 || un[0].AttemptRef != one || un[0].Step != protocol.StepFetch || !un[0].Touched || un[0].Seq != 3 {
		t.Fatalf("unended: %+v", un)
	}
	if f := s.Next(0, 10)[4].Event.Fault; f == nil || f.Code != protocol.FaultDeviceGone || f.Params["port"] != "1-1" {
		t.Fatalf("fault came back as %+v", f)
	}
	add(t, s, event(one, protocol.EventFailed))
	wantWaiting(t, s, append(want, "build_1/1#4 failed")...)
}

func TestWhatIsKnownIsNotAcceptedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	second := protocol.AttemptRef{BuildID: one.BuildID, Attempt: 2}
	if got := accept(t, s, second, second); len(got) != 1 || got[0] != second {
		t.Fatalf("accepted %v", got)
	}
	if got := accept(t, s, second, one); got != nil {
		t.Fatalf("accepted a repeated or older attempt: %v", got)
	}
	add(t, s, event(second, protocol.EventCancelled))
	s.Ack(protocol.Ack{AttemptRef: second, HostSeq: 2})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	if got := accept(t, s, second); got != nil {
		t.Fatalf("an ended attempt was accepted again after a restart: %v", got)
	}
	if !s.Known(one) || s.Known(protocol.AttemptRef{BuildID: one.BuildID, Attempt: 3}) {
		t.Fatal("Known is wrong")
	}
}

func TestNothingFollowsTheEnd(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	if err := s.Append(event(one, protocol.EventTouched)); !errors.Is(err, ErrUnknown) {
		t.Fatalf("event of an unknown attempt: %v", err)
	}
	accept(t, s, one)
	add(t, s, event(one, protocol.EventVerified))
	if err := s.Append(event(one, protocol.EventFailed)); !errors.Is(err, ErrEnded) {
		t.Fatalf("second end: %v", err)
	}
}

func TestAcknowledgedEventsAreForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	accept(t, s, one, two)
	add(t, s, event(one, protocol.EventTouched))
	s.Ack(protocol.Ack{AttemptRef: one, HostSeq: 1})
	s.Ack(protocol.Ack{AttemptRef: one, HostSeq: 1}) // twice
	s.Ack(protocol.Ack{AttemptRef: protocol.AttemptRef{BuildID: "other", Attempt: 1}, HostSeq: 9})
	wantWaiting(t, s, "build_2/1#1 accepted", "build_1/1#2 touched")
	held := s.Held()
	if len(held) != 2 || held[0].Seq != 2 || held[0].Acked != 1 {
		t.Fatalf("held %+v", held)
	}
	// More than was sent: a server with another past. Counting goes on.
	s.Ack(protocol.Ack{AttemptRef: one, HostSeq: 99})
	add(t, s, event(one, protocol.EventFailed))
	wantWaiting(t, s, "build_2/1#1 accepted", "build_1/1#3 failed")
	s.Ack(protocol.Ack{AttemptRef: one, HostSeq: 3})
	s.Ack(protocol.Ack{AttemptRef: one, HostSeq: 2}) // late
	if held := s.Held(); len(held) != 1 || held[0].AttemptRef != two {
		t.Fatalf("held %+v", held)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	wantWaiting(t, s, "build_2/1#1 accepted")
	if len(s.Unended()) != 1 {
		t.Fatalf("unended %+v", s.Unended())
	}
}

func TestNextPages(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	accept(t, s, one, two)
	add(t, s, event(one, protocol.EventTouched))
	first := s.Next(0, 2)
	if len(first) != 2 {
		t.Fatalf("first page %v", first)
	}
	s.Ack(protocol.Ack{AttemptRef: one, HostSeq: 1})
	rest := s.Next(first[1].Index, 2)
	if len(rest) != 1 || rest[0].Event.Type != protocol.EventTouched {
		t.Fatalf("rest %v", rest)
	}
	if more := s.Next(rest[0].Index, 2); len(more) != 0 {
		t.Fatalf("more %v", more)
	}
}

// TestTornEnd cuts the journal at every byte: what was synced before the cut
// record is always there, and the spool goes on.
func TestTornEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	accept(t, s, one)
	add(t, s, event(one, protocol.EventTouched))
	before := s.journal.size
	add(t, s, event(one, protocol.EventVerified))
	raw, err := os.ReadFile(s.journal.path())
	if err != nil {
		t.Fatal(err)
	}
	reserve, err := os.ReadFile(s.journal.reservePath())
	if err != nil {
		t.Fatal(err)
	}
	torn := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(torn, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("reserve", reserve)
	for n := before; n < int64(len(raw)); n++ {
		for _, tail := range []string{"", "\x00\x00\x00\x00", "\n", "garbage\nand more\n"} {
			write("journal", append(slices.Clone(raw[:n]), tail...))
			s, err := Open(torn, quiet)
			if err != nil {
				t.Fatalf("cut at %d, tail %q: %v", n, tail, err)
			}
			if tail == "\n" && n == int64(len(raw))-1 {
				wantWaiting(t, s, "build_1/1#1 accepted", "build_1/1#2 touched", "build_1/1#3 verified")
			} else {
				wantWaiting(t, s, "build_1/1#1 accepted", "build_1/1#2 touched")
				if n%16 == 0 { // fsync is slow, every cut is not needed here
					add(t, s, event(one, protocol.EventFailed))
					wantWaiting(t, s, "build_1/1#1 accepted", "build_1/1#2 touched", "build_1/1#3 failed")
				}
			}
			_ = s.journal.file.Close()
		}
	}
}

func TestDamageInTheMiddleIsNotPassedOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	accept(t, s, one)
	hit := s.journal.size - 5
	add(t, s, event(one, protocol.EventTouched))
	raw, err := os.ReadFile(s.journal.path())
	if err != nil {
		t.Fatal(err)
	}
	raw[hit] ^= 1
	if err := os.WriteFile(s.journal.path(), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
}

// failing lets chosen operations fail while armed.
type failing struct {
	mu  sync.Mutex
	ops map[string]error
}

func (f *failing) set(op string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ops == nil {
		f.ops = map[string]error{}
	}
	f.ops[op] = err
}

func (f *failing) before(op string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops[op]
}

func TestFullDiskUsesTheReserve(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full := false
	s, err := open(dir, quiet, func(op string) error {
		_, err := os.Stat(filepath.Join(dir, "reserve"))
		switch {
		case full && op == "write" && err == nil: // no room until the reserve is gone
			return fmt.Errorf("write: %w", syscall.ENOSPC)
		case full && op == "reserve":
			return fmt.Errorf("write: %w", syscall.ENOSPC)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.journal.file.Close()
	accept(t, s, one)
	if err := s.Healthy(); err != nil {
		t.Fatal(err)
	}
	full = true
	add(t, s, event(one, protocol.EventTouched))
	if err := s.Healthy(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("a full disk is healthy: %v", err)
	}
	add(t, s, event(one, protocol.EventFailed))
	wantWaiting(t, s, "build_1/1#1 accepted", "build_1/1#2 touched", "build_1/1#3 failed")
	full = false
	if err := s.Healthy(); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(dir, "reserve")); err != nil || st.Size() != reserveSize {
		t.Fatalf("reserve was not laid in again: %v", err)
	}
}

func TestWriteThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var f failing
	s, err := open(dir, quiet, f.before)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.journal.file.Close() }()
	accept(t, s, one)
	f.set("write", syscall.EIO)
	if err := s.Append(event(one, protocol.EventTouched)); !errors.Is(err, syscall.EIO) {
		t.Fatalf("got %v", err)
	}
	wantWaiting(t, s, "build_1/1#1 accepted")
	f.set("write", nil)
	add(t, s, event(one, protocol.EventFailed))
	// After a failed fsync it stays shut, although the next would "work".
	f.set("sync", syscall.EIO)
	if _, err := s.Accept([]protocol.Event{event(two, protocol.EventAccepted)}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("got %v", err)
	}
	f.set("sync", nil)
	if _, err := s.Accept([]protocol.Event{event(two, protocol.EventAccepted)}); err == nil {
		t.Fatal("took work after a failed fsync")
	}
	if err := s.Healthy(); !errors.Is(err, ErrBroken) {
		t.Fatalf("healthy after a failed fsync: %v", err)
	}
	wantWaiting(t, s, "build_1/1#1 accepted", "build_1/1#2 failed")
}

func TestAcknowledgedJournalIsWrittenAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	accept(t, s, one, two)
	line := strings.Repeat("x", 40<<10)
	for range 8 {
		add(t, s, protocol.Event{AttemptRef: one, Type: protocol.EventLog, At: at, Log: &protocol.LogLine{Level: "info", Text: line}})
	}
	grown := s.journal.size
	if grown < compactAbove {
		t.Fatalf("journal is only %d bytes", grown)
	}
	s.Ack(protocol.Ack{AttemptRef: two, HostSeq: 1})
	s.Ack(protocol.Ack{AttemptRef: one, HostSeq: 9})
	if s.journal.size > 4096 {
		t.Fatalf("journal is %d bytes after everything was acknowledged", s.journal.size)
	}
	add(t, s, event(one, protocol.EventTouched))
	s = mustOpen(t, dir) // a kill
	wantWaiting(t, s, "build_1/1#10 touched")
	if un := s.Unended(); len(un) != 2 || !un[0].Touched || un[1].AttemptRef != two {
		t.Fatalf("unended %+v", un)
	}
	// A kill between writing the new file and its rename leaves the old one.
	var f failing
	f.set("rename", syscall.EIO)
	s.journal.before = f.before
	if err := s.Close(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("got %v", err)
	}
	wantWaiting(t, mustOpen(t, dir), "build_1/1#10 touched")
}

func TestOnlyTheNewestBuildsAreRemembered(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	var events []protocol.Event
	for i := range maxKnown + 5 {
		events = append(events, event(protocol.AttemptRef{BuildID: fmt.Sprint(i), Attempt: 1}, protocol.EventAccepted))
	}
	if _, err := s.Accept(events); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	for _, a := range s.attempts {
		a.Ended, a.Acked = true, a.Seq
	}
	s.waiting = nil
	err := s.compact()
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]bool{0: false, 4: false, 5: true, maxKnown + 4: true} {
		if got := s.Known(protocol.AttemptRef{BuildID: fmt.Sprint(i), Attempt: 1}); got != want {
			t.Errorf("build %d known: %v, want %v", i, got, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	line, err := encode(&record{Version: 1, Acks: []protocol.Ack{{AttemptRef: one, HostSeq: 1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(append(line, line[:7]...))
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		good, err := scan(raw, func(*record) error { return nil })
		if good < 0 || good > int64(len(raw)) {
			t.Fatalf("good %d of %d: %v", good, len(raw), err)
		}
	})
}
