package hub

import (
	"log/slog"
	"testing"

	"github.com/stickpress/stickpress/api"
)

// TestJoin: whichever of two connections comes last, the newer one stays.
func TestJoin(t *testing.T) {
	t.Parallel()
	for name, newerFirst := range map[string]bool{"in order": false, "out of order": true} {
		h := &Hub{log: slog.New(slog.DiscardHandler), conns: map[string]*conn{}}
		older := newConn(h, nil, api.HostSession{HostID: "host_x", Session: 5})
		newer := newConn(h, nil, api.HostSession{HostID: "host_x", Session: 6})
		defer older.end()
		defer newer.end()
		if newerFirst {
			h.join(newer)
			h.join(older)
		} else {
			h.join(older)
			h.join(newer)
		}
		if h.conns["host_x"] != newer || newer.closing.Load() || !older.closing.Load() {
			t.Errorf("%s: newer closing %t, older closing %t", name, newer.closing.Load(), older.closing.Load())
		}
	}
}
