package store_test

import (
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// settle says what became of the data of a stick that came back.
func (w *world) settle(id store.StickID, data store.StickData) (store.Stick, error) {
	return try(w.t.Context(), w.Store, func(tx *store.Tx) (store.Stick, error) {
		return tx.SettleStickData(w.t.Context(), id, store.StickDataSettled{Data: data, Signer: "Ada", Reason: "nothing of worth"}, w.by)
	})
}

// back returns a stick, which asks for its data.
func (w *world) back(id store.StickID) {
	w.t.Helper()
	s, err := try(w.t.Context(), w.Store, func(tx *store.Tx) (store.Stick, error) { return tx.ReturnStick(w.t.Context(), id, w.by) })
	if err != nil || s.Data != store.DataOpen {
		w.t.Fatalf("%+v, %v", s, err)
	}
}

// What came back is not written to before somebody says what becomes of its
// data, whatever an admin lets pass; a wipe, a press or a handover ends that.
func TestStickData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.checkHistory()
	id := w.pressed("Ada", 1).ID
	_, err := w.settle(id, store.DataCopied)
	wantCode(t, err, store.CodeStickDataSettled)
	for _, data := range []store.StickData{store.DataNone, store.DataCopied, store.DataGivenUp} {
		w.back(id)
		for _, kind := range []protocol.JobKind{protocol.JobPress, protocol.JobRaw, protocol.JobWipe} {
			_, err := w.give(kind, "Ada", 1, string(store.CodeStickNotWiped), string(store.CodeStickDataOpen))
			wantCode(t, err, store.CodeStickDataOpen)
			if p := paramsOf(err); p["stick"] != id.String() || p["port"] == "" {
				t.Errorf("%v", p)
			}
		}
		if s, err := w.settle(id, data); err != nil || s.Data != data || s.Life != store.StickReturned {
			t.Fatalf("%+v, %v", s, err)
		}
		_, err := w.settle(id, store.DataNone)
		wantCode(t, err, store.CodeStickDataSettled)
		if s := w.pressed("Ada", 1); s.Data != store.DataUnasked || s.Life != store.StickIssued {
			t.Errorf("pressed again: %+v", s)
		}
	}

	// Handed to its holder again, it is asked for anew when it comes back.
	w.back(id)
	if s, err := w.moves()["ada"](id); err != nil || s.Data != store.DataUnasked {
		t.Fatalf("%+v, %v", s, err)
	}
	w.back(id)
	if _, err := w.settle(id, store.DataGivenUp); err != nil {
		t.Fatal(err)
	}
	if s, _ := w.wiped(1); s.Data != store.DataUnasked || s.Life != store.StickStock {
		t.Errorf("wiped: %+v", s)
	}
	in(t, w.Store, func(tx *store.Tx) (store.Stick, error) { return tx.DeclareStickLost(t.Context(), id, "", nil, w.by) })
	if s, err := w.moves()["find"](id); err != nil || s.Data != store.DataOpen {
		t.Errorf("found: %+v, %v", s, err)
	}
}

// A comparison answers the question, or says what the answer cannot be.
func TestStickDataByComparison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.checkHistory()
	a, b := w.recorded(1, "0000000a", []byte(`{"format":1}`)), w.recorded(2, "0000000b", []byte(`{"format":1}`))
	w.back(a.ID)
	w.back(b.ID)
	w.compared(1, intact(a))
	if s := w.stick(a.ID); s.Data != store.DataNone {
		t.Errorf("as it was pressed: %q", s.Data)
	}
	used := intact(b)
	used.Result.Check.Outcome = protocol.OutcomeUsed
	w.compared(2, used)
	if s := w.stick(b.ID); s.Data != store.DataOpen {
		t.Errorf("used: %q", s.Data)
	}
	_, err := w.settle(b.ID, store.DataNone)
	wantCode(t, err, store.CodeStickDataUsed)
	if _, err := w.settle(b.ID, store.DataGivenUp); err != nil {
		t.Error(err)
	}
}

// A handover that was a mistake is taken back, as if it had not been.
func TestUndoHandover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.checkHistory()
	undo := func(id store.StickID, seq int64) (store.Stick, error) {
		return try(t.Context(), w.Store, func(tx *store.Tx) (store.Stick, error) { return tx.UndoHandover(t.Context(), id, seq, w.by) })
	}
	moves, was := w.moves(), w.pressed("", 1)
	id := was.ID
	_, err := undo(id, was.Seq)
	wantCode(t, err, store.CodeStickMovedOn)
	for _, move := range []string{"ada", "return"} {
		before := w.stick(id)
		s, err := moves[move](id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = undo(id, before.Seq)
		wantCode(t, err, store.CodeStickMovedOn)
		if s, err = undo(id, s.Seq); err != nil {
			t.Fatal(err)
		}
		if s.Life != before.Life || s.Holder != before.Holder || s.Reference != before.Reference || s.Data != before.Data {
			t.Errorf("after %s and back: %+v, before %+v", move, s, before)
		}
		_, err = undo(id, s.Seq) // an undoing is not undone
		wantCode(t, err, store.CodeStickMovedOn)
		if _, err := moves[move](id); err != nil {
			t.Fatal(err)
		}
	}
	_, err = undo(store.StickID{1}, 1)
	wantCode(t, err, "stick_not_found")

	// Long ago, and with much since.
	events, err := w.StickEvents(t.Context(), id, 0, 0)
	if err != nil || !slices.ContainsFunc(events, func(e store.StickEvent) bool { return e.Type == store.EventStickUndone }) {
		t.Errorf("%d events, %v", len(events), err)
	}
	_, err = undo(id, 1)
	wantCode(t, err, store.CodeStickMovedOn)
}
