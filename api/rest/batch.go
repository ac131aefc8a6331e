package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// batchRoutes make a job of a table with a row for each stick.
func (s *REST) batchRoutes() {
	type input struct{ Body wire.Batch }
	op := action("/batch-checks", "check_batch", "jobs", "Check a table with a row for each stick, and queue nothing")
	op.Description = "The answer has what each row becomes, and what is wrong with its cells."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*plain[wire.BatchPlan], error) {
		p, err := s.console.CheckJobBatch(ctx, a, in.Body.Input())
		if err != nil {
			return nil, err
		}
		out := wire.BatchPlan{Rows: make([]wire.BatchRow, 0, len(p.Rows)), Ignored: p.Ignored, OK: len(p.Problems) == 0}
		for _, r := range p.Rows {
			out.Rows = append(out.Rows, wire.BatchRow{BatchRow: r, Problems: []wire.CellProblem{}})
		}
		for _, x := range p.Problems {
			out.Rows[x.Row].Problems = append(out.Rows[x.Row].Problems, wire.CellProblem{
				Field: x.Field, Code: string(x.Err.Code), Detail: requestOf(ctx).locale.Fault(string(x.Err.Code), x.Err.Params),
			})
		}
		return plainOf(out, nil)
	})

	op = work("/batches", "queue_batch", "jobs", "Queue a job with a stick for each row of a table")
	op.Description = "The devices are erased. Without 'devices' the free sticks of the host are dealt in the order of its port map; POST /batch-checks shows how. " +
		"Nothing is queued if any row is wrong: 'errors' of the refusal says which, and why."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*started[api.Job], error) {
		return jobStarted(s.console.QueueBatch(ctx, a, in.Body.Input()))
	})
}
