package store_test

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// moves are what people do with a stick.
func (w *world) moves() map[string]func(store.StickID) (store.Stick, error) {
	move := func(do func(*store.Tx, store.StickID) (store.Stick, error)) func(store.StickID) (store.Stick, error) {
		return func(id store.StickID) (store.Stick, error) {
			return try(w.t.Context(), w.Store, func(tx *store.Tx) (store.Stick, error) { return do(tx, id) })
		}
	}
	ctx := w.t.Context()
	issue := func(holder string) func(store.StickID) (store.Stick, error) {
		return move(func(tx *store.Tx, id store.StickID) (store.Stick, error) {
			return tx.IssueStick(ctx, id, store.StickHandover{Holder: holder, Reference: "INC-9"}, w.by)
		})
	}
	return map[string]func(store.StickID) (store.Stick, error){
		"ada": issue("Ada"), "bob": issue("Bob"),
		"return": move(func(tx *store.Tx, id store.StickID) (store.Stick, error) { return tx.ReturnStick(ctx, id, w.by) }),
		"lose": move(func(tx *store.Tx, id store.StickID) (store.Stick, error) {
			return tx.DeclareStickLost(ctx, id, "on the train", []store.NewStickTask{{Kind: store.TaskComputer, Subject: "PC-1"}}, w.by)
		}),
		"find": move(func(tx *store.Tx, id store.StickID) (store.Stick, error) {
			return tx.StickFound(ctx, id, "in a drawer", w.by)
		}),
		"retire": move(func(tx *store.Tx, id store.StickID) (store.Stick, error) {
			return tx.RetireStick(ctx, id, "broken", w.by)
		}),
	}
}

func TestLifeOfAStick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	moves := w.moves()
	id := w.pressed("", 1).ID
	for i, step := range []struct {
		move   string
		refuse fault.Code
		life   store.StickLife
		holder string
	}{
		{"find", store.CodeStickPlace, store.StickStock, ""},
		{"ada", "", store.StickIssued, "Ada"},
		{"ada", "", store.StickIssued, "Ada"},
		{"bob", store.CodeStickIssued, store.StickIssued, "Ada"},
		{"retire", store.CodeStickIssued, store.StickIssued, "Ada"},
		{"return", "", store.StickReturned, "Ada"},
		{"bob", store.CodeStickNotWiped, store.StickReturned, "Ada"},
		{"ada", "", store.StickIssued, "Ada"},
		{"lose", "", store.StickLost, "Ada"},
		{"lose", store.CodeStickPlace, store.StickLost, "Ada"},
		{"ada", store.CodeStickLost, store.StickLost, "Ada"},
		{"return", store.CodeStickLost, store.StickLost, "Ada"},
		{"find", "", store.StickReturned, "Ada"},
		{"retire", "", store.StickRetired, "Ada"},
		{"retire", store.CodeStickPlace, store.StickRetired, "Ada"},
		{"ada", store.CodeStickRetired, store.StickRetired, "Ada"},
		{"lose", store.CodeStickPlace, store.StickRetired, "Ada"},
		{"return", "", store.StickReturned, "Ada"},
	} {
		_, err := moves[step.move](id)
		if step.refuse == "" && err != nil || step.refuse != "" && err == nil {
			t.Fatalf("step %d, %s: %v", i, step.move, err)
		}
		if step.refuse != "" {
			wantCode(t, err, step.refuse)
		}
		if s := w.stick(id); s.Life != step.life || s.Holder != step.holder {
			t.Fatalf("step %d, %s: %s, held by %q", i, step.move, s.Life, s.Holder)
		}
	}
	if s := w.stick(id); s.Reference != "INC-9" {
		t.Errorf("the ticket is %q", s.Reference)
	}
	_, err := moves["lose"](store.StickID{1})
	wantCode(t, err, "stick_not_found")
	w.checkHistory()
}

