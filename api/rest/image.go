package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// imageInput is a request about one image.
type imageInput struct {
	Image string `path:"image" doc:"Name or ID of an image."`
}

func (s *REST) imageRoutes() {
	list(s, get("/images", "list_images", "images", "Images by name"), api.ImageFields, s.console.ListImages)

	type input struct{ Body wire.CreateImage }
	register(s, create("/images", "create_image", "images", "Make an image without versions"),
		func(ctx context.Context, a api.Actor, in *input) (*made[api.Image], error) {
			i, err := s.console.CreateImage(ctx, a, api.CreateImageInput(in.Body))
			return madeOf(i, "/images/"+i.ID, i.Revision, err)
		})

	register(s, get("/images/{image}", "get_image", "images", "An image"),
		func(ctx context.Context, a api.Actor, in *imageInput) (*found[api.Image], error) {
			i, err := s.console.GetImage(ctx, a, in.Image)
			return foundOf(i, i.Revision, err)
		})
}
