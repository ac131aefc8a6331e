package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

func jobListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists jobs, the newest first", api.JobFields, (*client.Client).ListJobs,
		func(j api.Job) string { return j.ID },
		column[api.Job]{"JOB", func(j api.Job) string { return j.ID }},
		column[api.Job]{"STATE", func(j api.Job) string { return j.State }},
		column[api.Job]{"KIND", func(j api.Job) string { return string(j.Kind) }},
		column[api.Job]{"HOST", func(j api.Job) string { return j.HostName }},
		column[api.Job]{"STICKS", sticksText},
		column[api.Job]{"IMAGE", func(j api.Job) string { return strings.TrimSpace(j.ImageName + " " + j.Version) }},
		column[api.Job]{"TICKET", func(j api.Job) string { return j.ExternalRef.ID }},
		column[api.Job]{"QUEUED", func(j api.Job) string { return x.at(j.QueuedAt) }},
		column[api.Job]{"BY", func(j api.Job) string { return j.QueuedBy }},
	)
}

// sticksText is how many of a job's sticks are as they should be: "3/4".
func sticksText(j api.Job) string {
	return fmt.Sprintf("%d/%d", countVerified(j), len(j.Builds))
}
