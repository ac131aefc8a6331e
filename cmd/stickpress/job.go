package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
	"github.com/stickpress/stickpress/web/view"
)

// jobCommand is what the page of a job does, for programs and terminals.
func jobCommand(environ []string) *cobra.Command {
	job := &cobra.Command{Use: "job", Short: "Looks after a job on a console"}
	job.AddCommand(
		onJob(environ, "show ID", "Prints a job with its sticks and their steps as JSON", func(cmd *cobra.Command, c *client.Client, id string) error {
			j, err := c.GetJob(cmd.Context(), id)
			if err != nil {
				return err
			}
			return printJSON(cmd, j)
		}),
		onJob(environ, "watch ID", "Shows a job's sticks with bars until it has ended", watchJob),
		onJob(environ, "log ID", "Prints a job's history, one line for each event", printLog),
		jobCancelCommand(environ),
		jobRetryCommand(environ),
	)
	return job
}

// onJob is a command about one job.
func onJob(environ []string, use, short string, do func(*cobra.Command, *client.Client, string) error) *cobra.Command {
	var to remote
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := to.client(environ)
			if err != nil {
				return err
			}
			return do(cmd, c, args[0])
		},
	}
	to.addFlags(cmd, environ)
	return cmd
}

func jobCancelCommand(environ []string) *cobra.Command {
	var stick int
	cmd := onJob(environ, "cancel ID", "Stops a job's unfinished sticks, or one of them", func(cmd *cobra.Command, c *client.Client, id string) error {
		j, err := cancelJob(cmd.Context(), c, id, stick)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", j.ID, j.State)
		return nil
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

func jobRetryCommand(environ []string) *cobra.Command {
	var stick int
	cmd := onJob(environ, "retry ID", "Tries a job's sticks again that failed or were cancelled, or one of them", func(cmd *cobra.Command, c *client.Client, id string) error {
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
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", j.ID, j.State)
		return nil
	})
	cmd.Flags().IntVar(&stick, "stick", 0, "position of the one stick to try again, from 1 (default: all)")
	return cmd
}

// stickOf finds one stick of a job by its position.
func stickOf(ctx context.Context, c *client.Client, id string, position int) (api.Build, error) {
	j, err := c.GetJob(ctx, id)
	if err != nil {
		return api.Build{}, err
	}
	if position < 1 || position > len(j.Builds) {
		return api.Build{}, fmt.Errorf("the job has %d sticks, and none at position %d", len(j.Builds), position)
	}
	return j.Builds[position-1], nil
}

// watchJob follows a job; it fails with errUnverified if not every stick is as
// it should be.
func watchJob(cmd *cobra.Command, c *client.Client, id string) error {
	b := newBars(cmd.ErrOrStderr())
	var lines []*bar
	var last api.Job
	for u, err := range c.WatchJob(cmd.Context(), id, 0) {
		if err != nil {
			for _, l := range lines {
				l.end("lost sight of it")
			}
			b.wait()
			return err
		}
		last = u.Job
		for i := len(lines); i < len(last.Builds); i++ {
			lines = append(lines, b.add(fmt.Sprintf("%d: %s", i+1, last.Builds[i].Identity.Port)))
		}
		for i, l := range lines {
			draw(l, last.Builds[i])
		}
	}
	for _, l := range lines {
		l.end("")
	}
	b.wait()
	if last.State != "succeeded" {
		return fmt.Errorf("the job %s: %w", last.State, errUnverified)
	}
	return nil
}

func printLog(cmd *cobra.Command, c *client.Client, id string) error {
	j, err := c.GetJob(cmd.Context(), id)
	if err != nil {
		return err
	}
	for after := int64(0); ; {
		events, err := c.JobEvents(cmd.Context(), id, after)
		if err != nil || len(events) == 0 {
			return err
		}
		var text bytes.Buffer
		view.WriteLog(&text, view.Frame{L: locale.English}, api.JobUpdate{Job: j, Events: events})
		if _, err := text.WriteTo(cmd.OutOrStdout()); err != nil {
			return err
		}
		after = events[len(events)-1].Seq
	}
}

func printJSON(cmd *cobra.Command, v any) error {
	out := json.NewEncoder(cmd.OutOrStdout())
	out.SetIndent("", "  ")
	return out.Encode(v)
}
