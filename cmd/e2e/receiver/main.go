// Receiver is an example of a program that is told by Stickpress what happens:
// it takes the messages of a webhook, makes sure that they are genuine, and
// prints one line for each event that it has not seen before.
//
//	STICKPRESS_WEBHOOK_SECRET=whsec_… receiver 127.0.0.1:9000
//
// Take it as it is into a program of yours; docs/webhooks.md says why it does
// what it does.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("STICKPRESS_WEBHOOK_SECRET"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

func run(args []string, secret string, out io.Writer) error {
	if len(args) != 1 || secret == "" {
		return errors.New("usage: STICKPRESS_WEBHOOK_SECRET=whsec_… receiver HOST:PORT")
	}
	r, err := newReceiver(secret, func(e Event) error {
		_, err := fmt.Fprintf(out, "%s %s job=%s build=%s ticket=%s\n", e.Timestamp.Format(time.RFC3339), e.Type, e.Data.JobID, e.Data.BuildID, e.Data.ExternalRef.ID)
		return err
	})
	if err != nil {
		return err
	}
	server := &http.Server{Addr: args[0], Handler: r, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second}
	return server.ListenAndServe()
}

// Event is what this program wants to know of a message; docs/events.md has all
// of it.
type Event struct {
	ID        string    `json:"id"` // left out in a test
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		JobID       string `json:"job_id"`
		BuildID     string `json:"build_id"`
		ExternalRef struct {
			System string `json:"system"`
			ID     string `json:"id"`
		} `json:"external_ref"`
	} `json:"data"`
}

const (
	maxBody = 1 << 20 // bytes of a message
	maxSeen = 10_000  // messages that are remembered
)

// receiver takes messages.
type receiver struct {
	key *standardwebhooks.Webhook
	act func(Event) error

	mu   sync.Mutex
	seen map[string]bool // by webhook-id; a real program keeps them in its database
	old  []string        // the same, oldest first
}

func newReceiver(secret string, act func(Event) error) (*receiver, error) {
	key, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	return &receiver{key: key, act: act, seen: map[string]bool{}}, nil
}

// ServeHTTP answers 204 to what it has taken, now or before; anything else is
// sent again.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	// The signature is over the bytes as they came: read them before anything
	// else does.
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	if err != nil {
		http.Error(w, "too large, or cut off", http.StatusBadRequest)
		return
	}
	// Verify also refuses what was signed more than five minutes ago.
	if err := r.key.Verify(body, q.Header); err != nil {
		http.Error(w, "bad signature", http.StatusUnauthorized)
		return
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	if err := r.take(q.Header.Get(standardwebhooks.HeaderWebhookID), e); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// take acts on a message unless it has done so before.
func (r *receiver) take(id string, e Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[id] {
		return nil
	}
	if err := r.act(e); err != nil {
		return err
	}
	r.seen[id], r.old = true, append(r.old, id)
	if len(r.old) > maxSeen {
		delete(r.seen, r.old[0])
		r.old = r.old[1:]
	}
	return nil
}
