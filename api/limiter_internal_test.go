package api

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// A table that is full forgets who came first, and nobody pays for others.
func TestFullLimiter(t *testing.T) {
	t.Parallel()
	l := newLimiter(func() time.Time { return time.Unix(1, 0) }, 1, time.Minute)
	if ok, _ := l.take("203.0.113.9", ""); !ok {
		t.Fatal("the first one is refused")
	}
	for i := range 2 * limiterKeys { // each a site of its own
		a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
		binary.BigEndian.PutUint16(a[4:], uint16(i))
		a[3] += byte(i >> 16)
		if ok, _ := l.take(netip.AddrFrom16(a).String(), ""); !ok {
			t.Fatalf("number %d is refused", i)
		}
	}
	if len(l.large.seen) != limiterKeys || l.large.order.Len() != limiterKeys || len(l.network.seen) != limiterKeys {
		t.Errorf("%d sites are remembered", len(l.large.seen))
	}
	if ok, _ := l.take("203.0.113.9", ""); ok {
		t.Error("IPv6 crowded out IPv4")
	}
	if ok, _ := l.peek("203.0.113.9", "other"); !ok {
		t.Error("one count is another's")
	}
	if ok, _ := l.take("203.0.113.10", ""); !ok {
		t.Error("somebody pays for others")
	}
}
