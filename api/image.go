package api

import (
	"context"
	"strings"
	"time"

	"github.com/stickpress/stickpress/store"
)

// Image is a named family of versions.
type Image struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"` // "win11-ent"
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Latest      *Version  `json:"latest,omitempty"` // newest that is not withdrawn
	Channels    []Channel `json:"channels"`
	CreatedAt   time.Time `json:"created_at"`
	Revision    int64     `json:"revision"`
}

// CreateImageInput describes a new image.
type CreateImageInput struct {
	Name        string // 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit
	Title       string
	Description string
}

// ImageFilter narrows ListImages; empty fields do not.
type ImageFilter struct {
	Search string // what its name or title holds, whatever its case
}

// ImageFields are the fields of an ImageFilter.
var ImageFields = []Field[ImageFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "What its name or title holds, whatever its case."}, func(f *ImageFilter) *string { return &f.Search }},
}

// ListImages lists images by name, with their newest versions and channels.
// Faults: those of FieldInfo.Check.
func (c *Console) ListImages(ctx context.Context, a Actor, f ImageFilter, p Page) (List[Image], error) {
	if err := allow(a, UseListImages); err != nil {
		return List[Image]{}, err
	}
	if err := checkFilter(ImageFields, &f); err != nil {
		return List[Image]{}, err
	}
	rows, err := c.store.Images(ctx, f.Search, p.byName())
	if err != nil {
		return List[Image]{}, err
	}
	return listOf(p, rows, func(i *store.Image) (Image, error) { return c.imageOf(ctx, c.store.Reader, *i) },
		func(i store.Image) string { return i.Name })
}

// GetImage returns an image by ID or name. Faults: image_not_found.
func (c *Console) GetImage(ctx context.Context, a Actor, ref string) (Image, error) {
	if err := allow(a, UseGetImage); err != nil {
		return Image{}, err
	}
	i, err := findImage(ctx, c.store.Reader, ref)
	if err != nil {
		return Image{}, err
	}
	return c.imageOf(ctx, c.store.Reader, i)
}

// CreateImage makes an image without versions (admin).
// Faults: name_invalid, name_taken.
func (c *Console) CreateImage(ctx context.Context, a Actor, in CreateImageInput) (Image, error) {
	var out Image
	err := c.change(ctx, a, UseCreateImage, func(tx *store.Tx, by store.Actor) error {
		i, err := createImage(ctx, tx, by, UseCreateImage, store.ImageFields{
			Name: in.Name, Title: strings.TrimSpace(in.Title), Description: strings.TrimSpace(in.Description),
		})
		if err != nil {
			return err
		}
		out, err = c.imageOf(ctx, tx.Reader, i)
		return err
	})
	return out, err
}

func createImage(ctx context.Context, tx *store.Tx, by store.Actor, u UseCase, f store.ImageFields) (store.Image, error) {
	if f.Title == "" {
		f.Title = f.Name
	}
	i, err := tx.CreateImage(ctx, f)
	if err != nil {
		return i, err
	}
	return i, tx.Audit(ctx, store.NewAudit{By: by, Action: string(u), ObjectKind: "image", ObjectID: i.ID.String(), After: f})
}

// findImage takes an ID or a name.
func findImage(ctx context.Context, r store.Reader, ref string) (store.Image, error) {
	if id, err := store.ParseID[store.ImageID](ref); err == nil {
		return r.Image(ctx, id)
	}
	return r.ImageByName(ctx, ref)
}

// imageOf adds to an image what a page shows beside it.
func (c *Console) imageOf(ctx context.Context, r store.Reader, i store.Image) (Image, error) {
	out := Image{
		ID: i.ID.String(), Name: i.Name, Title: i.Title, Description: i.Description,
		CreatedAt: i.CreatedAt, Revision: i.Revision,
	}
	channels, err := r.Channels(ctx, i.ID)
	if err != nil {
		return Image{}, err
	}
	if out.Channels, err = channelsOf(ctx, r, channels); err != nil {
		return Image{}, err
	}
	versions, err := r.Versions(ctx, store.VersionFilter{ImageID: i.ID, Page: store.VersionPage{Limit: MaxPage}})
	if err != nil {
		return Image{}, err
	}
	for _, v := range versions {
		if v.State == store.VersionWithdrawn {
			continue
		}
		latest, err := versionsOf(ctx, r, []store.Version{v})
		if err != nil {
			return Image{}, err
		}
		out.Latest = &latest[0]
		break
	}
	return out, nil
}
