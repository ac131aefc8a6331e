package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Channel is a name within an image ("stable") that points at one version. A
// job resolves it when it is queued.
type Channel struct {
	ID             ChannelID
	ImageID        ImageID
	Name           string
	ImageVersionID VersionID
	Revision       int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

const channelColumns = `id, image_id, name, image_version_id, revision, created_at, updated_at`

// ChannelByName finds a channel of an image.
func (r Reader) ChannelByName(ctx context.Context, image ImageID, name string) (Channel, error) {
	return one[Channel](ctx, r.db, "channel", name,
		`SELECT `+channelColumns+` FROM channels WHERE image_id = @image_id AND name = @name`,
		pgx.NamedArgs{"image_id": image, "name": name})
}

// Resolved is what a channel means now.
type Resolved struct {
	Image   Image
	Channel Channel
	Version Version
}

// ResolveChannel finds the version to which a channel of an image points; the
// image is named by its ID or its name. Faults: image_not_found,
// channel_not_found.
func (r Reader) ResolveChannel(ctx context.Context, image, channel string) (Resolved, error) {
	q := r.Questions()
	resolved := q.Channel(image, channel)
	if err := q.Ask(ctx); err != nil {
		return Resolved{}, err
	}
	return resolved()
}

// Channel asks as ResolveChannel does.
func (q *Questions) Channel(image, channel string) func() (Resolved, error) {
	called, args := `name = @image`, pgx.NamedArgs{"image": image, "channel": channel}
	if id, err := ParseID[ImageID](image); err == nil {
		called, args["image"] = `id = @image`, id
	}
	named := ` FROM channels WHERE name = @channel AND image_id = (SELECT id FROM images WHERE ` + called + `)`
	images := ask[Image](q, `SELECT `+imageColumns+` FROM images WHERE `+called, args)
	channels := ask[Channel](q, `SELECT `+channelColumns+named, args)
	versions := ask[Version](q, `SELECT `+versionColumns+` FROM image_versions WHERE id = (SELECT image_version_id`+named+`)`, args)
	return func() (found Resolved, err error) {
		if found.Image, err = images.one("image", image); err != nil {
			return found, err
		}
		if found.Channel, err = channels.one("channel", channel); err != nil {
			return found, err
		}
		found.Version, err = versions.one("image_version", found.Channel.ImageVersionID)
		return found, err
	}
}

// Channels lists the channels of the images by name; no images lists all.
func (r Reader) Channels(ctx context.Context, images ...ImageID) ([]Channel, error) {
	return many[Channel](ctx, r.db, "channels",
		`SELECT `+channelColumns+` FROM channels
		WHERE cardinality(@images::uuid[]) = 0 OR image_id = ANY (@images)
		ORDER BY image_id, name`, pgx.NamedArgs{"images": append([]ImageID{}, images...)})
}

// CreateChannel adds a channel. A name in use within the image is the fault
// name_taken, a version of another image version_not_of_image.
func (tx *Tx) CreateChannel(ctx context.Context, image ImageID, name string, version VersionID) (Channel, error) {
	id, err := newID[channelKind](tx)
	if err != nil {
		return Channel{}, err
	}
	return one[Channel](ctx, tx.tx, "channel", id,
		`INSERT INTO channels (id, image_id, name, image_version_id, created_at, updated_at)
		VALUES (@id, @image_id, @name, @version, @at, @at)
		RETURNING `+channelColumns,
		pgx.NamedArgs{"id": id, "image_id": image, "name": name, "version": version, "at": tx.at})
}

// PointChannel makes a channel mean another version; a stale revision is the
// fault stale.
func (tx *Tx) PointChannel(ctx context.Context, id ChannelID, revision int64, version VersionID) (Channel, error) {
	return changed[Channel](ctx, tx.tx, "channels", "channel", id,
		`UPDATE channels SET image_version_id = @version, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+channelColumns, pgx.NamedArgs{"id": id, "revision": revision, "version": version, "at": tx.at})
}
