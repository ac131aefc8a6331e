package rest

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// retireRoutes take out of use what things were made with, and bring it back.
func (s *REST) retireRoutes() {
	type template struct {
		MayMatch
		Template string `path:"template" doc:"ID or name of an unattend template."`
		Body     *wire.Reason
	}
	retireTemplate := func(op huma.Operation, back bool) {
		register(s, op, func(ctx context.Context, a api.Actor, in *template) (*found[api.Template], error) {
			t, err := s.console.GetTemplate(ctx, a, in.Template)
			if err != nil {
				return nil, err
			}
			t, err = s.console.RetireTemplate(ctx, a, api.RetireInput{ID: t.ID, Back: back, Reason: reasonOf(in.Body), Revision: in.revision})
			return foundOf(t, t.Revision, err)
		})
	}
	op := action("/templates/{template}/retirements", "retire_template", "templates", "Take a template out of use")
	op.Description = "Task sequences that have it keep it; no other may take it."
	retireTemplate(op, false)
	retireTemplate(action("/templates/{template}/restorations", "restore_template", "templates", "Bring a template back into use"), true)

	type sequence struct {
		MayMatch
		Sequence string `path:"task_sequence" doc:"ID or name of a task sequence."`
		Body     *wire.Reason
	}
	retireSequence := func(op huma.Operation, back bool) {
		register(s, op, func(ctx context.Context, a api.Actor, in *sequence) (*found[api.TaskSequence], error) {
			t, err := s.console.GetTaskSequence(ctx, a, in.Sequence)
			if err != nil {
				return nil, err
			}
			t, err = s.console.RetireTaskSequence(ctx, a, api.RetireInput{ID: t.ID, Back: back, Reason: reasonOf(in.Body), Revision: in.revision})
			return foundOf(t, t.Revision, err)
		})
	}
	retireSequence(action("/task-sequences/{task_sequence}/retirements", "retire_task_sequence", "task sequences", "Take a task sequence out of use"), false)
	retireSequence(action("/task-sequences/{task_sequence}/restorations", "restore_task_sequence", "task sequences", "Bring a task sequence back into use"), true)

	type versions struct {
		Paging
		Sequence string `path:"task_sequence" doc:"ID or name of a task sequence."`
	}
	register(s, get("/task-sequences/{task_sequence}/versions", "list_task_sequence_versions", "task sequences", "A task sequence's versions, newest first"),
		func(ctx context.Context, a api.Actor, in *versions) (*listed[api.TaskSequenceVersion], error) {
			l, err := s.console.ListTaskSequenceVersions(ctx, a, in.Sequence, in.page())
			return pageOf(&in.Paging, l, err)
		})
}
