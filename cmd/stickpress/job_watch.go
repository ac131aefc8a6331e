package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

func jobWatchCommand(x *remote) *cobra.Command {
	cmd := x.onJob("watch ID", "Shows a job's sticks with bars until it has ended", x.watchJob)
	cmd.Long = `Shows a job's sticks with bars until it has ended; where the output is no terminal,
a line for each step. With --json it prints the job and its new events each time
that something changed, one object a line.

Exit code 3 says that not every stick is as it should be. Ctrl-C ends the
watching alone; the job goes on.`
	return cmd
}

// watchJob follows a job; it fails with errUnverified if not every stick is as
// it should be.
func (x *remote) watchJob(cmd *cobra.Command, c *client.Client, id string) error {
	last, err := x.follow(cmd, c, id)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(cmd.ErrOrStderr(), "The job goes on: 'stickpress job watch %s' looks again, 'stickpress job cancel %s' stops it.\n", id, id)
		return err
	case err != nil:
		return err
	case last.State == "cancelled":
		return fmt.Errorf("the job was cancelled: %w", errUnverified)
	case last.State != "succeeded":
		return fmt.Errorf("the job %s: %w", last.State, errUnverified)
	}
	return nil
}

// follow shows a job until it has ended.
func (x *remote) follow(cmd *cobra.Command, c *client.Client, id string) (last api.Job, err error) {
	if x.json {
		out := json.NewEncoder(cmd.OutOrStdout())
		for u, err := range c.WatchJob(cmd.Context(), id, 0) {
			if err == nil {
				last, err = u.Job, out.Encode(u)
			}
			if err != nil {
				return last, err
			}
		}
		return last, nil
	}
	b := x.bars(cmd)
	var lines []*bar
	for u, failed := range c.WatchJob(cmd.Context(), id, 0) {
		if err = failed; err != nil {
			break
		}
		last = u.Job
		for i := len(lines); i < len(last.Builds); i++ {
			lines = append(lines, b.add(fmt.Sprintf("%d: %s", i+1, clean(last.Builds[i].Identity.Port))))
		}
		for i, l := range lines {
			draw(l, last.Builds[i])
		}
	}
	for _, l := range lines {
		if err != nil {
			l.end("not watched any more")
		}
		l.end("")
	}
	b.wait()
	if b.progress != nil { // a bar cuts off what is longer than a line
		for _, build := range last.Builds {
			if build.Fault != nil {
				x.tell(cmd, "%d: %s", build.Position, faultText(build.Fault))
			}
		}
	}
	return last, err
}

// waitHelp is what --wait does.
const waitHelp = "watch it to its end (exit code 3 if a stick is not as it should be, 6 at once if it is planned for later)"

// afterQueue shows a job that was queued just now, and with wait watches it, unless
// it is planned for later: nobody knows how long a machine would wait then.
func (x *remote) afterQueue(cmd *cobra.Command, c *client.Client, j api.Job, wait bool) error {
	if !wait {
		return showJob(x, cmd, j)
	}
	if x.quiet {
		fmt.Fprintln(cmd.OutOrStdout(), j.ID)
	} else {
		x.tell(cmd, "%s: %s on %s", j.ID, string(j.Kind), j.HostName)
	}
	if j.NotBefore != nil && j.NotBefore.After(time.Now()) {
		return fmt.Errorf("the job %s is queued, and %w for %s: 'stickpress job watch %s' shows it then, 'stickpress job schedule %s' moves it",
			j.ID, errPlanned, x.at(*j.NotBefore), j.ID, j.ID)
	}
	if err := x.watchJob(cmd, c, j.ID); err != nil || x.json || x.quiet {
		return err
	}
	j, err := c.GetJob(cmd.Context(), j.ID)
	if err != nil {
		return err
	}
	return showJob(x, cmd, j)
}
