package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

// labelRoutes are what is printed about sticks that may be handed out.
func (s *REST) labelRoutes() {
	const what = "For a label, or a sheet that goes with the stick: 'code' is an SVG with the stick's page as a QR code."

	type ofJob struct {
		Job string `path:"job" doc:"ID of a job."`
	}
	op := get("/jobs/{job}/labels", "job_labels", "jobs", "The labels of a job's sticks that may be handed out")
	op.Description = what
	register(s, op, func(ctx context.Context, a api.Actor, in *ofJob) (*whole[api.Label], error) {
		return itemsOf(s.console.JobLabels(ctx, a, in.Job, s.url))
	})

	type ofStick struct {
		Stick string `path:"stick" doc:"ID of a stick."`
	}
	op = get("/sticks/{stick}/labels", "stick_labels", "sticks", "The label of a stick for what it carries, if it may be handed out")
	op.Description = what + " None if the stick is not verified."
	register(s, op, func(ctx context.Context, a api.Actor, in *ofStick) (*whole[api.Label], error) {
		return itemsOf(s.console.StickLabels(ctx, a, in.Stick, s.url))
	})
}
