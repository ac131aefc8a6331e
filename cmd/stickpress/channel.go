package main

import (
	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

func channelCommand(x *remote) *cobra.Command {
	return x.family("channel", "Channels: the names by which jobs find a version", channelListCommand(x), channelSetCommand(x))
}

func channelListCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list IMAGE", Short: "Lists an image's channels",
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findImages),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			all, err := c.ListChannels(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return show(x, cmd, all, func(ch api.Channel) string { return ch.Name }, []column[api.Channel]{
				{"CHANNEL", func(ch api.Channel) string { return ch.Name }},
				{"VERSION", func(ch api.Channel) string { return ch.Version }},
				{"SINCE", func(ch api.Channel) string { return x.at(ch.UpdatedAt) }},
			})
		}),
	}
}

func channelSetCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "set IMAGE CHANNEL VERSION", Short: "Points a channel to a version, making it if needed",
		Args:              cobra.ExactArgs(3),
		ValidArgsFunction: x.places(findImages, findChannels, findVersions),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in := api.SetChannelInput{Image: args[0], Channel: args[1], Version: args[2]}
			all, err := c.ListChannels(cmd.Context(), in.Image)
			if err != nil {
				return err
			}
			for _, ch := range all {
				if ch.Name == in.Channel {
					in.Revision = ch.Revision
				}
			}
			ch, err := c.SetChannel(cmd.Context(), in)
			if err != nil {
				return err
			}
			return one(x, cmd, ch, ch.Name, func(d *details) {
				d.line(ch.Name, ch.Version)
			})
		}),
	}
}
