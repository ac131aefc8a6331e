package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

func stickCommand(x *remote) *cobra.Command {
	return x.family("stick", "Sticks: what they carry, and who has them", stickListCommand(x), stickShowCommand(x),
		stickIssueCommand(x), stickReturnCommand(x),
		stickMoveCommand(x, "lost STICK", "Says that nobody knows where a stick is, and lists what is to be disabled", (*client.Client).DeclareStickLost),
		stickMoveCommand(x, "found STICK", "Says that a lost stick turned up: it is returned", (*client.Client).StickFound),
		stickMoveCommand(x, "retire STICK", "Takes a stick out of use (admin); 'return' brings it back", (*client.Client).RetireStick))
}

func stickListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists sticks, the newest first", api.StickFields, (*client.Client).ListSticks,
		func(s api.Stick) string { return s.ID },
		column[api.Stick]{"STICK", func(s api.Stick) string { return s.ID }},
		column[api.Stick]{"LIFE", func(s api.Stick) string { return s.Life }},
		column[api.Stick]{"STATE", func(s api.Stick) string { return s.State }},
		column[api.Stick]{"CARRIES", func(s api.Stick) string { return strings.TrimSpace(s.ImageName + " " + s.Version) }},
		column[api.Stick]{"HOLDER", func(s api.Stick) string { return s.Holder }},
		column[api.Stick]{"TICKET", func(s api.Stick) string { return s.Reference }},
		column[api.Stick]{"COMPUTER", func(s api.Stick) string { return s.Computer }},
		column[api.Stick]{"SERIAL", func(s api.Stick) string { return s.Serial }},
		column[api.Stick]{"SIZE", func(s api.Stick) string { return locale.Bytes(s.Bytes) }},
		column[api.Stick]{"VERIFIED", func(s api.Stick) string { return x.since(s.VerifiedAt) }},
	)
}

func stickShowCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show STICK", Short: "Shows a stick with its history",
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findSticks),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			s, err := c.GetStick(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if x.json || x.quiet {
				return showStick(x, cmd, s, nil)
			}
			var all []api.StickEvent
			for after := int64(0); ; {
				events, err := c.StickEvents(cmd.Context(), s.ID, after)
				if err != nil {
					return err
				}
				if len(events) == 0 {
					return showStick(x, cmd, s, all)
				}
				all = append(all, events...)
				after = events[len(events)-1].Seq
			}
		}),
	}
}

// showStick prints a stick with what happened to it.
func showStick(x *remote, cmd *cobra.Command, s api.Stick, events []api.StickEvent) error {
	return one(x, cmd, s, s.ID, func(d *details) {
		d.line("Stick", s.ID)
		d.line("Life", s.Life)
		d.line("State", s.State)
		d.line("Model", strings.TrimSpace(s.Vendor+" "+s.Model))
		d.line("Serial", s.Serial)
		d.line("Size", locale.Bytes(s.Bytes))
		d.line("Carries", strings.TrimSpace(s.ImageName+" "+s.Version+" "+s.Layout))
		d.line("Verified", x.since(s.VerifiedAt))
		d.line("Holder", s.Holder)
		d.line("Ticket", s.Reference)
		d.line("Computer", s.Computer)
		d.line("Last job", s.JobID)
		if s.HostName != "" {
			d.line("Last seen", s.HostName+", port "+s.Port)
		}
		d.line("Fault", faultText(s.Fault))
		d.line("Last check", faultText(s.CheckFault))
		rows := [][]string{{"WHEN", "WHAT", "CARRIES", "HOLDER", "TICKET", "HOST", "BY"}}
		for _, e := range events {
			rows = append(rows, []string{
				x.at(e.At), strings.TrimPrefix(e.Type, "stick_"), strings.TrimSpace(e.ImageName + " " + e.Version), e.Holder, e.Reference, e.HostName, e.ActorName,
			})
		}
		d.table(rows)
	})
}

// faultText is the sentence of a fault, or empty.
func faultText(f *protocol.Fault) string {
	if f == nil {
		return ""
	}
	return locale.English.Fault(f.Code, f.Params)
}
