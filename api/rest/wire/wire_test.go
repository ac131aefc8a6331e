package wire_test

import (
	"math"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api/rest/wire"
)

// A token for ever so long must not become one that never expires.
func TestDuration(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]time.Duration{
		0: 0, 90: 90 * time.Second,
		math.MaxInt64: math.MaxInt64 / time.Second * time.Second,
	} {
		if got := wire.Duration(seconds); got != want {
			t.Errorf("%d seconds became %s, want %s", seconds, got, want)
		}
	}
}
