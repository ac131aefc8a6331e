package view

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// FieldBefore is the field of a form that names an earlier job, of which it
// keeps what the form does not ask for: programs can tell a press its layout,
// its edition and variables.
const FieldBefore = "as_before"

// fieldsOf are the fields of a form that repeats a job.
func fieldsOf(j *api.Job) map[string]string {
	fields := optionFields(&j.Options)
	if j.Kind == protocol.JobPress {
		fields[FieldBefore] = j.ID
	}
	return fields
}

// spec is the layout and the edition that will be pressed: the chosen task
// sequence's, or those of the job that is repeated.
func (p NewJob) spec() (layout string, edition int) {
	if p.Before != nil {
		return p.Before.Layout, p.Before.Edition
	}
	if q, ok := p.sequence(); ok {
		return q.Current.Spec.Layout, q.Current.Spec.Edition
	}
	return "", 0
}

// VariablesBefore are the variables of a stick of the job that is repeated, as
// far as the form does not ask for them: the stick's own, or the job's for a
// stick that was not in it.
func (p NewJob) VariablesBefore(id protocol.Identity) map[string]string {
	if p.Before == nil {
		return nil
	}
	vars := p.Before.Variables
	for _, b := range p.Before.Builds {
		if b.Identity == id {
			vars = b.Variables
		}
	}
	vars = maps.Clone(vars)
	delete(vars, api.VariableComputerName)
	return vars
}

// beforeWords says what is kept of the job that is repeated; "" where that is
// what the form would do anyway. Of variables the names have to do.
func (p NewJob) beforeWords(f Frame) string {
	if p.Before == nil {
		return ""
	}
	var parts []string
	q, ok := p.sequence()
	if layout, edition := p.spec(); ok {
		if layout != q.Current.Spec.Layout {
			parts = append(parts, f.T("sequence.layout_"+layout))
		}
		if edition != q.Current.Spec.Edition {
			parts = append(parts, f.T("edition.one")+" "+strconv.Itoa(edition))
		}
	}
	names := map[string]bool{}
	for i := range p.Before.Builds {
		for name := range p.Before.Builds[i].Variables {
			names[name] = name != api.VariableComputerName
		}
	}
	maps.DeleteFunc(names, func(_ string, kept bool) bool { return !kept })
	if len(names) > 0 {
		parts = append(parts, f.T("job_new.before_variables", "names", strings.Join(slices.Sorted(maps.Keys(names)), ", ")))
	}
	return strings.Join(parts, " · ")
}
