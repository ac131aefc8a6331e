package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

// jobCommand is what the pages of jobs do, for programs and terminals.
func jobCommand(x *remote) *cobra.Command {
	return x.family("job", "Jobs: sticks to be made on a host",
		jobCreateCommand(x), jobListCommand(x), jobShowCommand(x), jobWatchCommand(x), jobLogsCommand(x),
		jobCancelCommand(x), jobRetryCommand(x), jobScheduleCommand(x))
}

// onJob is a command about one job.
func (x *remote) onJob(use, short string, do func(*cobra.Command, *client.Client, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findJobs),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error { return do(cmd, c, args[0]) }),
	}
}

func jobShowCommand(x *remote) *cobra.Command {
	return x.onJob("show ID", "Shows a job with its sticks", func(cmd *cobra.Command, c *client.Client, id string) error {
		j, err := c.GetJob(cmd.Context(), id)
		if err != nil {
			return err
		}
		return showJob(x, cmd, j)
	})
}

// showJob prints a job with its sticks.
func showJob(x *remote, cmd *cobra.Command, j api.Job) error {
	return one(x, cmd, j, j.ID, func(d *details) {
		d.line("Job", j.ID)
		d.line("Kind", string(j.Kind))
		d.line("State", j.State)
		d.line("Host", j.HostName)
		d.line("Image", strings.TrimSpace(j.ImageName+" "+j.Version))
		d.line("Edition", j.EditionName)
		d.line("Layout", j.Layout)
		d.line("Ticket", j.ExternalRef.ID)
		d.line("For", j.Holder)
		d.line("Queued", x.at(j.QueuedAt)+" by "+j.QueuedBy)
		d.line("Not before", x.since(j.NotBefore))
		d.line("Began", x.since(j.StartedAt))
		d.line("Ended", x.since(j.EndedAt))
		rows := [][]string{{"STICK", "PORT", "STATE", "STEP", "ATTEMPT", "FOR", "TICKET", "STICK ID"}}
		for _, b := range j.Builds {
			rows = append(rows, []string{
				number(b.Position), portText(b.PortLabel, b.Identity.Port), b.State, string(b.Step), number(b.Attempt), b.Holder, b.ExternalRef.ID, b.StickID,
			})
		}
		d.table(rows)
		for _, b := range j.Builds {
			if b.Fault != nil {
				fmt.Fprintf(d.w, "\n%d: %s\n", b.Position, clean(locale.English.Fault(b.Fault.Code, b.Fault.Params)))
			}
		}
	})
}

// portText is a port with the number on its socket.
func portText(label, port string) string {
	if label == "" {
		return port
	}
	return label + " (" + port + ")"
}

func jobCancelCommand(x *remote) *cobra.Command {
	var stick int
	cmd := x.onJob("cancel ID", "Stops a job's unfinished sticks, or one of them", func(cmd *cobra.Command, c *client.Client, id string) error {
		j, err := cancelJob(cmd.Context(), c, id, stick)
		if err != nil {
			return err
		}
		return showJob(x, cmd, j)
	})
	cmd.Flags().IntVar(&stick, "stick", 0, "position of the one stick to stop, from 1 (default: all)")
	return cmd
}

func cancelJob(ctx context.Context, c *client.Client, id string, stick int) (api.Job, error) {
	if stick == 0 {
		return c.CancelJob(ctx, id)
	}
	b, err := stickOf(ctx, c, id, stick)
	if err != nil {
		return api.Job{}, err
	}
	return c.CancelBuild(ctx, id, b.ID)
}

func jobRetryCommand(x *remote) *cobra.Command {
	var stick int
	var wait bool
	cmd := x.onJob("retry ID", "Tries a job's sticks again that failed or were cancelled, or one of them", func(cmd *cobra.Command, c *client.Client, id string) error {
		in := api.RetryBuildsInput{JobID: id}
		if stick != 0 {
			b, err := stickOf(cmd.Context(), c, id, stick)
			if err != nil {
				return err
			}
			in.Builds = []string{b.ID}
		}
		j, err := c.RetryBuilds(cmd.Context(), in)
		if err != nil {
			return err
		}
		return x.afterQueue(cmd, c, j, wait)
	})
	cmd.Flags().IntVar(&stick, "stick", 0, "position of the one stick to try again, from 1 (default: all)")
	cmd.Flags().BoolVar(&wait, "wait", false, waitHelp)
	return cmd
}

// stickOf finds one stick of a job by its position.
func stickOf(ctx context.Context, c *client.Client, id string, position int) (api.Build, error) {
	j, err := c.GetJob(ctx, id)
	if err != nil {
		return api.Build{}, err
	}
	if position < 1 || position > len(j.Builds) {
		return api.Build{}, fmt.Errorf("the job has %s, and none at position %d", counted(len(j.Builds), "stick"), position)
	}
	return j.Builds[position-1], nil
}

func jobScheduleCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "schedule ID WHEN", Short: "Moves a job that has not begun to another time, or with 'now' lets it begin",
		Long: "Moves a job that has not begun to another time, or with 'now' lets it begin.\n\n" + whenHelp,
		Args: cobra.ExactArgs(2), ValidArgsFunction: x.places(findJobs),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in := api.ScheduleJobInput{ID: args[0]}
			if args[1] != "now" {
				at, err := parseWhen(args[1], time.Now())
				if err != nil {
					return &usageError{cmd, err}
				}
				in.NotBefore = &at
			}
			j, err := c.GetJob(cmd.Context(), in.ID)
			if err != nil {
				return err
			}
			in.Revision = j.Revision
			if j, err = c.ScheduleJob(cmd.Context(), in); err != nil {
				return err
			}
			return showJob(x, cmd, j)
		}),
	}
}
