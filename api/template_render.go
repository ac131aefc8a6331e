package api

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/unattend"
	"github.com/stickpress/stickpress/store"
)

// RenderInput is what an answer file is rendered for: the first stick of a job
// that is queued with these. What only that job would know (job_id, build_id,
// stick_id, image, version) may be given among the variables, and is empty
// otherwise.
type RenderInput struct {
	ExternalRef ExternalRef
	Holder      string
	Variables   map[string]string // computer_name may be a pattern
}

// Rendering is an answer file as a stick would get it. It may hold secrets.
type Rendering struct {
	TemplateID        string `json:"template_id,omitempty"`
	TemplateVersionID string `json:"template_version_id,omitempty"`
	Number            int    `json:"number,omitempty"` // of the version
	AnswerFile        string `json:"answer_file"`
}

// RenderTemplate renders the answer file of a template version, or with a
// template's ID or name of its current version (admin). Like TemplateSource it
// tells what the source says, and is in the audit log as that.
// Faults: template_not_found, template_version_not_found, those of RenderAnswer.
func (c *Console) RenderTemplate(ctx context.Context, a Actor, ref string, in RenderInput) (Rendering, error) {
	if err := allow(a, UseTemplateSource); err != nil {
		return Rendering{}, err
	}
	v, err := findTemplateVersion(ctx, c.store.Reader, ref)
	if err != nil {
		return Rendering{}, err
	}
	source, err := c.TemplateSource(ctx, a, v.ID.String())
	if err != nil {
		return Rendering{}, err
	}
	answer, err := RenderAnswer(source, in)
	return Rendering{TemplateID: v.TemplateID.String(), TemplateVersionID: v.ID.String(), Number: v.Number, AnswerFile: answer}, err
}

// RenderAnswer renders the source of a template. A variable that it does not ask
// for is a slip of the pen here (template_variable_unasked); a job may have some, for
// other templates. Other faults: what queuing the job
// would say of it: those of unattend.Parse and unattend.Render, of ComputerName,
// reference_system_invalid, text_too_long, variable_invalid.
func RenderAnswer(source string, in RenderInput) (string, error) {
	t, err := unattend.Parse([]byte(source))
	if err != nil {
		return "", err
	}
	wrong := []error{checkTexts("", in.ExternalRef, in.Holder, in.Variables)}
	asked := t.Variables()
	for _, name := range slices.Sorted(maps.Keys(in.Variables)) {
		if name != VariableComputerName && !slices.Contains(asked, name) { // a job knows that one itself
			wrong = append(wrong, fault.New(fault.KindInvalid, CodeVariableUnasked, "name", name, "known", cmp.Or(strings.Join(asked, ", "), "–")).At("variables."+name))
		}
	}
	_, reference := in.ExternalRef.split()
	b := store.Build{Reference: reference, Holder: strings.TrimSpace(in.Holder), Variables: maps.Clone(in.Variables)}
	name, err := ComputerName(in.Variables[VariableComputerName], 1, b.Reference, b.Holder)
	err = fault.RenamedTo(err, "variables."+VariableComputerName)
	if err := fault.All(append(wrong, err)...); err != nil {
		return "", err
	}
	if name != "" {
		b.Variables[VariableComputerName] = name
	}
	return render(t, variables(&store.Job{}, &b, "", ""))
}
