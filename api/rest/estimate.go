package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) estimateRoutes() {
	type input struct{ Body wire.EstimateJob }
	op := action("/job-estimates", "estimate_job", "jobs", "How long a job would take, by what such builds took")
	op.Description = "Nothing is queued. The sticks of a job are written at once: the slowest kind of them counts."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*plain[wire.Estimate], error) {
		e, err := s.console.EstimateJob(ctx, a, api.EstimateInput(in.Body))
		return plainOf(wire.Estimate{Builds: e.Builds, LowSeconds: wire.Seconds(e.Low), HighSeconds: wire.Seconds(e.High)}, err)
	})
}
