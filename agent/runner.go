package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/cache"
	"github.com/stickpress/stickpress/agent/capture"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/spool"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/upload"
)

// errAbandoned is the cause when the process is told to stop at once.
var errAbandoned = errors.New("the agent stops at once")

// runner takes assignments and cancellations and runs the attempts. It knows
// no connection.
type runner struct {
	spool   *spool.Spool
	healthy func() error // why no work may be taken
	cache   *cache.Cache
	uploads *upload.Client
	files   capture.Folders // what may be captured beside devices
	devices Devices
	engine  Engine
	tickets *tickets
	records *records

	verdicts *verdicts
	clock    backoff.Clock
	log      *slog.Logger
	changed  func()                                 // the inventory may differ
	found    func(on *protocol.Identity, id string) // the ID of the stick in a device, "" when that may not be there any more
	wake     func()                                 // the spool has something to send
	fatal    chan error                             // the journal broke

	hard    context.Context // ends everything at once
	abandon func()
	soft    context.Context // ends what waits for the server
	soften  context.CancelCauseFunc
	jobs    sync.WaitGroup

	taking   sync.Mutex // held while an assignment is taken
	stopping bool
	gaveUp   atomic.Bool // on a stick; its job may never end

	expanding chan struct{} // held while an image is expanded
	expand    func(context.Context, string, stick.RawSpec, func(done, total int64)) (stick.RawSpec, error)

	unsent atomic.Bool // progress
	hubs   *hubs

	mu       sync.Mutex
	attempts map[protocol.AttemptRef]*attempt
	places   map[place]*attempt
}

// place is where a device is plugged in: one attempt at a time.
type place struct {
	kind, port string
	lun        int
}

func placeOf(id *protocol.Identity) place { return place{id.Kind, id.Port, id.LUN} }

// newRunner makes r ready for use.
func newRunner(r *runner) *runner {
	hard, cancel := context.WithCancelCause(context.Background())
	r.hard, r.abandon = hard, func() { cancel(errAbandoned) }
	r.soft, r.soften = context.WithCancelCause(hard)
	r.fatal = make(chan error, 1)
	r.hubs = newHubs(r.clock)
	r.expanding, r.expand = make(chan struct{}, 1), stick.Expand
	r.attempts = map[protocol.AttemptRef]*attempt{}
	r.places = map[place]*attempt{}
	return r
}

// assign takes what it does not know. It returns when that is in the journal;
// an error means that nothing was taken and that the server must say it again.
func (r *runner) assign(m *protocol.Assign) error {
	r.taking.Lock()
	defer r.taking.Unlock()
	if r.stopping {
		r.log.Info("stopping: an assignment is left to the next start", "job", m.JobID)
		return nil
	}
	unwell := r.healthy()
	now := r.clock.Now().UTC()
	var events []protocol.Event
	for _, b := range m.Builds {
		ref := protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}
		events = append(events, protocol.Event{AttemptRef: ref, Type: protocol.EventAccepted, At: now})
	}
	fresh, err := r.spool.Accept(events)
	if err != nil {
		// Not even the refusal could be remembered.
		r.checkBroken(err)
		return fmt.Errorf("take job %s: %w", m.JobID, err)
	}
	r.wake()
	if len(fresh) == 0 {
		return nil
	}
	j := &job{r: r, assign: m}
	for i := range m.Builds {
		b := &m.Builds[i]
		if slices.Contains(fresh, protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}) {
			j.attempts = append(j.attempts, r.begin(b))
		}
	}
	if unwell != nil {
		for _, at := range j.attempts {
			at.fail(protocol.WrapFault(unwell, protocol.FaultJournal))
		}
		return nil
	}
	r.tickets.hold(m.JobID, m.Ticket)
	r.changed()
	r.jobs.Go(j.run)
	return nil
}

// checkBroken ends the agent if the journal can never be written again in
// this process. The next start opens it anew and reports what it holds.
func (r *runner) checkBroken(err error) {
	if errors.Is(err, spool.ErrBroken) {
		select {
		case r.fatal <- err:
		default:
		}
	}
}

