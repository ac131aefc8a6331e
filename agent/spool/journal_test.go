package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

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
