package agent

import (
	"errors"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A job that came in two assignments has its ticket until both are over; what
// comes later is not kept.
func TestTicketOfAJobInTwoParts(t *testing.T) {
	t.Parallel()
	tickets := newTickets(func(protocol.Message) {})
	tickets.hold("job_1", "first")
	tickets.hold("job_1", "second")
	got := make(chan string)
	go func() {
		ticket, _ := tickets.get(t.Context(), "job_1", "second")
		got <- ticket
	}()
	for len(tickets.open()) == 0 { // it has asked
		select {
		case ticket := <-got:
			t.Fatalf("got %q", ticket)
		default:
		}
	}
	tickets.forget("job_1")
	if n := len(tickets.open()); n != 1 {
		t.Errorf("%d questions are asked again over a new connection, want 1", n)
	}
	tickets.put("job_1", "third")
	if ticket := <-got; ticket != "third" {
		t.Errorf("got %q", ticket)
	}
	tickets.forget("job_1")
	tickets.put("job_1", "late")
	if ticket, err := tickets.get(t.Context(), "job_1", ""); !errors.Is(err, errNobody) {
		t.Errorf("got %q, %v of a job that is over", ticket, err)
	}
	if n := len(tickets.jobs); n != 0 {
		t.Errorf("%d tickets are kept of jobs that are over", n)
	}
}
