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

func hostCommand(x *remote) *cobra.Command {
	return x.family("host", "Imaging hosts",
		hostListCommand(x), hostShowCommand(x), hostEnrollCommand(x),
		hostEndCommand(x, "revoke HOST", "Ends a host's right to connect, at once",
			"It cannot connect any more. What it is writing, it finishes.", (*client.Client).RevokeHost),
		hostEndCommand(x, "lost HOST", "Says that a host will not come back: its unfinished sticks fail",
			"Its unfinished sticks fail, and their state is not known.", (*client.Client).DeclareHostLost))
}

func hostListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists imaging hosts", api.HostFields, (*client.Client).ListHosts,
		func(h api.Host) string { return h.Name },
		column[api.Host]{"HOST", func(h api.Host) string { return h.Name }},
		column[api.Host]{"STATE", hostState},
		column[api.Host]{"SITE", func(h api.Host) string { return h.SiteName }},
		column[api.Host]{"STICKS", func(h api.Host) string { return number(countWritable(h)) }},
		column[api.Host]{"AGENT", func(h api.Host) string { return h.Version }},
		column[api.Host]{"SYSTEM", func(h api.Host) string { return strings.Trim(h.OS+"/"+h.Arch, "/") }},
		column[api.Host]{"LAST SEEN", func(h api.Host) string { return x.since(h.LastSeenAt) }},
	)
}

// hostState is one word for how a host is.
func hostState(h api.Host) string {
	switch {
	case h.State == "revoked":
		return h.State
	case h.UpdateNeeded:
		return "update needed"
	case h.Online:
		return "online"
	}
	return "offline"
}

// countWritable counts the sticks that a job could have now.
func countWritable(h api.Host) int {
	n := 0
	for _, d := range h.Devices {
		if d.Writable && d.JobID == "" {
			n++
		}
	}
	return n
}

func hostShowCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show HOST", Short: "Shows a host with what is plugged in, and why it may not be written",
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findHosts),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			h, err := c.GetHost(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return one(x, cmd, h, h.ID, func(d *details) {
				d.line("Host", h.Name)
				d.line("ID", h.ID)
				d.line("State", hostState(h))
				d.line("Site", h.SiteName)
				d.line("System", strings.TrimSpace(h.OS+" "+h.Arch+" "+h.Hostname))
				d.line("Agent", h.Version)
				d.line("Last seen", x.since(h.LastSeenAt))
				d.line("Cache", locale.Bytes(h.CacheBytes)+" of "+locale.Bytes(h.CacheLimit))
				rows := [][]string{{"PORT", "MODEL", "SERIAL", "SIZE", "HOLDS", "STATE", "BELONGS TO"}}
				for _, dev := range h.Devices {
					rows = append(rows, []string{
						portText(dev.PortLabel, dev.Port), deviceName(dev), dev.Serial, locale.Bytes(dev.Bytes), strings.Join(dev.Volumes, ", "),
						deviceState(dev), strings.TrimSpace(dev.Life + " " + dev.Holder),
					})
				}
				d.table(rows)
			})
		}),
	}
}

// deviceState says whether a job could have a stick now, or why not.
func deviceState(d api.Device) string {
	switch {
	case d.JobID != "":
		return "in " + d.JobID
	case len(d.Refusals) > 0:
		return locale.English.Fault(d.Refusals[0].Code, d.Refusals[0].Params)
	}
	return "ready"
}

func hostEnrollCommand(x *remote) *cobra.Command {
	var in api.CreateEnrolmentInput
	cmd := &cobra.Command{
		Use:   "enroll",
		Short: "Makes a token that lets one host join, and prints the line to give there",
		Long: `Makes a token that lets one host join, once, and prints the line to give there.
The token is shown this once; it ends by itself.`,
		Args: cobra.NoArgs,
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			e, err := c.CreateEnrolment(cmd.Context(), in)
			if err != nil {
				return err
			}
			at, err := x.meant()
			if err != nil {
				return err
			}
			return one(x, cmd, e, e.Token, func(d *details) {
				line := "stickpress-agent enroll '" + at.URL + "' --token '" + e.Token + "'"
				if at.Pin != "" {
					line += " --ca-fingerprint " + at.Pin
				}
				fmt.Fprintln(d.w, line)
				x.tell(cmd, "The token lets one host join until %s.", x.at(e.ExpiresAt))
			})
		}),
	}
	cmd.Flags().StringVar(&in.SiteID, "site", "", "ID or name of the site that the host is at (default: the default site)")
	cmd.Flags().DurationVar(&in.TTL, "ttl", time.Hour, "how long the token is good, at most 168h")
	return cmd
}

// hostEndCommand is about a host that will do no more work.
func hostEndCommand(x *remote, use, short, what string, end func(*client.Client, context.Context, api.ChangeHostInput) (api.Host, error)) *cobra.Command {
	var reason string
	var sure bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findHosts),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			h, err := c.GetHost(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := x.askName(cmd, sure, h.Name, what); err != nil {
				return err
			}
			h, err = end(c, cmd.Context(), api.ChangeHostInput{ID: h.ID, Reason: reason, Revision: h.Revision})
			if err != nil {
				return err
			}
			return one(x, cmd, h, h.ID, func(d *details) { d.line(h.Name, hostState(h)) })
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log")
	addYes(cmd, &sure)
	return cmd
}
