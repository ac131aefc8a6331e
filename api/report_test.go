package api

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// said is a report of so many events.
func said(events int) []protocol.Event { return make([]protocol.Event, events) }

func TestReportsGoTogether(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}, 10), make(chan struct{})
	var mu sync.Mutex
	var lots []int
	r := &reports{store: func(_ context.Context, lot []*report) error {
		begun <- struct{}{}
		<-release
		mu.Lock()
		defer mu.Unlock()
		lots = append(lots, len(lot))
		return nil
	}}
	var wg sync.WaitGroup
	put := func(events int) {
		wg.Go(func() {
			if _, err := r.put(t.Context(), HostSession{}, said(events)); err != nil {
				t.Error(err)
			}
		})
	}
	// Every writer is busy with one report …
	for range reportWriters {
		put(1)
		<-begun
	}
	// … and what comes meanwhile waits, in lots that have a bound.
	for range 10 {
		put(maxLot / 4)
	}
	for waiting := 0; waiting < 10; {
		r.mu.Lock()
		waiting = len(r.waiting)
		r.mu.Unlock()
	}
	close(release)
	wg.Wait()
	slices.Sort(lots)
	if want := []int{1, 1, 2, 4, 4}; !slices.Equal(lots, want) {
		t.Errorf("lots of %v reports, want %v", lots, want)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writers != 0 || len(r.waiting) != 0 {
		t.Errorf("%d writers, %d reports are left", r.writers, len(r.waiting))
	}
}

func TestReportThatSpoilsItsLot(t *testing.T) {
	t.Parallel()
	bad := errors.New("no such thing")
	r := &reports{store: func(_ context.Context, lot []*report) error {
		if slices.ContainsFunc(lot, func(one *report) bool { return one.session.HostID == "bad" }) {
			return bad
		}
		for _, one := range lot {
			one.work = HostWork{Acks: []protocol.Ack{{HostSeq: 7}}}
		}
		return nil
	}}
	lot := make([]*report, 3)
	for i, host := range []string{"a", "bad", "c"} {
		lot[i] = &report{session: HostSession{HostID: host}, done: make(chan struct{})}
	}
	r.writeLot(t.Context(), lot)
	for _, one := range lot {
		<-one.done
		if isBad := one.session.HostID == "bad"; errors.Is(one.err, bad) != isBad || (len(one.work.Acks) == 1) == isBad {
			t.Errorf("%s: %+v, %v", one.session.HostID, one.work, one.err)
		}
	}
}

func TestReportOfNobodyLeft(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := &reports{store: func(context.Context, []*report) error { <-release; return nil }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.put(ctx, HostSession{}, said(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
}
