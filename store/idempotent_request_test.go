package store_test

import (
	"testing"

	"github.com/stickpress/stickpress/store"
)

// A run that is silent for too long loses its request: whoever takes it over
// makes the change, and the change of the first one is rolled back.
func TestHolderThatIsSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, print := t.Context(), []byte("a request")
	first, _, err := w.HoldRequest(ctx, "user_1", "k", print)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.HoldRequest(ctx, "user_1", "k", print)
	wantCode(t, err, store.CodeIdempotencyInFlight)
	age := func() {
		t.Helper()
		if _, err := w.Pool().Exec(ctx, `UPDATE idempotent_requests SET held_until = now() - interval '1 second'`); err != nil {
			t.Fatal(err)
		}
	}
	age()
	if err := w.StillHeld(ctx, first); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.HoldRequest(ctx, "user_1", "k", print)
	wantCode(t, err, store.CodeIdempotencyInFlight)
	age()
	_, _, err = w.HoldRequest(ctx, "user_1", "k", []byte("another"))
	wantCode(t, err, store.CodeIdempotencyReused)
	second, before, err := w.HoldRequest(ctx, "user_1", "k", print)
	if err != nil || second == nil || before != nil {
		t.Fatalf("taken over: %v %v %v", second, before, err)
	}
	site := func(h *store.HeldRequest) error {
		return w.InTx(ctx, func(tx *store.Tx) error {
			if _, err := tx.CreateSite(ctx, "Berlin"); err != nil {
				return err
			}
			return tx.Done(ctx, h)
		})
	}
	wantCode(t, site(first), store.CodeIdempotencyInFlight)
	if err := w.LetGo(ctx, first); err != nil { // it is not its own any more
		t.Fatal(err)
	}
	if err := site(second); err != nil {
		t.Fatal(err)
	}
	if err := w.LetGo(ctx, second); err != nil { // what is done stays
		t.Fatal(err)
	}
	if _, done, err := w.HoldRequest(ctx, "user_1", "k", print); err != nil || done == nil || done.Reply != nil {
		t.Errorf("done is %+v, %v", done, err)
	}
	if err := w.KeepReply(ctx, second, store.Reply{Status: 201, Header: map[string]string{"ETag": "1"}, Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if _, done, err := w.HoldRequest(ctx, "user_1", "k", print); err != nil || done.Reply == nil || done.Reply.Status != 201 || done.Reply.Header["ETag"] != "1" {
		t.Errorf("done is %+v, %v", done, err)
	}
	if h, _, err := w.HoldRequest(ctx, "user_2", "k", print); err != nil || h == nil {
		t.Errorf("somebody else's key: %v, %v", h, err)
	}
}

// A request that changed nothing gives its key back, and one that is over is
// forgotten after a day.
func TestRequestLetGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	h, _, err := w.HoldRequest(ctx, "user_1", "k", []byte("a"))
	if err == nil {
		err = w.LetGo(ctx, h)
	}
	if err == nil {
		h, _, err = w.HoldRequest(ctx, "user_1", "k", []byte("b"))
	}
	if err == nil {
		err = w.KeepReply(ctx, h, store.Reply{Status: 200})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Pool().Exec(ctx, `UPDATE idempotent_requests SET expires_at = created_at - interval '1 day'`); err != nil {
		t.Fatal(err)
	}
	if h, _, err := w.HoldRequest(ctx, "user_1", "k", []byte("c")); err != nil || h == nil {
		t.Errorf("after a day: %v, %v", h, err)
	}
}
