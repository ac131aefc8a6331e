package stick

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// Whoever was fenced off changes nothing any more, at whatever operation that
// came, and whatever else went wrong by then.
func TestFencedOffAtEveryOperation(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{"a device that works": nil, "one that fails at the same time": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPattern(20)
			press := func(n int) (fenced, operations int, after []sticktest.Op, err error) {
				target, d, r := p.stick(t, 0)
				ctx, fence := context.WithCancelCause(t.Context())
				target.Context, target.EraseFirst = ctx, true
				var mu sync.Mutex
				d.Before = func(op sticktest.Op, _ int, _, _ int64) error {
					mu.Lock()
					defer mu.Unlock()
					if fenced > 0 && (op == sticktest.Write || op == sticktest.Discard) {
						after = append(after, op)
					}
					if d.Operations() == n {
						fenced = n
						fence(protocol.NewFault(protocol.FaultFenced))
						return answer
					}
					return nil
				}
				r.t = t
				o := Press(t.Context(), p, []Target{target})[0]
				return fenced, d.Operations(), after, o.Err
			}
			_, operations, _, err := press(0)
			if err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= operations; n++ {
				_, _, after, err := press(n)
				if len(after) > 0 {
					t.Errorf("fenced off at operation %d of %d, then %q", n, operations, after)
				}
				if f := protocol.AsFault(err); n < operations-3 && f.Code != protocol.FaultFenced && !errors.Is(err, answer) {
					t.Errorf("operation %d of %d: %v", n, operations, err)
				}
			}
		})
	}
}
