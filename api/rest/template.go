package rest

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// templateInput is a request about one template.
type templateInput struct {
	Template string `path:"template" doc:"ID or name of an unattend template."`
}

func (s *REST) templateRoutes() {
	list(s, get("/templates", "list_templates", "templates", "Unattend templates by name"), api.ShelfFields, s.console.ListTemplates)

	register(s, get("/templates/{template}", "get_template", "templates", "An unattend template, without its source"),
		func(ctx context.Context, a api.Actor, in *templateInput) (*found[api.Template], error) {
			t, err := s.console.GetTemplate(ctx, a, in.Template)
			return foundOf(t, t.Revision, err)
		})

	type versions struct {
		Paging
		Template string `path:"template" doc:"ID or name of an unattend template."`
	}
	register(s, get("/templates/{template}/versions", "list_template_versions", "templates", "A template's versions, newest first"),
		func(ctx context.Context, a api.Actor, in *versions) (*listed[api.TemplateVersion], error) {
			l, err := s.console.ListTemplateVersions(ctx, a, in.Template, in.page())
			return pageOf(&in.Paging, l, err)
		})

	s.templateSource()
	s.renderTemplate()
	s.compareTemplate()
	s.checkTemplate()
	s.saveTemplate()
}

func (s *REST) templateSource() {
	type input struct {
		Template string `path:"template" doc:"ID or name of a template, or ID of a template version."`
	}
	type output struct {
		Type string `header:"Content-Type"`
		Body []byte
	}
	op := get("/templates/{template}/source", "template_source", "templates", "The XML of a template (admin: it may hold passwords)")
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The source as it was saved",
		Content:     map[string]*huma.MediaType{"application/xml": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*output, error) {
		source, err := s.console.TemplateSource(ctx, a, in.Template)
		if err != nil {
			return nil, err
		}
		return &output{Type: "application/xml", Body: []byte(source)}, nil
	})
}

func (s *REST) renderTemplate() {
	type input struct {
		Template string `path:"template" doc:"ID or name of a template, or ID of a template version."`
		Body     wire.RenderTemplate
	}
	op := secret(action("/templates/{template}/renderings", "render_template", "templates", "The answer file that a stick would get"), "answer_file")
	op.Description = "As of the first stick of a job that is queued with the same; what that would be refused for is refused here. Nothing is queued."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*plain[api.Rendering], error) {
		return plainOf(s.console.RenderTemplate(ctx, a, in.Template, api.RenderInput(in.Body)))
	})
}

func (s *REST) compareTemplate() {
	type input struct {
		Template string `path:"template" doc:"ID or name of an unattend template."`
		From     string `query:"from" doc:"ID or number of the older version; the one before 'to' if left out, or that itself where it is the first."`
		To       string `query:"to" doc:"ID or number of the newer version; the newest if left out."`
	}
	op := get("/templates/{template}/comparison", "compare_template", "templates", "What differs between two versions of a template")
	op.Description = "Side by side in 'rows', where 0 is the number of a line that only the other version has, and in 'unified' as diff -u writes it. How lines end does not matter."
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*plain[api.TemplateDiff], error) {
		return plainOf(s.console.CompareTemplate(ctx, a, api.CompareTemplateInput{Template: in.Template, From: in.From, To: in.To}))
	})
}

func (s *REST) checkTemplate() {
	type input struct{ Body wire.CheckTemplate }
	op := action("/template-checks", "check_template", "templates", "Check a source without saving it")
	op.MaxBodyBytes = maxTemplate
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*whole[api.Warning], error) {
		return itemsOf(s.console.CheckTemplate(ctx, a, in.Body.Source))
	})
}

func (s *REST) saveTemplate() {
	type input struct{ Body wire.SaveTemplate }
	op := create("/templates", "create_template", "templates", "Save a new template")
	op.MaxBodyBytes = maxTemplate
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*made[api.Template], error) {
		t, err := s.console.SaveTemplate(ctx, a, api.SaveTemplateInput{
			Name: in.Body.Name, Description: in.Body.Description, Source: in.Body.Source,
		})
		return madeOf(t, "/templates/"+t.ID, t.Revision, err)
	})

	type change struct {
		Match
		Template string `path:"template" doc:"ID or name of an unattend template."`
		Body     wire.SaveTemplate
	}
	op = put("/templates/{template}", "save_template", "templates", "Save a new version of a template")
	op.MaxBodyBytes = maxTemplate
	register(s, op, func(ctx context.Context, a api.Actor, in *change) (*found[api.Template], error) {
		t, err := s.console.GetTemplate(ctx, a, in.Template)
		if err != nil {
			return nil, err
		}
		t, err = s.console.SaveTemplate(ctx, a, api.SaveTemplateInput{
			ID: t.ID, Name: in.Body.Name, Description: in.Body.Description, Source: in.Body.Source, Revision: in.revision,
		})
		return foundOf(t, t.Revision, err)
	})
}
