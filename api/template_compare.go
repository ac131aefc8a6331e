package api

import (
	"context"
	"fmt"
	"strconv"

	"github.com/stickpress/stickpress/api/diff"
	"github.com/stickpress/stickpress/store"
)

// CompareTemplateInput names two versions of a template, each by its ID or its
// number.
type CompareTemplateInput struct {
	Template string // ID or name
	From     string // the older one; empty: the one before To, if there is one
	To       string // empty: the newest
}

// TemplateDiff is what differs between two versions of a template.
type TemplateDiff struct {
	From TemplateVersion `json:"from"`
	To   TemplateVersion `json:"to"`
	// Rows are both side by side, and Unified is the same as diff -u writes it;
	// none where nothing differs.
	Rows    []diff.Row `json:"rows"`
	Unified string     `json:"unified"`
}

// CompareTemplate compares two versions of a template (admin). Like TemplateSource
// it tells what the sources say, and the audit log has it of each that was read.
// Faults: template_not_found, template_version_not_found.
func (c *Console) CompareTemplate(ctx context.Context, a Actor, in CompareTemplateInput) (TemplateDiff, error) {
	if err := allow(a, UseTemplateSource); err != nil {
		return TemplateDiff{}, err
	}
	t, err := findTemplate(ctx, c.store.Reader, in.Template)
	if err != nil {
		return TemplateDiff{}, err
	}
	versions, err := c.store.TemplateVersions(ctx, t.ID)
	if err != nil {
		return TemplateDiff{}, err
	}
	from, to, err := chosen(versions, in)
	if err != nil {
		return TemplateDiff{}, err
	}
	var out TemplateDiff
	n := c.names()
	if out.From, err = templateVersionOf(ctx, n, from); err != nil {
		return TemplateDiff{}, err
	}
	if out.To, err = templateVersionOf(ctx, n, to); err != nil {
		return TemplateDiff{}, err
	}
	before, err := c.TemplateSource(ctx, a, out.From.ID)
	if err != nil {
		return TemplateDiff{}, err
	}
	after, err := c.TemplateSource(ctx, a, out.To.ID)
	if err != nil {
		return TemplateDiff{}, err
	}
	out.Rows = append([]diff.Row{}, diff.Lines(before, after)...)
	out.Unified = diff.Unified(out.From.Title(t.Name), out.To.Title(t.Name), out.Rows)
	return out, nil
}

// Title is what a version is called over a comparison.
func (v TemplateVersion) Title(template string) string {
	return fmt.Sprintf("%s version %d", template, v.Number)
}

// chosen finds both versions among those of a template, newest first.
func chosen(versions []store.TemplateVersion, in CompareTemplateInput) (from, to store.TemplateVersion, err error) {
	find := func(field, ref string, otherwise int) (int, error) {
		if ref == "" {
			return min(otherwise, len(versions)-1), nil
		}
		for i, v := range versions {
			if v.ID.String() == ref || strconv.Itoa(v.Number) == ref {
				return i, nil
			}
		}
		return 0, store.NotFound("template_version", ref).At(field)
	}
	newer, err := find("to", in.To, 0)
	if err != nil {
		return from, to, err
	}
	older, err := find("from", in.From, newer+1)
	if err != nil {
		return from, to, err
	}
	return versions[older], versions[newer], nil
}