// begin makes an attempt and claims its place. A place that another build
// uses refuses it; an earlier attempt of the same build has to leave, and what
// has ended is about to.
func (r *runner) begin(b *protocol.Build) *attempt {
	at := &attempt{
		AttemptRef: protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt},
		r:          r, build: b, done: make(chan struct{}), left: make(chan struct{}), moved: r.clock.Now(),
	}
	at.ctx, at.cancel = context.WithCancelCause(r.hard)
	r.mu.Lock()
	r.attempts[at.AttemptRef] = at
	p := placeOf(&b.Identity)
	holder := r.places[p]
	busy := holder != nil && holder.BuildID != b.BuildID && !holder.over()
	if !busy {
		r.places[p] = at
		if holder != nil {
			at.after = holder.left
		}
	}
	r.mu.Unlock()
	context.AfterFunc(at.ctx, at.interrupted)
	switch {
	case busy:
		at.fail(protocol.NewFault(protocol.FaultDeviceBusy, "path", b.Identity.Port))
	case holder != nil:
		holder.stop(true)
	}
	return at
}

// cancel stops attempts. One that never came here ends at once and untouched,
// so that the server does not wait for it.
func (r *runner) cancel(m *protocol.Cancel) {
	for _, ref := range m.Attempts {
		r.mu.Lock()
		at := r.attempts[ref]
		r.mu.Unlock()
		if at != nil {
			at.stop(m.Fenced)
			continue
		}
		e := protocol.Event{AttemptRef: ref, Type: protocol.EventAccepted, At: r.clock.Now().UTC()}
		fresh, err := r.spool.Accept([]protocol.Event{e})
		if err == nil && len(fresh) > 0 {
			e.Type, e.Fault = protocol.EventCancelled, protocol.NewFault(protocol.FaultCancelled)
			err = r.spool.Append(e)
		}
		if err != nil {
			r.log.Error("could not note a cancellation", "build", ref.BuildID, "err", err)
		}
		r.wake()
	}
}

func (r *runner) running() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.attempts)
}

// sorted lists the attempts that have not ended, by build.
func (r *runner) sorted() []*attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Collect(maps.Values(r.attempts))
	slices.SortFunc(all, func(a, b *attempt) int {
		return cmp.Or(cmp.Compare(a.BuildID, b.BuildID), cmp.Compare(a.Attempt, b.Attempt))
	})
	return all
}

// busy reports whether an attempt uses the place of id.
func (r *runner) busy(id *protocol.Identity) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.places[placeOf(id)] != nil
}

// release gives an ended attempt's place free. One that ended while it waited
// for an earlier one, or while its device was being opened, keeps it until that
// is over.
func (r *runner) release(at *attempt) {
	r.mu.Lock()
	delete(r.attempts, at.AttemptRef)
	r.mu.Unlock()
	at.mu.Lock()
	opening := at.opening
	at.mu.Unlock()
	go func() {
		for _, over := range []<-chan struct{}{at.after, opening} {
			if over != nil {
				<-over
			}
		}
		r.mu.Lock()
		if p := placeOf(&at.build.Identity); r.places[p] == at {
			delete(r.places, p)
		}
		r.mu.Unlock()
		close(at.left)
		r.changed()
	}()
}

// persistEnd writes the last event of an attempt, for as long as it takes: an
// end that is not in the journal is reported as a restart. When the process
// stops at once that is the truth, and only a verified stick is worth a try.
func (r *runner) persistEnd(e protocol.Event) {
	for {
		if r.hard.Err() != nil && e.Type != protocol.EventVerified {
			return
		}
		err := r.spool.Append(e)
		if err == nil {
			r.wake()
			return
		}
		r.log.Error("could not write the end of a build to the journal", "build", e.BuildID, "event", e.Type, "err", err)
		if r.checkBroken(err); errors.Is(err, spool.ErrBroken) {
			return
		}
		if backoff.Sleep(r.hard, r.clock, 5*time.Second) != nil {
			return
		}
	}
}

func (r *runner) close(d Device) {
	if err := d.Close(); err != nil {
		r.log.Warn("could not close a device", "err", err)
	}
}
