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
	jobs   map[string]*jobTicket
	change chan struct{} // closed and replaced when a ticket arrives
}

// jobTicket is the newest ticket of a job.
type jobTicket struct {
	ticket string
	users  int  // a job may come in several assignments
	asked  bool // Refresh sent, Ticket not here
}

func newTickets(send func(protocol.Message)) *tickets {
	return &tickets{send: send, jobs: map[string]*jobTicket{}, change: make(chan struct{})}
}

// hold keeps a job's tickets, this one first, until forget.
func (t *tickets) hold(job, ticket string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[job] == nil {
		t.jobs[job] = new(jobTicket)
	}
	t.jobs[job].users++
	t.set(job, ticket)
}

// put takes a new ticket, if its job is not over.
func (t *tickets) put(job, ticket string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[job] != nil {
		t.set(job, ticket)
	}
}

func (t *tickets) set(job, ticket string) {
	j := t.jobs[job]
	j.ticket, j.asked = ticket, false
	close(t.change)
	t.change = make(chan struct{})
}

// forget ends what hold began.
func (t *tickets) forget(job string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.jobs[job].users--; t.jobs[job].users == 0 {
		delete(t.jobs, job)
	}
}

// get returns a ticket that is not stale, waiting for one if it must. There is
// none for a job that is over.
func (t *tickets) get(ctx context.Context, job, stale string) (string, error) {
	for waited := false; ; waited = true {
		t.mu.Lock()
		j, change := t.jobs[job], t.change
		if j == nil {
			t.mu.Unlock()
			return "", errNobody
		}
		ticket := j.ticket
		// What the server answers is taken, even if it is the same again.
		have := ticket != stale || (waited && !j.asked)
		ask := !have && !j.asked
		if ask {
			j.asked = true
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
	for _, job := range slices.Sorted(maps.Keys(t.jobs)) {
		if t.jobs[job].asked {
			out = append(out, &protocol.Refresh{JobID: job})
		}
	}
	return out
}
