package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// ListTemplates lists unattend templates by name.
func (c *Client) ListTemplates(ctx context.Context, f api.ShelfFilter, p api.Page) (api.List[api.Template], error) {
	return read[api.List[api.Template]](ctx, c, at("templates"), narrowed(api.ShelfFields, f, p))
}

// GetTemplate returns a template by ID or name.
func (c *Client) GetTemplate(ctx context.Context, ref string) (api.Template, error) {
	return read[api.Template](ctx, c, at("templates", ref), nil)
}

// ListTemplateVersions lists a template's versions, newest first.
func (c *Client) ListTemplateVersions(ctx context.Context, ref string, p api.Page) (api.List[api.TemplateVersion], error) {
	return read[api.List[api.TemplateVersion]](ctx, c, at("templates", ref, "versions"), query(p))
}

// TemplateSource returns the source of a template version, or with a
// template's ID or name that of its current version.
func (c *Client) TemplateSource(ctx context.Context, ref string) (string, error) {
	return read[string](ctx, c, at("templates", ref, "source"), nil)
}

// RenderTemplate renders the answer file of a template version, or with a
// template's ID or name of its current version.
func (c *Client) RenderTemplate(ctx context.Context, ref string, in api.RenderInput) (api.Rendering, error) {
	return send[api.Rendering](ctx, c, call{method: http.MethodPost, path: at("templates", ref, "renderings"), body: wire.RenderTemplate(in), look: true})
}

// CompareTemplate compares two versions of a template.
func (c *Client) CompareTemplate(ctx context.Context, in api.CompareTemplateInput) (api.TemplateDiff, error) {
	q := url.Values{}
	for name, value := range map[string]string{"from": in.From, "to": in.To} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return read[api.TemplateDiff](ctx, c, at("templates", in.Template, "comparison"), q)
}

// CheckTemplate checks a source as SaveTemplate would and saves nothing.
func (c *Client) CheckTemplate(ctx context.Context, source string) ([]api.Warning, error) {
	l, err := send[wire.Items[api.Warning]](ctx, c, call{
		method: http.MethodPost, path: at("template-checks"), body: wire.CheckTemplate{Source: source}, look: true,
	})
	return l.Items, err
}

// SaveTemplate stores a new template, or with an ID a new version of one.
func (c *Client) SaveTemplate(ctx context.Context, in api.SaveTemplateInput) (api.Template, error) {
	return send[api.Template](ctx, c, save("templates", in.ID, in.Revision, wire.SaveTemplate{
		Name: in.Name, Description: in.Description, Source: in.Source,
	}))
}

// save posts a new thing, or puts a new version of one.
func save(kind, id string, revision int64, body any) call {
	if id == "" {
		return call{method: http.MethodPost, path: at(kind), body: body}
	}
	return call{method: http.MethodPut, path: at(kind, id), body: body, revision: revision}
}

// ListTaskSequences lists task sequences by name.
func (c *Client) ListTaskSequences(ctx context.Context, f api.ShelfFilter, p api.Page) (api.List[api.TaskSequence], error) {
	return read[api.List[api.TaskSequence]](ctx, c, at("task-sequences"), narrowed(api.ShelfFields, f, p))
}

// GetTaskSequence returns one by ID or name; an empty ref means the default.
func (c *Client) GetTaskSequence(ctx context.Context, ref string) (api.TaskSequence, error) {
	path := at("task-sequences", ref)
	if ref == "" {
		path = at("default-task-sequence")
	}
	return read[api.TaskSequence](ctx, c, path, nil)
}

// SaveTaskSequence stores a new task sequence, or with an ID a new version of
// one.
func (c *Client) SaveTaskSequence(ctx context.Context, in api.SaveTaskSequenceInput) (api.TaskSequence, error) {
	return send[api.TaskSequence](ctx, c, save("task-sequences", in.ID, in.Revision, wire.SaveTaskSequence{
		Name: in.Name, Description: in.Description, Spec: in.Spec, Template: in.Template,
	}))
}
