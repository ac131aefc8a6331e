package api

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// limiter counts attempts per address within a window and refuses the rest. It
// is kept in memory: each replica counts for itself, which only multiplies the
// limit by the number of replicas.
//
// A network of IPv6 gives everyone in it 2^64 addresses (RFC 4291 section 2.5.1)
// and a site has 2^16 such networks (RFC 6177): a /64 counts as one address, and
// a /48 may do no more than a few of them. IPv4, /64 and /48 are counted in
// tables of their own, so that none can crowd out another.
type limiter struct {
	clock  func() time.Time
	window time.Duration

	mu                     sync.Mutex
	fourth, network, large table
}

// limiterSite is how many addresses' attempts a /48 may make.
const limiterSite = 4

func newLimiter(clock func() time.Time, most int, window time.Duration) *limiter {
	return &limiter{clock: clock, window: window, fourth: newTable(most), network: newTable(most), large: newTable(limiterSite * most)}
}

// take counts one attempt about something, which may be empty, and reports
// whether it is within the limit, and if not, after how long it will be.
func (l *limiter) take(address, about string) (ok bool, wait time.Duration) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.counts(address, about) {
		if ok, wait = c.table.take(c.key, now, l.window); !ok {
			break
		}
	}
	return ok, wait
}

// peek reports whether another attempt would be within the limit, without
// counting one.
func (l *limiter) peek(address, about string) (ok bool, wait time.Duration) {
	now := l.clock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.counts(address, about) {
		if ok, wait = c.table.peek(c.key, now); !ok {
			break
		}
	}
	return ok, wait
}

type limiterCount struct {
	table *table
	key   string
}

// counts are those that an attempt from an address adds to.
func (l *limiter) counts(address, about string) []limiterCount {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return []limiterCount{{&l.fourth, limiterAddress(address) + " " + about}}
	}
	return []limiterCount{{&l.network, prefix(ip, 64) + " " + about}, {&l.large, prefix(ip, 48) + " " + about}}
}

// table has the counts of some keys, the one that began first at the front.
type table struct {
	most  int
	seen  map[string]*list.Element
	order *list.List
}

type attempts struct {
	key   string
	count int
	until time.Time
}

// limiterKeys is how many keys a table remembers. After those it forgets the
// oldest: whoever has so many addresses is not stopped by counting them, and
// must not stop anybody else.
const limiterKeys = 10_000

func newTable(most int) table {
	return table{most: most, seen: map[string]*list.Element{}, order: list.New()}
}

func (t *table) take(key string, now time.Time, window time.Duration) (ok bool, wait time.Duration) {
	e, known := t.seen[key]
	if known && !now.Before(e.Value.(*attempts).until) {
		t.forget(e)
		known = false
	}
	if !known {
		if t.order.Len() >= limiterKeys {
			t.forget(t.order.Front())
		}
		e = t.order.PushBack(&attempts{key: key, until: now.Add(window)})
		t.seen[key] = e
	}
	a := e.Value.(*attempts)
	a.count++
	return a.count <= t.most, a.until.Sub(now)
}

func (t *table) peek(key string, now time.Time) (ok bool, wait time.Duration) {
	e, known := t.seen[key]
	if !known {
		return true, 0
	}
	a := e.Value.(*attempts)
	return !now.Before(a.until) || a.count < t.most, a.until.Sub(now)
}

func (t *table) forget(e *list.Element) {
	delete(t.seen, t.order.Remove(e).(*attempts).key)
}

// limiterAddress is the address that attempts are counted by.
func limiterAddress(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	return prefix(ip, 64)
}

func prefix(ip netip.Addr, bits int) string {
	network, _ := ip.WithZone("").Prefix(bits) // every address of IPv6 has one
	return network.String()
}
