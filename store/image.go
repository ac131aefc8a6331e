package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Image is a named family of image versions.
type Image struct {
	ID          ImageID
	Name        string // unique: lower-case letters, digits, ".", "_", "-", at most 63
	Title       string
	Description string
	Revision    int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// ImageFields are what an image is made of.
type ImageFields struct {
	Name        string
	Title       string
	Description string
}

const imageColumns = `id, name, title, description, revision, created_at, updated_at`

// Image finds an image, or fails with image_not_found.
func (r Reader) Image(ctx context.Context, id ImageID) (Image, error) {
	return one[Image](ctx, r.db, "image", id,
		`SELECT `+imageColumns+` FROM images WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// ImageByName finds an image by its exact name.
func (r Reader) ImageByName(ctx context.Context, name string) (Image, error) {
	return one[Image](ctx, r.db, "image", name,
		`SELECT `+imageColumns+` FROM images WHERE name = @name`, pgx.NamedArgs{"name": name})
}

// Images lists images by name; search is held by the name or the title.
func (r Reader) Images(ctx context.Context, search string, page ByName) ([]Image, error) {
	var w where
	w.text("(name LIKE @search OR lower(title) LIKE @search)", "search", holding(search))
	return byName[Image](ctx, r, "images", "images", imageColumns, &w, page)
}

// CreateImage adds an image. A name in use is the fault name_taken.
func (tx *Tx) CreateImage(ctx context.Context, f ImageFields) (Image, error) {
	id, err := newID[imageKind](tx)
	if err != nil {
		return Image{}, err
	}
	return one[Image](ctx, tx.tx, "image", id,
		`INSERT INTO images (id, name, title, description, created_at, updated_at)
		VALUES (@id, @name, @title, @description, @at, @at)
		RETURNING `+imageColumns,
		pgx.NamedArgs{"id": id, "name": f.Name, "title": f.Title, "description": f.Description, "at": tx.at})
}
