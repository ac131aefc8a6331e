package rest

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) versionRoutes() {
	list(s, get("/versions", "list_versions", "versions", "Image versions, newest first"), api.VersionFields, s.console.ListVersions)

	s.publishVersion()

	type one struct {
		Version string `path:"version" doc:"ID of a version."`
	}
	register(s, get("/versions/{version}", "get_version", "versions", "An image version"),
		func(ctx context.Context, a api.Actor, in *one) (*found[api.Version], error) {
			v, err := s.console.GetVersion(ctx, a, in.Version)
			return foundOf(v, v.Revision, err)
		})

	type ofImage struct {
		Image   string `path:"image" doc:"Name or ID of an image."`
		Version string `path:"version" doc:"SemVer, or ID of a version."`
	}
	register(s, get("/images/{image}/versions/{version}", "find_version", "images", "An image's version by its number"),
		func(ctx context.Context, a api.Actor, in *ofImage) (*found[api.Version], error) {
			v, err := s.console.FindVersion(ctx, a, in.Image, in.Version, "")
			return foundOf(v, v.Revision, err)
		})

	type withdraw struct {
		MayMatch
		Version string `path:"version" doc:"ID of a version."`
		Body    *wire.Reason
	}
	op := action("/versions/{version}/withdrawals", "withdraw_version", "versions", "Stop a version from being used in new jobs")
	register(s, op, func(ctx context.Context, a api.Actor, in *withdraw) (*found[api.Version], error) {
		v, err := s.console.WithdrawVersion(ctx, a, api.WithdrawVersionInput{
			ID: in.Version, Reason: reasonOf(in.Body), Revision: in.revision,
		})
		return foundOf(v, v.Revision, err)
	})
}

// publishVersion answers at once with the version, or, where the upload is still
// being inspected, with the upload, which says what becomes of it.
func (s *REST) publishVersion() {
	type input struct{ Body wire.PublishVersion }
	type output struct {
		Status     int
		Location   string `header:"Location" doc:"Where the version is, or the upload that it is made of."`
		RetryAfter string `header:"Retry-After" doc:"Of 202: seconds until it is worth while to look there."`
		ETag       string `header:"ETag" doc:"Of 201: for If-Match."`
		Body       any
	}
	op := create("/versions", "publish_version", "versions", "Make an uploaded file a version of an image")
	op.Description = "An upload that is still being inspected is published as soon as it is found to be good: 202, and GET /uploads/{upload} " +
		"says in 'publication' which version it became, or why none. A file that turns out to be no image is refused there."
	op.Responses = map[string]*huma.Response{
		"201": {Description: "The version", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[api.Version](s)}}},
		"202": {
			Description: "The upload, which is still being inspected", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[api.Upload](s)}},
			Headers: map[string]*huma.Param{
				"Location":    {Schema: &huma.Schema{Type: huma.TypeString}, Description: "The upload."},
				"Retry-After": {Schema: &huma.Schema{Type: huma.TypeInteger}, Description: "Seconds until it is worth while to look there."},
			},
		},
	}
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*output, error) {
		v, waits, err := s.console.Publish(ctx, a, api.PublishVersionInput(in.Body))
		if err != nil {
			return nil, err
		}
		if waits == nil {
			return &output{Status: http.StatusCreated, Location: Prefix + "/versions/" + v.ID, ETag: etag(v.Revision), Body: v}, nil
		}
		up, err := s.console.GetUpload(ctx, a, in.Body.UploadID)
		return &output{
			Status: http.StatusAccepted, Location: UploadPath + in.Body.UploadID, RetryAfter: strconv.Itoa(lookAgain), Body: up,
		}, err
	})
}

func (s *REST) blockMapRoutes() {
	type set struct {
		Match
		Version string `path:"version" doc:"ID of a version."`
		Body    wire.SetBlockMap
	}
	register(s, put("/versions/{version}/block-map", "set_block_map", "versions", "Give a disk image a block map, or trust the one that it has"),
		func(ctx context.Context, a api.Actor, in *set) (*found[api.Version], error) {
			v, err := s.console.SetBlockMap(ctx, a, api.SetBlockMapInput{
				Version: in.Version, Body: []byte(in.Body.BlockMap), Trusted: in.Body.Trusted, Revision: in.revision,
			})
			return foundOf(v, v.Revision, err)
		})
}

// reasonOf returns a reason, which may be left out with the whole body.
func reasonOf(b *wire.Reason) string {
	if b == nil {
		return ""
	}
	return b.Reason
}
