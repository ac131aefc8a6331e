package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) versionRoutes() {
	list(s, get("/versions", "list_versions", "versions", "Image versions, newest first"), api.VersionFields, s.console.ListVersions)

	type publish struct{ Body wire.PublishVersion }
	op := create("/versions", "publish_version", "versions", "Make an uploaded file a version of an image (admin)")
	register(s, op, func(ctx context.Context, a api.Actor, in *publish) (*made[api.Version], error) {
		v, err := s.console.PublishVersion(ctx, a, api.PublishVersionInput(in.Body))
		return madeOf(v, "/versions/"+v.ID, v.Revision, err)
	})

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
	op = action("/versions/{version}/withdrawals", "withdraw_version", "versions", "Stop a version from being used in new jobs (admin)")
	register(s, op, func(ctx context.Context, a api.Actor, in *withdraw) (*found[api.Version], error) {
		v, err := s.console.WithdrawVersion(ctx, a, api.WithdrawVersionInput{
			ID: in.Version, Reason: reasonOf(in.Body), Revision: in.revision,
		})
		return foundOf(v, v.Revision, err)
	})
}

func (s *REST) blockMapRoutes() {
	type set struct {
		Match
		Version string `path:"version" doc:"ID of a version."`
		Body    wire.SetBlockMap
	}
	register(s, put("/versions/{version}/block-map", "set_block_map", "versions", "Give a disk image a block map, or trust the one that it has (admin)"),
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
