package api

import (
	"context"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/unattend"
	"github.com/stickpress/stickpress/store"
)

// Template is an unattend template; its source is in its versions.
type Template struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Current     TemplateVersion `json:"current"`
	CreatedAt   time.Time       `json:"created_at"`
	RetiredAt   *time.Time      `json:"retired_at,omitempty"` // no task sequence may take it any more
	Revision    int64           `json:"revision"`
}

// TemplateVersion is one saved source of a template. The source may hold
// passwords: it is sealed at rest and only TemplateSource returns it.
type TemplateVersion struct {
	ID         string `json:"id"`
	TemplateID string `json:"template_id"`
	Number     int    `json:"number"` // from 1
	// Variables that the source asks for and Warnings about it; not in lists.
	Variables []string  `json:"variables,omitempty"`
	Warnings  []Warning `json:"warnings,omitempty"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
}

// Warning is one remark of the answer-file lint; its sentence is in the
// catalogue under "lint.<code>".
type Warning = unattend.Warning

// SaveTemplateInput is a new template, or a new version of one.
type SaveTemplateInput struct {
	ID          string // empty for a new template
	Name        string
	Description string
	Source      string // unattend.xml with variables
	Revision    int64  // of the template as seen; 0 does not check
}

// ListTemplates lists templates by name. Faults: those of FieldInfo.Check.
func (c *Console) ListTemplates(ctx context.Context, a Actor, f ShelfFilter, p Page) (List[Template], error) {
	if err := allow(a, UseListTemplates); err != nil {
		return List[Template]{}, err
	}
	shelf, err := f.shelf(p)
	if err != nil {
		return List[Template]{}, err
	}
	rows, err := c.store.Templates(ctx, shelf)
	if err != nil {
		return List[Template]{}, err
	}
	n := c.names()
	return listOf(p, rows, func(t *store.Template) (Template, error) { return c.templateOf(ctx, n, *t, false) },
		func(t store.Template) string { return t.Name })
}

// GetTemplate returns a template by ID or name. Faults: template_not_found.
func (c *Console) GetTemplate(ctx context.Context, a Actor, ref string) (Template, error) {
	if err := allow(a, UseGetTemplate); err != nil {
		return Template{}, err
	}
	t, err := findTemplate(ctx, c.store.Reader, ref)
	if err != nil {
		return Template{}, err
	}
	return c.templateOf(ctx, c.names(), t, true)
}

// ListTemplateVersions lists a template's versions, newest first.
// Faults: template_not_found, cursor_invalid.
func (c *Console) ListTemplateVersions(ctx context.Context, a Actor, ref string, p Page) (List[TemplateVersion], error) {
	if err := allow(a, UseGetTemplate); err != nil {
		return List[TemplateVersion]{}, err
	}
	t, err := findTemplate(ctx, c.store.Reader, ref)
	if err != nil {
		return List[TemplateVersion]{}, err
	}
	rows, err := c.store.TemplateVersions(ctx, t.ID)
	if err != nil {
		return List[TemplateVersion]{}, err
	}
	n := c.names()
	return pieceOf(p, rows, func(v *store.TemplateVersion) (TemplateVersion, error) { return templateVersionOf(ctx, n, *v) },
		func(v store.TemplateVersion) string { return v.ID.String() })
}

// TemplateSource returns the source of a template version, or with a
// template's ID or name that of its current version (admin). It may hold
// secrets: who read it is in the audit log.
// Faults: template_not_found, template_version_not_found.
func (c *Console) TemplateSource(ctx context.Context, a Actor, ref string) (string, error) {
	if err := allow(a, UseTemplateSource); err != nil {
		return "", err
	}
	v, err := findTemplateVersion(ctx, c.store.Reader, ref)
	if err != nil {
		return "", err
	}
	var body []byte
	err = c.change(ctx, a, UseTemplateSource, func(tx *store.Tx, by store.Actor) error {
		if body, err = tx.TemplateBody(ctx, v.ID); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseTemplateSource), ObjectKind: "template", ObjectID: v.TemplateID.String(), After: map[string]any{"number": v.Number},
		})
	})
	return string(body), err
}

// CheckTemplate checks a source as SaveTemplate would and saves nothing
// (admin). Faults: those of unattend.Parse, such as template_malformed (line,
// column, detail).
func (c *Console) CheckTemplate(_ context.Context, a Actor, source string) ([]Warning, error) {
	if err := allow(a, UseCheckTemplate); err != nil {
		return nil, err
	}
	t, err := parseTemplate(source)
	if err != nil {
		return nil, err
	}
	return t.Lint(), nil
}

// SaveTemplate stores a new version (admin); the same source again stores
// none. Faults: those of CheckTemplate, name_invalid, name_taken,
// template_not_found, stale.
func (c *Console) SaveTemplate(ctx context.Context, a Actor, in SaveTemplateInput) (Template, error) {
	if err := allow(a, UseSaveTemplate); err != nil {
		return Template{}, err
	}
	name, wrongName := cleanName("template", in.Name)
	if wrongName == nil {
		other, err := c.store.TemplateByName(ctx, name)
		wrongName = unused("template", err, other.ID.String() == in.ID)
	}
	_, wrongSource := parseTemplate(in.Source)
	if err := fault.All(wrongName, wrongSource); err != nil {
		return Template{}, err
	}
	var id store.TemplateID
	err := c.change(ctx, a, UseSaveTemplate, func(tx *store.Tx, by store.Actor) error {
		old, t, err := c.ensureTemplate(ctx, tx, in, name)
		if err != nil {
			return err
		}
		id = t.ID
		before, err := tx.NewestTemplateVersion(ctx, t.ID)
		if err != nil && !isNotFound(err, "template_version") {
			return err
		}
		body, err := currentBody(ctx, tx.Reader, t.ID)
		if err != nil {
			return err
		}
		v := before
		if body != in.Source {
			if v, err = tx.AddTemplateVersion(ctx, t.ID, t.Revision, []byte(in.Source), by); err != nil {
				return err
			}
		} else if old.Name == t.Name && old.Description == t.Description {
			return nil
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveTemplate), ObjectKind: "template", ObjectID: t.ID.String(),
			Before: map[string]any{"name": old.Name, "description": old.Description, "number": before.Number},
			After:  map[string]any{"name": t.Name, "description": t.Description, "number": v.Number},
		})
	})
	if err != nil {
		return Template{}, err
	}
	return c.GetTemplate(ctx, a, id.String())
}

// ensureTemplate makes a new template or renames the one that is meant; it
// returns what it was before, too.
func (c *Console) ensureTemplate(ctx context.Context, tx *store.Tx, in SaveTemplateInput, name string) (old, t store.Template, err error) {
	if in.ID == "" {
		t, err = tx.CreateTemplate(ctx, name, strings.TrimSpace(in.Description))
		return old, t, err
	}
	id, err := parse[store.TemplateID]("template", in.ID)
	if err != nil {
		return old, t, err
	}
	if old, err = tx.Template(ctx, id); err != nil {
		return old, t, err
	}
	t, err = tx.UpdateTemplate(ctx, id, seen(in.Revision, old.Revision), name, strings.TrimSpace(in.Description))
	return old, t, err
}

// StarterTemplate is a source to begin a new template with.
func (c *Console) StarterTemplate() string { return string(unattend.Starter()) }

func parseTemplate(source string) (*unattend.Template, error) {
	t, err := unattend.Parse([]byte(source))
	if err != nil {
		return nil, fault.From(err).At("source")
	}
	return t, nil
}

// currentBody is a template's newest source, or "" where it has none yet.
func currentBody(ctx context.Context, r store.Reader, id store.TemplateID) (string, error) {
	v, err := r.NewestTemplateVersion(ctx, id)
	if isNotFound(err, "template_version") {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	body, err := r.TemplateBody(ctx, v.ID)
	return string(body), err
}

// findTemplate takes an ID or a name.
func findTemplate(ctx context.Context, r store.Reader, ref string) (store.Template, error) {
	if id, err := store.ParseID[store.TemplateID](ref); err == nil {
		return r.Template(ctx, id)
	}
	return r.TemplateByName(ctx, ref)
}

// findTemplateVersion takes the ID of a version, or a template's ID or name.
func findTemplateVersion(ctx context.Context, r store.Reader, ref string) (store.TemplateVersion, error) {
	if id, err := store.ParseID[store.TemplateVersionID](ref); err == nil {
		return r.TemplateVersion(ctx, id)
	}
	t, err := findTemplate(ctx, r, ref)
	if err != nil {
		return store.TemplateVersion{}, err
	}
	return r.NewestTemplateVersion(ctx, t.ID)
}

func (c *Console) templateOf(ctx context.Context, n *names, t store.Template, read bool) (Template, error) {
	out := Template{
		ID: t.ID.String(), Name: t.Name, Description: t.Description, CreatedAt: t.CreatedAt, RetiredAt: t.RetiredAt, Revision: t.Revision,
	}
	v, err := c.store.NewestTemplateVersion(ctx, t.ID)
	if err != nil {
		return Template{}, err
	}
	if out.Current, err = templateVersionOf(ctx, n, v); err != nil || !read {
		return out, err
	}
	body, err := c.store.TemplateBody(ctx, v.ID)
	if err != nil {
		return Template{}, err
	}
	parsed, err := unattend.Parse(body)
	if err != nil {
		return Template{}, err
	}
	out.Current.Variables, out.Current.Warnings = parsed.Variables(), parsed.Lint()
	return out, nil
}

func templateVersionOf(ctx context.Context, n *names, v store.TemplateVersion) (TemplateVersion, error) {
	by, err := n.actor(ctx, v.CreatedByKind, v.CreatedByID)
	return TemplateVersion{
		ID: v.ID.String(), TemplateID: v.TemplateID.String(), Number: v.Number, CreatedBy: by, CreatedAt: v.CreatedAt,
	}, err
}
