package replica

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// A stream of events that ends with the console that sent it goes on at the
// other one: none is missing, and none comes twice.
func TestEventsGoOnElsewhere(t *testing.T) {
	p := newPair(t)
	dead, left := p.consoles[0], p.consoles[1]
	for range 4 {
		p.happen(left)
	}
	known := history(t, left)
	begin, half := known[0], len(known)/2
	stream := follow(t, dead, begin)
	got := []string{begin}
	for len(got) < half {
		id, ok := stream.next()
		if !ok {
			t.Fatalf("the stream ended after %d events of %d", len(got), half)
		}
		got = append(got, id)
	}
	dead.Server.Kill()
	for { // what had arrived already
		id, ok := stream.next()
		if !ok {
			break
		}
		got = append(got, id)
	}
	for range 2 {
		p.happen(left)
	}
	want := history(t, left)
	stream = follow(t, left, got[len(got)-1])
	for got[len(got)-1] != want[len(want)-1] {
		id, ok := stream.next()
		if !ok {
			t.Fatalf("the stream ended after %d events of %d", len(got), len(want))
		}
		if got = append(got, id); len(got) > len(want) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the streams told\n%v, the history is\n%v", got, want)
	}
	if len(want) <= len(known) {
		t.Errorf("nothing happened meanwhile: %d events", len(want))
	}
}

// history is the ID of every event so far.
func history(t *testing.T, w *world.World) (ids []string) {
	t.Helper()
	for after := ""; ; after = ids[len(ids)-1] {
		list, err := w.Client.ListEvents(w.Context(), api.EventFilter{}, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return ids
		}
		for i := range list {
			ids = append(ids, list[i].ID)
		}
	}
}

// events is a stream of them.
type events struct{ lines *bufio.Scanner }

// follow opens the stream of all events after one, as a browser does again.
func follow(t *testing.T, w *world.World, last string) events {
	t.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.URL+"/api/v1/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.Token)
	req.Header.Set("Last-Event-ID", last)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET /events: %s", resp.Status)
	}
	return events{bufio.NewScanner(resp.Body)}
}

// next is the ID of the next event; ok is false when the stream has ended.
func (e events) next() (id string, ok bool) {
	for e.lines.Scan() {
		if id, ok := strings.CutPrefix(e.lines.Text(), "id: "); ok {
			return id, true
		}
	}
	return "", false
}
