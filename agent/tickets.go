package agent

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/stickpress/stickpress/agent/protocol"
)

// tickets keeps the bearer tokens for the images of the running jobs and asks
// for new ones over the socket.
type tickets struct {
	send func(protocol.Message)

	mu     sync.Mutex
	jobs   map[string]string
	asked  map[string]bool // Refresh sent, Ticket not here
	change chan struct{}   // closed and replaced when a ticket arrives
}

func newTickets(send func(protocol.Message)) *tickets {
	return &tickets{send: send, jobs: map[string]string{}, asked: map[string]bool{}, change: make(chan struct{})}
}

// put keeps a job's newest ticket.
func (t *tickets) put(job, ticket string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.jobs[job] = ticket
	delete(t.asked, job)
	close(t.change)
	t.change = make(chan struct{})
}

// forget drops what belongs to a finished job.
func (t *tickets) forget(job string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.jobs, job)
	delete(t.asked, job)
}

// get returns a ticket that is not stale, waiting for one if it must.
func (t *tickets) get(ctx context.Context, job, stale string) (string, error) {
	for waited := false; ; waited = true {
		t.mu.Lock()
		ticket, change := t.jobs[job], t.change
		// What the server answers is taken, even if it is the same again.
		have := ticket != stale || (waited && !t.asked[job])
		ask := !have && !t.asked[job]
		if ask {
			t.asked[job] = true
		}
		t.mu.Unlock()
		if have {
			return ticket, nil
		}
		if ask {
			t.send(&protocol.Refresh{JobID: job})
		}
		select {
		case <-change:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// open lists the questions without an answer, for a new session to ask again.
func (t *tickets) open() []protocol.Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []protocol.Message
	for _, job := range slices.Sorted(maps.Keys(t.asked)) {
		out = append(out, &protocol.Refresh{JobID: job})
	}
	return out
}
