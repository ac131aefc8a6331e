package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	if !s.known(one) || s.known(protocol.AttemptRef{BuildID: one.BuildID, Attempt: 3}) {
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
		if got := s.known(protocol.AttemptRef{BuildID: fmt.Sprint(i), Attempt: 1}); got != want {
			t.Errorf("build %d known: %v, want %v", i, got, want)
		}
	}
}