// What is lost or out of use is not written to, not even by an admin; it can be
// read. What a build holds stays where it is.
func TestAwayStick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	moves := w.moves()
	failed, err := w.give(protocol.JobPress, "Ada", 1)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := w.done(failed, broken())
	_, err = moves["ada"](s.ID)
	wantCode(t, err, store.CodeStickUnready)
	for move, code := range map[string]fault.Code{"lose": store.CodeStickLost, "retire": store.CodeStickRetired} {
		if _, err := moves[move](s.ID); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []protocol.JobKind{protocol.JobPress, protocol.JobWipe} {
			_, err := w.give(kind, "Ada", 1, string(store.CodeStickNotWiped), string(code))
			wantCode(t, err, code)
		}
		_, err = try(t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) {
			return tx.RetryBuilds(t.Context(), store.Retry{JobID: failed.ID, By: w.by})
		})
		wantCode(t, err, code)
		if move == "lose" {
			if _, err := moves["find"](s.ID); err != nil {
				t.Fatal(err)
			}
		} else if _, err := moves["return"](s.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.settle(s.ID, store.DataGivenUp); err != nil {
		t.Fatal(err)
	}
	if _, err := w.give(protocol.JobWipe, "", 1); err != nil {
		t.Fatal(err)
	}
	for _, move := range []string{"lose", "retire"} {
		_, err := moves[move](s.ID)
		wantCode(t, err, store.CodeStickBusy)
	}
	w.checkHistory()
}

func TestStickTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	moves := w.moves()
	id := w.pressed("Ada", 1).ID
	other := w.pressed("Bob", 2).ID
	tick := func(stick store.StickID, task store.StickTaskID, done bool) (store.StickTask, error) {
		return try(t.Context(), w.Store, func(tx *store.Tx) (store.StickTask, error) {
			return tx.TickStickTask(t.Context(), stick, task, done, w.by)
		})
	}
	open := func() int {
		n, err := w.OpenStickTasks(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.Sticks(t.Context(), store.StickFilter{OpenTasks: true})
		if err != nil || len(list) != n {
			t.Errorf("%d sticks are listed, %d counted, %v", len(list), n, err)
		}
		if elsewhere, err := w.OpenStickTasks(t.Context(), []store.SiteID{{9}}); err != nil || elsewhere != 0 {
			t.Errorf("%d at a site that has none, %v", elsewhere, err)
		}
		return n
	}
	if _, err := moves["lose"](id); err != nil {
		t.Fatal(err)
	}
	tasks, err := w.StickTasks(t.Context(), id)
	if err != nil || len(tasks) != 1 || tasks[0].Subject != "PC-1" || tasks[0].DoneAt != nil || open() != 1 {
		t.Fatalf("%+v, %v, %d open", tasks, err, open())
	}
	if done, err := tick(id, tasks[0].ID, true); err != nil || done.DoneAt == nil || done.DoneByID != w.by.ID || open() != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if again, err := tick(id, tasks[0].ID, false); err != nil || again.DoneAt != nil || again.DoneByKind != "" || open() != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = tick(other, tasks[0].ID, true)
	wantCode(t, err, "task_not_found")
	if _, err := moves["find"](id); err != nil {
		t.Fatal(err)
	}
	_, err = tick(id, tasks[0].ID, true)
	wantCode(t, err, "task_not_found")
	if open() != 0 {
		t.Error("a stick that was found has something to do")
	}
}

// Sticks are found by ticket and by computer.
func TestSticksByTicketAndComputer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := in(t, w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.QueueJob(t.Context(), store.NewJob{
			HostID: w.host.ID, Kind: protocol.JobPress, ImageVersionID: w.version.ID, TaskSequenceVersionID: w.sequence.ID,
			Reference: "INC-7", Variables: map[string]string{"computer_name": "PC-Ada_7"}, By: w.by, Builds: []store.NewBuild{{Device: device(1)}},
		})
	})
	pressed, _ := w.done(job, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{DiskID: "deadbeef"}})
	issued := w.pressed("", 2)
	if _, err := w.moves()["bob"](issued.ID); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter store.StickFilter
		want   store.StickID
	}{
		{store.StickFilter{Reference: "inc-7"}, pressed.ID},
		{store.StickFilter{Reference: "INC-9"}, issued.ID},
		{store.StickFilter{Computer: "pc-ada_"}, pressed.ID},
		{store.StickFilter{Search: "PC-ADA"}, pressed.ID},
		{store.StickFilter{Search: "inc-9"}, issued.ID},
		{store.StickFilter{Search: "bob"}, issued.ID},
		{store.StickFilter{Life: store.StickIssued}, issued.ID},
		{store.StickFilter{Computer: "pc%"}, store.StickID{}},
	} {
		found, err := w.Sticks(t.Context(), c.filter)
		switch {
		case err != nil:
			t.Error(err)
		case c.want.IsZero() && len(found) != 0, !c.want.IsZero() && (len(found) != 1 || found[0].ID != c.want):
			t.Errorf("%+v finds %d", c.filter, len(found))
		}
	}
}
