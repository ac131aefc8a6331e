package store_test

import (
	"testing"
	"time"
)

// A host that looks for work often is not written each time, and is never said to
// have been away for longer than it was.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seenAfter := func(ago time.Duration) (before, after time.Time) {
		t.Helper()
		before = w.Now().Add(-ago)
		if _, err := w.Pool().Exec(t.Context(), `UPDATE hosts SET last_seen_at = $1 WHERE id = $2`, before, w.host.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.Heartbeat(t.Context(), w.host.ID, w.host.Session); err != nil {
			t.Fatal(err)
		}
		h, err := w.Host(t.Context(), w.host.ID)
		if err != nil || h.LastSeenAt == nil {
			t.Fatalf("%+v, %v", h, err)
		}
		return before, *h.LastSeenAt
	}
	if before, after := seenAfter(-time.Minute); !after.Equal(before) { // which a machine of any speed takes for a moment ago
		t.Errorf("seen at %s, and written anew as %s", before, after)
	}
	if before, after := seenAfter(time.Minute); after.Sub(before) < time.Minute {
		t.Errorf("seen at %s, a minute ago, and still at %s", before, after)
	}
}
