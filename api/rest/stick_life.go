package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// stickLifeRoutes are how a stick goes from hand to hand.
func (s *REST) stickLifeRoutes() {
	type issue struct {
		Stick string `path:"stick" doc:"ID of a stick."`
		Body  wire.IssueStick
	}
	op := action("/sticks/{stick}/issues", "issue_stick", "sticks", "Say that somebody has the stick now")
	op.Description = "To hand it to who has it already changes nothing. What is on it must be fit for them: verified, or wiped, or theirs."
	register(s, op, func(ctx context.Context, a api.Actor, in *issue) (*found[api.Stick], error) {
		return stickFound(s.console.IssueStick(ctx, a, api.IssueStickInput{ID: in.Stick, Holder: in.Body.Holder, Reference: in.Body.Reference}))
	})

	s.moveStick("losses", "declare_stick_lost", "Say that nobody knows where a stick is",
		"What is to be disabled because of that is in /sticks/{stick}/tasks.", s.console.DeclareStickLost)
	s.moveStick("finds", "stick_found", "Say that a lost stick turned up",
		"It is returned; its open tasks are dropped.", s.console.StickFound)
	s.moveStick("retirements", "retire_stick", "Take a stick out of use",
		"A return brings it back.", s.console.RetireStick)
	s.stickTaskRoutes()
	s.scanRoutes()
}

// scanRoutes are what a scanner at a desk does.
func (s *REST) scanRoutes() {
	type scan struct{ Body wire.ScanStick }
	op := action("/scans", "scan_stick", "sticks", "Hand out or take back the stick whose label was scanned")
	op.Description = "'seq' names what was done, for an undo; 0 where it was so already."
	register(s, op, func(ctx context.Context, a api.Actor, in *scan) (*plain[wire.Scanned], error) {
		v, err := s.console.ScanStick(ctx, a, api.ScanStickInput(in.Body))
		return plainOf(wire.Scanned(v), err)
	})

	type undo struct {
		Stick string `path:"stick" doc:"ID of a stick."`
		Body  wire.UndoStickMove
	}
	op = action("/sticks/{stick}/undos", "undo_stick_move", "sticks", "Take back that a stick was handed out or returned")
	op.Description = "As long as nothing happened to it since."
	register(s, op, func(ctx context.Context, a api.Actor, in *undo) (*found[api.Stick], error) {
		return stickFound(s.console.UndoStickMove(ctx, a, in.Stick, in.Body.Seq))
	})
}

// moveStick registers POST /sticks/{stick}/<noun>.
func (s *REST) moveStick(noun, id, summary, description string, move func(context.Context, api.Actor, api.MoveStickInput) (api.Stick, error)) {
	type input struct {
		Stick string `path:"stick" doc:"ID of a stick."`
		Body  *wire.Reason
	}
	op := action("/sticks/{stick}/"+noun, id, "sticks", summary)
	op.Description = description
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*found[api.Stick], error) {
		return stickFound(move(ctx, a, api.MoveStickInput{ID: in.Stick, Reason: reasonOf(in.Body)}))
	})
}

// stickTaskRoutes are about what is to be disabled after a loss.
func (s *REST) stickTaskRoutes() {
	type of struct {
		Stick string `path:"stick" doc:"ID of a stick."`
	}
	register(s, get("/sticks/{stick}/tasks", "list_stick_tasks", "sticks", "What is to be disabled since a stick was lost, the last loss last"),
		func(ctx context.Context, a api.Actor, in *of) (*whole[api.StickTask], error) {
			return itemsOf(s.console.StickTasks(ctx, a, in.Stick))
		})

	type tick struct {
		Stick string `path:"stick" doc:"ID of a stick."`
		Task  string `path:"task" doc:"ID of one of its tasks."`
		Body  *wire.TickStickTask
	}
	op := action("/sticks/{stick}/tasks/{task}/ticks", "tick_stick_task", "sticks", "Say that a task is done, or is not after all")
	register(s, op, func(ctx context.Context, a api.Actor, in *tick) (*plain[api.StickTask], error) {
		done := in.Body == nil || in.Body.Done == nil || *in.Body.Done
		return plainOf(s.console.TickStickTask(ctx, a, api.TickStickTaskInput{Stick: in.Stick, Task: in.Task, Done: done}))
	})
}

// stickFound answers with a stick.
func stickFound(v api.Stick, err error) (*found[api.Stick], error) {
	return foundOf(v, v.Revision, err)
}
