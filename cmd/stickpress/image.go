package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

func imageCommand(x *remote) *cobra.Command {
	return x.family("image", "Images and their versions",
		imageAddCommand(x), imageListCommand(x), imageInspectCommand(x), imageVersionsCommand(x), imageWithdrawCommand(x),
		imageCaptureCommand(x), blockMapCommand(x))
}

func imageListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists images with their channels", api.ImageFields, (*client.Client).ListImages,
		func(i api.Image) string { return i.Name },
		column[api.Image]{"IMAGE", func(i api.Image) string { return i.Name }},
		column[api.Image]{"NEWEST", func(i api.Image) string {
			if i.Latest == nil {
				return "-"
			}
			return i.Latest.Version
		}},
		column[api.Image]{"CHANNELS", func(i api.Image) string { return channelText(i.Channels) }},
		column[api.Image]{"TITLE", func(i api.Image) string { return i.Title }},
	)
}

// channelText is "stable=1.4.0 testing=1.5.0".
func channelText(all []api.Channel) string {
	var words []string
	for _, c := range all {
		words = append(words, c.Name+"="+c.Version)
	}
	return strings.Join(words, " ")
}

func imageInspectCommand(x *remote) *cobra.Command {
	var channel string
	cmd := &cobra.Command{
		Use:   "inspect IMAGE [VERSION]",
		Short: "Shows a version of an image with its editions, or without one what its channel points to",
		Args:  cobra.RangeArgs(1, 2), ValidArgsFunction: x.places(findImages, findVersions),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if len(args) == 2 && channel != "" {
				return wrong(cmd, "a version and --channel: give one of them")
			}
			v, err := c.FindVersion(cmd.Context(), args[0], strings.Join(args[1:], ""), channel)
			if err != nil {
				return err
			}
			return showVersion(x, cmd, v)
		}),
	}
	cmd.Flags().StringVar(&channel, "channel", "", "a channel of the image (default: "+api.DefaultChannel+")")
	return cmd
}

// showVersion prints a version with what is in it.
func showVersion(x *remote, cmd *cobra.Command, v api.Version) error {
	return one(x, cmd, v, v.ID, func(d *details) {
		d.line("Image", v.ImageName)
		d.line("Version", v.Version)
		d.line("ID", v.ID)
		d.line("State", v.State)
		d.line("Channels", strings.Join(v.Channels, " "))
		d.line("Format", v.Format)
		d.line("File", fmt.Sprintf("%s, %s", v.FileName, locale.Bytes(v.Bytes)))
		d.line("SHA-256", v.SHA256)
		d.line("Commit", v.Commit)
		d.line("Notes", v.Notes)
		d.line("Published", x.at(v.PublishedAt)+" by "+v.PublishedBy)
		if v.Disk != nil {
			d.line("Disk", strings.TrimSpace(locale.Bytes(v.Disk.Bytes)+" "+v.Disk.Table+" "+v.Disk.DiskID))
		}
		rows := [][]string{{"EDITION", "NAME", "ARCHITECTURE", "BUILD", "LANGUAGES", "SIZE"}}
		for _, e := range v.Editions {
			rows = append(rows, []string{number(e.Index), e.Name, e.Architecture, number(e.Build), strings.Join(e.Languages, ","), locale.Bytes(e.Bytes)})
		}
		d.table(rows)
	})
}

func imageVersionsCommand(x *remote) *cobra.Command {
	return listCommand(x, "versions", "Lists versions, the newest first", api.VersionFields, (*client.Client).ListVersions,
		func(v api.Version) string { return v.ID },
		column[api.Version]{"IMAGE", func(v api.Version) string { return v.ImageName }},
		column[api.Version]{"VERSION", func(v api.Version) string { return v.Version }},
		column[api.Version]{"STATE", func(v api.Version) string { return v.State }},
		column[api.Version]{"CHANNELS", func(v api.Version) string { return strings.Join(v.Channels, " ") }},
		column[api.Version]{"FORMAT", func(v api.Version) string { return v.Format }},
		column[api.Version]{"SIZE", func(v api.Version) string { return locale.Bytes(v.Bytes) }},
		column[api.Version]{"PUBLISHED", func(v api.Version) string { return x.at(v.PublishedAt) }},
		column[api.Version]{"COMMIT", func(v api.Version) string { return fmt.Sprintf("%.12s", v.Commit) }},
	)
}

func imageWithdrawCommand(x *remote) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "withdraw IMAGE VERSION", Short: "Stops a version from being used in new jobs",
		Args: cobra.ExactArgs(2), ValidArgsFunction: x.places(findImages, findVersions),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			v, err := c.FindVersion(cmd.Context(), args[0], args[1], "")
			if err != nil {
				return err
			}
			v, err = c.WithdrawVersion(cmd.Context(), api.WithdrawVersionInput{ID: v.ID, Reason: reason, Revision: v.Revision})
			if err != nil {
				return err
			}
			return showVersion(x, cmd, v)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log")
	return cmd
}
