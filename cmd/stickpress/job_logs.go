package main

import (
	"bytes"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
	"github.com/stickpress/stickpress/web/view"
)

func jobLogsCommand(x *remote) *cobra.Command {
	var follow bool
	cmd := x.onJob("logs ID", "Prints a job's history, one line for each event", func(cmd *cobra.Command, c *client.Client, id string) error {
		if follow {
			for u, err := range c.WatchJob(cmd.Context(), id, 0) {
				if err != nil {
					return err
				}
				if err := x.printLog(cmd, u); err != nil {
					return err
				}
			}
			return nil
		}
		j, err := c.GetJob(cmd.Context(), id)
		if err != nil {
			return err
		}
		for after := int64(0); ; {
			events, err := c.JobEvents(cmd.Context(), id, after)
			if err != nil || len(events) == 0 {
				return err
			}
			if err := x.printLog(cmd, api.JobUpdate{Job: j, Events: events}); err != nil {
				return err
			}
			after = events[len(events)-1].Seq
		}
	})
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job has ended")
	return cmd
}

// printLog prints events: as lines of a log (times are UTC, always), or as one
// JSON object a line.
func (x *remote) printLog(cmd *cobra.Command, u api.JobUpdate) error {
	if x.json {
		out := json.NewEncoder(cmd.OutOrStdout())
		for _, e := range u.Events {
			if err := out.Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
	var text bytes.Buffer
	view.WriteLog(&text, view.Frame{L: locale.English}, u)
	_, err := text.WriteTo(cmd.OutOrStdout())
	return err
}
