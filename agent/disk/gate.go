package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// probePatience is, by default, how long Open waits for a look at the device
// (List) to end; on a slow stick that takes seconds.
const probePatience = 30 * time.Second

// enter waits until nobody else of this Lister opens or probes the path, and
// returns how to leave. Without it List's look would make Open fail as busy.
func (l *Lister) enter(ctx context.Context, path string) (leave func(), err error) {
	l.mu.Lock()
	if l.gates == nil {
		l.gates = map[string]chan struct{}{}
	}
	gate := l.gates[path]
	if gate == nil {
		gate = make(chan struct{}, 1)
		l.gates[path] = gate
	}
	l.mu.Unlock()
	select {
	case gate <- struct{}{}:
		return func() { <-gate }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %s: %w", path, context.Cause(ctx))
	}
}

func (l *Lister) held(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[path] != nil
}

// enterSoon is enter for a caller with other sticks to see to: a dying device
// can block whoever looks at it for as long as it is plugged in.
func (l *Lister) enterSoon(ctx context.Context, path string) (leave func(), err error) {
	soon, cancel := context.WithTimeout(ctx, cmp.Or(l.patience, probePatience))
	defer cancel()
	leave, err = l.enter(soon, path)
	if err != nil && ctx.Err() == nil {
		err = protocol.WrapFault(errors.New("the device does not answer"), protocol.FaultDeviceBusy, "path", path)
	}
	return leave, err
}
