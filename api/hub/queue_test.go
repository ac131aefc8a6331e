package hub

import (
	"log/slog"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// TestSendQueue: a host that does not keep up loses its connection.
func TestSendQueue(t *testing.T) {
	t.Parallel()
	c := newConn(&Hub{log: slog.New(slog.DiscardHandler)}, nil, api.HostSession{})
	defer c.end()
	for i := range protocol.SendQueue {
		if err := c.send(&protocol.Drain{}); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if err := c.send(&protocol.Drain{}); err == nil || !c.closing.Load() {
		t.Errorf("one more: error %v, closing %v", err, c.closing.Load())
	}
}
