package backoff

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitsDoubleUpToTheCap(t *testing.T) {
	t.Parallel()
	b := Backoff{Base: 500 * time.Millisecond, Cap: 60 * time.Second, Rand: func() float64 { return 0 }}
	want := []time.Duration{250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}
	for i, w := range want {
		if got := b.Next(); got != w*time.Millisecond {
			t.Fatalf("wait %d is %v, want %v", i, got, w*time.Millisecond)
		}
	}
	b.Reset()
	b.Rand = func() float64 { return 0.999999 }
	if got := b.Next(); got < 499*time.Millisecond || got > 500*time.Millisecond {
		t.Fatalf("longest first wait is %v", got)
	}
	for range 100 {
		if got := b.Next(); got > b.Cap {
			t.Fatalf("wait %v is above the cap", got)
		}
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := Sleep(t.Context(), System{}, time.Hour); err != nil || time.Since(begin) != time.Hour {
			t.Fatalf("slept %v: %v", time.Since(begin), err)
		}
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(why)
		if err := Sleep(ctx, System{}, time.Hour); !errors.Is(err, why) {
			t.Fatalf("got %v", err)
		}
		if err := Sleep(ctx, System{}, time.Hour); !errors.Is(err, why) {
			t.Fatalf("ended context: got %v", err)
		}
	})
}
