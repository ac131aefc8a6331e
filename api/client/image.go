package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// ListImages lists images by name.
func (c *Client) ListImages(ctx context.Context, f api.ImageFilter, p api.Page) (api.List[api.Image], error) {
	return read[api.List[api.Image]](ctx, c, at("images"), narrowed(api.ImageFields, f, p))
}

// GetImage returns an image by ID or name.
func (c *Client) GetImage(ctx context.Context, ref string) (api.Image, error) {
	return read[api.Image](ctx, c, at("images", ref), nil)
}

// CreateImage makes an image without versions.
func (c *Client) CreateImage(ctx context.Context, in api.CreateImageInput) (api.Image, error) {
	return send[api.Image](ctx, c, call{method: http.MethodPost, path: at("images"), body: wire.CreateImage(in)})
}

// ListVersions lists versions, newest first.
func (c *Client) ListVersions(ctx context.Context, f api.VersionFilter, p api.Page) (api.List[api.Version], error) {
	return read[api.List[api.Version]](ctx, c, at("versions"), narrowed(api.VersionFields, f, p))
}

// GetVersion returns a version by ID.
func (c *Client) GetVersion(ctx context.Context, id string) (api.Version, error) {
	return read[api.Version](ctx, c, at("versions", id), nil)
}

// FindVersion returns a version by ID (image may be empty), an image's version
// by SemVer, or, when version is empty, what the image's channel points to
// (api.DefaultChannel if that is empty too).
func (c *Client) FindVersion(ctx context.Context, image, version, channel string) (api.Version, error) {
	switch {
	case image == "":
		return c.GetVersion(ctx, version)
	case version != "":
		return read[api.Version](ctx, c, at("images", image, "versions", version), nil)
	case channel == "":
		channel = api.DefaultChannel
	}
	return read[api.Version](ctx, c, at("images", image, "channels", channel, "version"), nil)
}

// PublishVersion makes an uploaded file a version of an image. An upload that is
// still being inspected is waited for; why it did not become a version is a
// *Problem.
func (c *Client) PublishVersion(ctx context.Context, in api.PublishVersionInput) (api.Version, error) {
	raw, err := send[json.RawMessage](ctx, c, call{method: http.MethodPost, path: at("versions"), body: wire.PublishVersion(in)})
	if err != nil {
		return api.Version{}, err
	}
	var waits api.Upload
	var v api.Version
	if err := errors.Join(json.Unmarshal(raw, &waits), json.Unmarshal(raw, &v)); err != nil {
		return api.Version{}, fmt.Errorf("decode the answer to a publication: %w", err)
	}
	if waits.Publication == nil {
		return v, nil
	}
	up, err := c.waitForUpload(ctx, waits.ID, nil, func(u *api.Upload) bool {
		return u.Publication != nil && u.Publication.VersionID == "" && u.Publication.Fault == nil
	})
	switch p := up.Publication; {
	case err != nil:
		return api.Version{}, err
	case p != nil && p.VersionID != "":
		return c.GetVersion(ctx, p.VersionID)
	case p != nil && p.Fault != nil:
		problem := wire.NewProblem(http.StatusUnprocessableEntity, p.Fault.Code)
		problem.Params = p.Fault.Params
		return api.Version{}, &problem
	}
	return api.Version{}, fmt.Errorf("the upload %s is not to be published any more", up.ID)
}

// WithdrawVersion stops a version from being used in new jobs.
func (c *Client) WithdrawVersion(ctx context.Context, in api.WithdrawVersionInput) (api.Version, error) {
	return send[api.Version](ctx, c, call{
		method: http.MethodPost, path: at("versions", in.ID, "withdrawals"), body: wire.Reason{Reason: in.Reason}, revision: in.Revision,
	})
}

// SetBlockMap gives a disk image a block map, or says whether the one that it
// has is trusted.
func (c *Client) SetBlockMap(ctx context.Context, in api.SetBlockMapInput) (api.Version, error) {
	return send[api.Version](ctx, c, call{
		method: http.MethodPut, path: at("versions", in.Version, "block-map"), body: wire.SetBlockMap{BlockMap: string(in.Body), Trusted: in.Trusted},
		revision: in.Revision,
	})
}

// ListChannels lists an image's channels by name.
func (c *Client) ListChannels(ctx context.Context, image string) ([]api.Channel, error) {
	l, err := read[wire.Items[api.Channel]](ctx, c, at("images", image, "channels"), nil)
	return l.Items, err
}

// GetChannel returns a channel of an image by name.
func (c *Client) GetChannel(ctx context.Context, image, channel string) (api.Channel, error) {
	return read[api.Channel](ctx, c, at("images", image, "channels", channel), nil)
}

// SetChannel points a channel to a version, making it if needed.
func (c *Client) SetChannel(ctx context.Context, in api.SetChannelInput) (api.Channel, error) {
	return send[api.Channel](ctx, c, call{
		method: http.MethodPut, path: at("images", in.Image, "channels", in.Channel),
		body: wire.SetChannel{Version: in.Version}, revision: in.Revision,
	})
}
