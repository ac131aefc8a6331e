package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
)

const (
	reconnectBase = 500 * time.Millisecond
	reconnectCap  = 60 * time.Second
	// stableAfter is how long a session must last for the next try to begin
	// with a short wait again.
	stableAfter = 30 * time.Second
)

// Why a connection did not come about or ended, beside what the network says.
var (
	errDrained = errors.New("the server asked to reconnect")
	// errServerKey: something that is not our server answers at its address.
	errServerKey = errors.New("the server does not prove the key that was pinned when this host was enrolled; it gets no data and gives no work")
)

// connectLoop connects again and again until ctx ends, or returns ErrRevoked.
// Everything else passes: servers are upgraded, networks come back, and a
// host that gave up would have to be visited.
func (a *Agent) connectLoop(ctx context.Context) error {
	wait := backoff.Backoff{Base: reconnectBase, Cap: reconnectCap, Rand: a.cfg.Rand}
	for {
		up, err := a.connectOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrRevoked):
			return ErrRevoked
		case up >= stableAfter, errors.Is(err, errDrained):
			wait.Reset()
		}
		pause := wait.Next()
		a.report(err, pause)
		if backoff.Sleep(ctx, a.cfg.Clock, pause) != nil {
			return nil
		}
	}
}

// report logs why there is no connection, as loud as it deserves.
func (a *Agent) report(err error, pause time.Duration) {
	var f *protocol.Fault
	switch {
	case errors.Is(err, errServerKey), errors.As(err, &f):
		a.cfg.Log.Error("the connection was refused", "server", a.cfg.State.URL, "again_in", pause, "err", err)
	default:
		a.cfg.Log.Warn("not connected", "server", a.cfg.State.URL, "again_in", pause, "err", err)
	}
}

// connectOnce runs one connection to its end and returns how long its session
// lasted.
func (a *Agent) connectOnce(ctx context.Context) (up time.Duration, err error) {
	conn, welcome, err := a.handshake(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	begin := a.cfg.Clock.Now()
	s := newSession(a, conn, welcome)
	a.cfg.Log.Info("connected", "server", a.cfg.State.URL, "session", welcome.Session, "protocol", welcome.Protocol)
	a.setSession(s)
	err = s.run(ctx)
	a.setSession(nil)
	a.noteAck()
	return a.cfg.Clock.Now().Sub(begin), err
}

func (a *Agent) setSession(s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session = s
}

// noteAck lets flush look again.
func (a *Agent) noteAck() {
	select {
	case a.acked <- struct{}{}:
	default:
	}
}

// Jitter is the randomness of a running agent; tests bring their own.
func Jitter() float64 { return rand.Float64() }
