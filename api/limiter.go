package api

import (
	"net/netip"
	"sync"
	"time"
)

// limiter counts attempts per key within a window and refuses the rest. It is
// kept in memory: each replica counts for itself, which only multiplies the
// limit by the number of replicas.
type limiter struct {
	clock  func() time.Time
	most   int
	window time.Duration

	mu   sync.Mutex
	seen map[string]attempts
}

type attempts struct {
	count int
	until time.Time
}

// limiterKeys is how many keys are remembered before those that ran out are
// swept; when all still count, further keys share one.
const limiterKeys = 10_000

func newLimiter(clock func() time.Time, most int, window time.Duration) *limiter {
	return &limiter{clock: clock, most: most, window: window, seen: map[string]attempts{}}
}

// take counts one attempt and reports whether it is within the limit, and if
// not, after how long it will be.
func (l *limiter) take(key string) (ok bool, wait time.Duration) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.seen[key]; !known && len(l.seen) >= limiterKeys {
		for k, a := range l.seen {
			if !now.Before(a.until) {
				delete(l.seen, k)
			}
		}
		if len(l.seen) >= limiterKeys {
			key = ""
		}
	}
	a := l.seen[key]
	if !now.Before(a.until) {
		a = attempts{until: now.Add(l.window)}
	}
	a.count++
	l.seen[key] = a
	return a.count <= l.most, a.until.Sub(now)
}

// peek reports whether another attempt would be within the limit, without
// counting one.
func (l *limiter) peek(key string) (ok bool, wait time.Duration) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	a, known := l.seen[key]
	if !known && len(l.seen) >= limiterKeys {
		a = l.seen[""]
	}
	return !now.Before(a.until) || a.count < l.most, a.until.Sub(now)
}

// limiterAddress is the address that attempts are counted by. A network of IPv6
// gives everyone in it 2^64 addresses (RFC 4291 section 2.5.1): they count as
// one, or a single machine could fill the limiter and lock everybody out.
func limiterAddress(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	network, _ := ip.WithZone("").Prefix(64) // every address has one of 64 bits
	return network.String()
}
