package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Template is an unattend template: a name for a line of versions.
type Template struct {
	ID          TemplateID
	Name        string // unique whatever its case
	Description string
	Revision    int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
	RetiredAt   *time.Time // no task sequence may take it any more
}

// TemplateVersion is one immutable text of a template. The XML may hold
// passwords: it is sealed at rest and read with TemplateBody alone.
type TemplateVersion struct {
	ID            TemplateVersionID
	TemplateID    TemplateID
	Number        int // from 1
	CreatedAt     time.Time
	CreatedByKind ActorKind
	CreatedByID   ActorID
}

const (
	templateColumns        = `id, name, description, revision, created_at, updated_at, retired_at`
	templateVersionColumns = `id, template_id, number, created_at, created_by_kind, created_by_id`
)

// Template finds a template, or fails with template_not_found.
func (r Reader) Template(ctx context.Context, id TemplateID) (Template, error) {
	return one[Template](ctx, r.db, "template", id,
		`SELECT `+templateColumns+` FROM unattend_templates WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// TemplateByName finds a template by its name, whatever its case.
func (r Reader) TemplateByName(ctx context.Context, name string) (Template, error) {
	return one[Template](ctx, r.db, "template", name,
		`SELECT `+templateColumns+` FROM unattend_templates WHERE lower(name) = lower(@name)`,
		pgx.NamedArgs{"name": name})
}

// Templates lists templates by name.
func (r Reader) Templates(ctx context.Context, s Shelf) ([]Template, error) {
	return byName[Template](ctx, r, "templates", "unattend_templates", templateColumns, s.where(), s.Page)
}

// RetireTemplate takes a template out of use, or back into it; a stale
// revision is the fault stale.
func (tx *Tx) RetireTemplate(ctx context.Context, id TemplateID, revision int64, retired bool) (Template, error) {
	return retire[Template](ctx, tx, "unattend_templates", "template", id, templateColumns, revision, retired)
}

// CreateTemplate adds a template without a version. A name in use is the fault
// name_taken.
func (tx *Tx) CreateTemplate(ctx context.Context, name, description string) (Template, error) {
	id, err := newID[templateKind](tx)
	if err != nil {
		return Template{}, err
	}
	return one[Template](ctx, tx.tx, "template", id,
		`INSERT INTO unattend_templates (id, name, description, created_at, updated_at)
		VALUES (@id, @name, @description, @at, @at)
		RETURNING `+templateColumns, pgx.NamedArgs{"id": id, "name": name, "description": description, "at": tx.at})
}

// UpdateTemplate renames a template; a stale revision is the fault stale.
func (tx *Tx) UpdateTemplate(ctx context.Context, id TemplateID, revision int64, name, description string) (Template, error) {
	return changed[Template](ctx, tx.tx, "unattend_templates", "template", id,
		`UPDATE unattend_templates SET name = @name, description = @description, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+templateColumns,
		pgx.NamedArgs{"id": id, "revision": revision, "name": name, "description": description, "at": tx.at})
}

// TemplateVersion finds a version, or fails with template_version_not_found.
func (r Reader) TemplateVersion(ctx context.Context, id TemplateVersionID) (TemplateVersion, error) {
	return one[TemplateVersion](ctx, r.db, "template_version", id,
		`SELECT `+templateVersionColumns+` FROM unattend_template_versions WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// TemplateVersions lists all versions of a template, newest first.
func (r Reader) TemplateVersions(ctx context.Context, id TemplateID) ([]TemplateVersion, error) {
	return many[TemplateVersion](ctx, r.db, "template versions",
		`SELECT `+templateVersionColumns+` FROM unattend_template_versions
		WHERE template_id = @id ORDER BY number DESC`, pgx.NamedArgs{"id": id})
}

// NewestTemplateVersion finds a template's newest version; a template without
// one fails with template_version_not_found.
func (r Reader) NewestTemplateVersion(ctx context.Context, id TemplateID) (TemplateVersion, error) {
	return one[TemplateVersion](ctx, r.db, "template_version", id,
		`SELECT `+templateVersionColumns+` FROM unattend_template_versions
		WHERE template_id = @id ORDER BY number DESC LIMIT 1`, pgx.NamedArgs{"id": id})
}

// TemplateBody unseals the text of a version.
func (r Reader) TemplateBody(ctx context.Context, id TemplateVersionID) ([]byte, error) {
	sealed, err := one[sealedTemplate](ctx, r.db, "template_version", id, sealedTemplates+`@id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, err
	}
	return sealed.open(r.keys)
}

// sealedTemplate is the source of a version as it is kept.
type sealedTemplate struct {
	ID        TemplateVersionID
	Body      []byte
	BodyKeyID string
}

const sealedTemplates = `SELECT id, body, body_key_id FROM unattend_template_versions WHERE id = `

func (t *sealedTemplate) open(keys *Keyring) ([]byte, error) {
	return keys.Open(Sealed{KeyID: t.BodyKeyID, Box: t.Body}, templateSeal(t.ID))
}

func templateSeal(id TemplateVersionID) string { return "unattend_template_versions " + id.String() }

// AddTemplateVersion adds the next version of a template and raises the
// template's revision; a stale one is the fault stale.
func (tx *Tx) AddTemplateVersion(ctx context.Context, id TemplateID, revision int64, body []byte, by Actor) (TemplateVersion, error) {
	// The update locks the template: numbers have no gap and no race.
	_, err := changed[Template](ctx, tx.tx, "unattend_templates", "template", id,
		`UPDATE unattend_templates SET revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+templateColumns, pgx.NamedArgs{"id": id, "revision": revision, "at": tx.at})
	if err != nil {
		return TemplateVersion{}, err
	}
	version, err := newID[templateVersionKind](tx)
	if err != nil {
		return TemplateVersion{}, err
	}
	sealed, err := tx.keys.Seal(body, templateSeal(version))
	if err != nil {
		return TemplateVersion{}, err
	}
	return one[TemplateVersion](ctx, tx.tx, "template_version", version,
		`INSERT INTO unattend_template_versions
			(id, template_id, number, body, body_key_id, created_at, created_by_kind, created_by_id)
		SELECT @id, @template_id, coalesce(max(number), 0) + 1, @body, @key, @at, @by_kind, @by_id
		FROM unattend_template_versions WHERE template_id = @template_id
		RETURNING `+templateVersionColumns, pgx.NamedArgs{
			"id": version, "template_id": id, "body": sealed.Box, "key": sealed.KeyID,
			"at": tx.at, "by_kind": by.Kind, "by_id": by.ID,
		})
}
