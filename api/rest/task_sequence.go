package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) taskSequenceRoutes() {
	list(s, get("/task-sequences", "list_task_sequences", "task sequences", "Task sequences by name"), api.ShelfFields, s.console.ListTaskSequences)

	register(s, get("/default-task-sequence", "get_default_task_sequence", "task sequences", "The task sequence of jobs that name none"),
		func(ctx context.Context, a api.Actor, _ *struct{}) (*found[api.TaskSequence], error) {
			t, err := s.console.GetTaskSequence(ctx, a, "")
			return foundOf(t, t.Revision, err)
		})

	type one struct {
		Sequence string `path:"task_sequence" doc:"ID or name of a task sequence."`
	}
	register(s, get("/task-sequences/{task_sequence}", "get_task_sequence", "task sequences", "A task sequence"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.TaskSequence], error) {
			t, err := s.console.GetTaskSequence(ctx, a, in.Sequence)
			return foundOf(t, t.Revision, err)
		})

	type input struct{ Body wire.SaveTaskSequence }
	op := create("/task-sequences", "create_task_sequence", "task sequences", "Save a new task sequence")
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*made[api.TaskSequence], error) {
		t, err := s.console.SaveTaskSequence(ctx, a, api.SaveTaskSequenceInput{
			Name: in.Body.Name, Description: in.Body.Description, Spec: in.Body.Spec, Template: in.Body.Template,
		})
		return madeOf(t, "/task-sequences/"+t.ID, t.Revision, err)
	})

	type change struct {
		Match
		Sequence string `path:"task_sequence" doc:"ID or name of a task sequence."`
		Body     wire.SaveTaskSequence
	}
	op = put("/task-sequences/{task_sequence}", "save_task_sequence", "task sequences", "Save a new version of a task sequence")
	register(s, op, func(ctx context.Context, a api.Actor, in *change) (*found[api.TaskSequence], error) {
		t, err := s.console.GetTaskSequence(ctx, a, in.Sequence)
		if err != nil {
			return nil, err
		}
		t, err = s.console.SaveTaskSequence(ctx, a, api.SaveTaskSequenceInput{
			ID: t.ID, Name: in.Body.Name, Description: in.Body.Description, Spec: in.Body.Spec,
			Template: in.Body.Template, Revision: in.revision,
		})
		return foundOf(t, t.Revision, err)
	})
}
