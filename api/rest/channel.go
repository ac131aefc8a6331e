package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) channelRoutes() {
	register(s, get("/images/{image}/channels", "list_channels", "images", "An image's channels by name"),
		func(ctx context.Context, a api.Actor, in *imageInput) (*whole[api.Channel], error) {
			return itemsOf(s.console.ListChannels(ctx, a, in.Image))
		})

	type one struct {
		Image   string `path:"image" doc:"Name or ID of an image."`
		Channel string `path:"channel"`
	}
	register(s, get("/images/{image}/channels/{channel}", "get_channel", "images", "A channel of an image"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.Channel], error) {
			c, err := s.console.GetChannel(ctx, a, in.Image, in.Channel)
			return foundOf(c, c.Revision, err)
		})

	type set struct {
		MatchOrNone
		Image   string `path:"image" doc:"Name or ID of an image."`
		Channel string `path:"channel"`
		Body    wire.SetChannel
	}
	register(s, put("/images/{image}/channels/{channel}", "set_channel", "images", "Point a channel to a version, making it if needed"),
		func(ctx context.Context, a api.Actor, in *set) (*found[api.Channel], error) {
			c, err := s.console.SetChannel(ctx, a, api.SetChannelInput{
				Image: in.Image, Channel: in.Channel, Version: in.Body.Version, Revision: in.revision,
			})
			return foundOf(c, c.Revision, err)
		})

	register(s, get("/images/{image}/channels/{channel}/version", "resolve_channel", "images", "The version that a channel points to"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.Version], error) {
			v, err := s.console.FindVersion(ctx, a, in.Image, "", in.Channel)
			return foundOf(v, v.Revision, err)
		})
}
