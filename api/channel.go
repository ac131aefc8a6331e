package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Channel is a named pointer of an image to a version.
type Channel struct {
	ImageID   string    `json:"image_id"`
	Name      string    `json:"name"` // "stable", "testing"
	VersionID string    `json:"version_id"`
	Version   string    `json:"version"`
	UpdatedAt time.Time `json:"updated_at"`
	Revision  int64     `json:"revision"`
}

// DefaultChannel is what a job uses when it names neither version nor channel.
const DefaultChannel = "stable"

// SetChannelInput points a channel to a version.
type SetChannelInput struct {
	Image    string // name or ID
	Channel  string // a name as of images
	Version  string // SemVer or ID of a published version of the image
	Revision int64  // of the channel as seen; 0 does not check, Absent wants a new one
}

// ListChannels lists an image's channels by name. Faults: image_not_found.
func (c *Console) ListChannels(ctx context.Context, a Actor, image string) ([]Channel, error) {
	if err := allow(a, UseGetImage); err != nil {
		return nil, err
	}
	i, err := findImage(ctx, c.store.Reader, image)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.Channels(ctx, i.ID)
	if err != nil {
		return nil, err
	}
	return channelsOf(ctx, c.store.Reader, rows)
}

// GetChannel returns a channel of an image by name.
// Faults: image_not_found, channel_not_found.
func (c *Console) GetChannel(ctx context.Context, a Actor, image, name string) (Channel, error) {
	if err := allow(a, UseGetImage); err != nil {
		return Channel{}, err
	}
	i, err := findImage(ctx, c.store.Reader, image)
	if err != nil {
		return Channel{}, err
	}
	row, err := c.store.ChannelByName(ctx, i.ID, name)
	if err != nil {
		return Channel{}, err
	}
	views, err := channelsOf(ctx, c.store.Reader, []store.Channel{row})
	if err != nil {
		return Channel{}, err
	}
	return views[0], nil
}

// SetChannel points a channel to a version, making it if needed (admin).
// Faults: image_not_found, image_version_not_found, version_withdrawn,
// name_invalid, stale.
func (c *Console) SetChannel(ctx context.Context, a Actor, in SetChannelInput) (Channel, error) {
	var out Channel
	err := c.change(ctx, a, UseSetChannel, func(tx *store.Tx, by store.Actor) error {
		image, err := findImage(ctx, tx.Reader, in.Image)
		if err != nil {
			return err
		}
		if in.Version == "" {
			return store.NotFound("image_version", "")
		}
		v, err := findVersion(ctx, &names{r: tx.Reader}, in.Image, in.Version, "")
		if err != nil {
			return err
		}
		if v.State == store.VersionWithdrawn {
			return errWithdrawn(v)
		}
		ch, err := setChannel(ctx, tx, by, image.ID, in.Channel, v.ID, in.Revision)
		if err != nil {
			return err
		}
		views, err := channelsOf(ctx, tx.Reader, []store.Channel{ch})
		if err != nil {
			return err
		}
		out = views[0]
		return nil
	})
	return out, err
}

func errWithdrawn(v store.Version) error {
	return fault.New(fault.KindConflict, store.CodeVersionWithdrawn, "version", v.Version).At("version")
}

func setChannel(ctx context.Context, tx *store.Tx, by store.Actor, image store.ImageID, name string, v store.VersionID, revision int64) (store.Channel, error) {
	ch, err := tx.ChannelByName(ctx, image, name)
	before := ch.ImageVersionID
	switch {
	case isNotFound(err, "channel") && revision > 0:
		return ch, fault.New(fault.KindStale, store.CodeStale, "kind", "channel", "id", name)
	case isNotFound(err, "channel"):
		ch, err = tx.CreateChannel(ctx, image, name, v)
		err = fault.RenamedTo(err, "channel")
	case err == nil:
		ch, err = tx.PointChannel(ctx, ch.ID, seen(revision, ch.Revision), v)
	}
	if err == nil {
		err = tx.Supersede(ctx, before, v)
	}
	var was, is string
	if err == nil {
		was, err = versionNumber(ctx, tx, before)
	}
	if err == nil {
		is, err = versionNumber(ctx, tx, v)
	}
	if err != nil {
		return ch, err
	}
	return ch, tx.Audit(ctx, store.NewAudit{
		By: by, Action: string(UseSetChannel), ObjectKind: "channel", ObjectID: ch.ID.String(),
		Before: map[string]string{"version_id": before.String(), "version": was},
		After:  map[string]string{"image_id": image.String(), "name": ch.Name, "version_id": v.String(), "version": is},
	})
}

// versionNumber is the SemVer of a version; empty for none.
func versionNumber(ctx context.Context, tx *store.Tx, id store.VersionID) (string, error) {
	if id.IsZero() {
		return "", nil
	}
	v, err := tx.Version(ctx, id)
	return v.Version, err
}

func channelsOf(ctx context.Context, r store.Reader, rows []store.Channel) ([]Channel, error) {
	ids := make([]store.VersionID, 0, len(rows))
	for _, ch := range rows {
		ids = append(ids, ch.ImageVersionID)
	}
	versions, err := r.VersionsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	number := map[store.VersionID]string{}
	for _, v := range versions {
		number[v.ID] = v.Version
	}
	out := make([]Channel, 0, len(rows))
	for _, ch := range rows {
		out = append(out, Channel{
			ImageID: ch.ImageID.String(), Name: ch.Name, VersionID: ch.ImageVersionID.String(), Version: number[ch.ImageVersionID],
			UpdatedAt: ch.UpdatedAt, Revision: ch.Revision,
		})
	}
	return out, nil
}
