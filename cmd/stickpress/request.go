package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

func requestCommand(x *remote) *cobra.Command {
	return x.family("request", "Requests: what tickets want",
		requestListCommand(x), requestShowCommand(x),
		requestDeclineCommand(x), requestMoveCommand(x, "reopen REQUEST", "Takes a request up again that was declined or failed", nil, (*client.Client).ReopenStickRequest))
}

func requestListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists requests, the newest first", api.StickRequestFields, (*client.Client).ListStickRequests,
		func(r api.StickRequest) string { return r.ID },
		column[api.StickRequest]{"REQUEST", func(r api.StickRequest) string { return r.ID }},
		column[api.StickRequest]{"STATE", func(r api.StickRequest) string { return r.State }},
		column[api.StickRequest]{"TICKET", func(r api.StickRequest) string { return r.Ticket }},
		column[api.StickRequest]{"FOR", func(r api.StickRequest) string { return r.Holder }},
		column[api.StickRequest]{"STICKS", func(r api.StickRequest) string { return number(r.Sticks) }},
		column[api.StickRequest]{"IMAGE", func(r api.StickRequest) string { return r.Image }},
		column[api.StickRequest]{"SITE", func(r api.StickRequest) string { return r.SiteName }},
		column[api.StickRequest]{"FROM", func(r api.StickRequest) string { return r.Connector }},
		column[api.StickRequest]{"ARRIVED", func(r api.StickRequest) string { return x.at(r.CreatedAt) }},
	)
}

func requestShowCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show REQUEST", Short: "Shows a request, and what of it cannot be used as it is",
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findRequests),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			r, err := c.GetStickRequest(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return showRequest(x, cmd, r)
		}),
	}
}

func showRequest(x *remote, cmd *cobra.Command, r api.StickRequest) error {
	return one(x, cmd, r, r.ID, func(d *details) {
		d.line("Request", r.ID)
		d.line("State", r.State)
		d.line("Reason", r.Reason)
		d.line("Ticket", r.Ticket)
		d.line("Address", r.TicketURL)
		d.line("From", r.Connector)
		d.line("Arrived", x.at(r.CreatedAt))
		d.line("For", r.Holder)
		d.line("Computer", r.ComputerName)
		d.line("Sticks", number(r.Sticks))
		d.line("Image", r.Image)
		d.line("Channel", r.Channel)
		d.line("Task sequence", r.TaskSequence)
		d.line("Host", r.Host)
		d.line("Site", r.SiteName)
		d.line("Note", r.Note)
		d.line("Job", r.JobID)
		for _, complaint := range r.Complaints {
			d.line("Not usable", complaint.Field+" "+complaint.Value+": "+locale.English.Fault(complaint.Code, nil))
		}
	})
}

func requestDeclineCommand(x *remote) *cobra.Command {
	var reason string
	cmd := requestMoveCommand(x, "decline REQUEST", "Declines a request; its ticket is told why", &reason, (*client.Client).DeclineStickRequest)
	cmd.Flags().StringVar(&reason, "reason", "", "why; the ticket is told")
	return cmd
}

// requestMoveCommand is what somebody decides about a request, and why if that
// is asked for.
func requestMoveCommand(
	x *remote, use, short string, reason *string, move func(*client.Client, context.Context, api.MoveRequestInput) (api.StickRequest, error),
) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findRequests),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			r, err := c.GetStickRequest(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			in := api.MoveRequestInput{ID: r.ID, Revision: r.Revision}
			if reason != nil {
				in.Reason = *reason
			}
			if r, err = move(c, cmd.Context(), in); err != nil {
				return err
			}
			return showRequest(x, cmd, r)
		}),
	}
}
