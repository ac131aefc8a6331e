package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// jobInput is a request about one job.
type jobInput struct {
	Job string `path:"job" doc:"ID of a job."`
}

func (s *REST) jobRoutes() {
	s.queueJob()
	s.listJobs()

	one := get("/jobs/{job}", "get_job", "jobs", "A job with its builds")
	register(s, one, func(ctx context.Context, a api.Actor, in *jobInput) (*found[api.Job], error) {
		j, err := s.console.GetJob(ctx, a, in.Job)
		return foundOf(j, j.Revision, err)
	})

	cancel := work("/jobs/{job}/cancellations", "cancel_job", "jobs", "Stop a job's unfinished builds")
	cancel.Description = "Builds that wait end at once, those on a host when the host says so; their sticks are left marked incomplete. " +
		"Repeating it changes nothing."
	register(s, cancel, func(ctx context.Context, a api.Actor, in *jobInput) (*started[api.Job], error) {
		return jobStarted(s.console.CancelJob(ctx, a, in.Job))
	})
	s.cancelBuild()
	s.scheduleJob()
	s.retryBuilds()
}

// jobStarted answers with a job that goes on, or is being stopped.
func jobStarted(j api.Job, err error) (*started[api.Job], error) {
	return startedOf(j, "/jobs/"+j.ID, j.Revision, err)
}

func (s *REST) scheduleJob() {
	type input struct {
		Match
		Job  string `path:"job" doc:"ID of a job."`
		Body wire.ScheduleJob
	}
	op := put("/jobs/{job}/schedule", "schedule_job", "jobs", "Move a job that has not begun to another time")
	op.Description = "The job keeps its version and its sticks, which are compared with the confirmation again when it begins."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*found[api.Job], error) {
		j, err := s.console.ScheduleJob(ctx, a, api.ScheduleJobInput{ID: in.Job, NotBefore: in.Body.NotBefore, Revision: in.revision})
		return foundOf(j, j.Revision, err)
	})
}

func (s *REST) cancelBuild() {
	type input struct {
		Job   string `path:"job" doc:"ID of a job."`
		Build string `path:"build" doc:"ID of one of its builds."`
	}
	op := work("/jobs/{job}/builds/{build}/cancellations", "cancel_build", "jobs", "Stop one build of a job")
	op.Description = "The others go on. Repeating it changes nothing."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*started[api.Job], error) {
		return jobStarted(s.console.CancelBuild(ctx, a, in.Job, in.Build))
	})
}

func (s *REST) queueJob() {
	type input struct {
		Body wire.QueueJob
	}
	op := work("/jobs", "queue_job", "jobs", "Queue sticks to be built")
	op.Description = "The devices are erased. Each is named by the identity that GET /hosts/{host} shows; " +
		"a device that changed since then is never written. Nothing is queued if any of it is refused."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*started[api.Job], error) {
		return jobStarted(s.console.QueueJob(ctx, a, in.Body.Input()))
	})
}

func (s *REST) retryBuilds() {
	type input struct {
		Job  string `path:"job" doc:"ID of a job."`
		Body *wire.RetryBuilds
	}
	op := work("/jobs/{job}/retries", "retry_builds", "jobs", "Try builds again that failed or were cancelled")
	op.Description = "Each gets a new attempt on the stick that was confirmed, which must still be plugged in as it was then. " +
		"What may have changed since is checked as in POST /jobs; nothing is queued if any of it is refused."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*started[api.Job], error) {
		again := api.RetryBuildsInput{JobID: in.Job}
		if in.Body != nil {
			again.Builds, again.Overrides = in.Body.Builds, in.Body.Overrides
		}
		return jobStarted(s.console.RetryBuilds(ctx, a, again))
	})
}

func (s *REST) listJobs() {
	list(s, get("/jobs", "list_jobs", "jobs", "Jobs with their builds, newest first"), api.JobFields, s.console.ListJobs)
}
