package api_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	s := must[api.TaskSequence](t)(f.GetTaskSequence(t.Context(), f.Viewer, ""))
	if !s.Default || s.Name != api.DefaultTaskSequence || s.Current.TemplateName != api.DefaultTemplate {
		t.Errorf("default task sequence is %+v", s)
	}
	want := api.TaskSequenceSpec{
		Layout: protocol.LayoutMBRDual, Edition: 1, BootSignature: protocol.BootSignature2011, PortableOperatingSystem: true,
	}
	if s.Current.Spec != want {
		t.Errorf("spec is %+v, want %+v", s.Current.Spec, want)
	}
	// Once more, and from another replica, it makes nothing.
	other, _ := f.Replica(t)
	if err := other.EnsureDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	list := must[api.List[api.TaskSequence]](t)(f.ListTaskSequences(t.Context(), f.Viewer, api.ShelfFilter{}, api.Page{}))
	templates := must[api.List[api.Template]](t)(f.ListTemplates(t.Context(), f.Viewer, api.ShelfFilter{}, api.Page{}))
	if len(list.Items) != 1 || len(templates.Items) != 1 {
		t.Errorf("%d task sequences and %d templates, want one each", len(list.Items), len(templates.Items))
	}
	mine, err := f.ServerKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.ServerKey(t.Context())
	if err != nil || !mine.Equal(theirs) {
		t.Errorf("two replicas have two identities (%v)", err)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, err := f.CheckTemplate(t.Context(), f.Admin, `<unattend xmlns="urn:schemas-microsoft-com:unattend">`+"\n  <oops\n</unattend>")
	bad := faultOf(t, err, "template_malformed")
	if bad.Params["line"] == "" || bad.Params["column"] == "" || bad.Field != "source" {
		t.Errorf("fault is %+v, want line and column", bad)
	}
	in := api.SaveTemplateInput{Name: "Finance", Source: f.StarterTemplate()}
	made := must[api.Template](t)(f.SaveTemplate(t.Context(), f.Admin, in))
	if made.Current.Number != 1 || len(made.Current.Variables) == 0 {
		t.Errorf("template is %+v", made)
	}
	_, err = f.SaveTemplate(t.Context(), f.Admin, in)
	wantFault(t, err, "name_taken")

	in.ID, in.Revision = made.ID, made.Revision
	same := must[api.Template](t)(f.SaveTemplate(t.Context(), f.Admin, in))
	if same.Current.Number != 1 {
		t.Errorf("the same source made version %d", same.Current.Number)
	}
	in.Source = strings.Replace(in.Source, "{{computer_name}}", "PC-1", 1)
	_, err = f.SaveTemplate(t.Context(), f.Admin, in)
	wantFault(t, err, "stale")
	in.Revision = same.Revision
	next := must[api.Template](t)(f.SaveTemplate(t.Context(), f.Admin, in))
	if next.Current.Number != 2 {
		t.Errorf("another source made version %d, want 2", next.Current.Number)
	}
	source := must[string](t)(f.TemplateSource(t.Context(), f.Admin, "finance"))
	first := must[string](t)(f.TemplateSource(t.Context(), f.Admin, made.Current.ID))
	if source != in.Source || first != f.StarterTemplate() {
		t.Error("the sources are not those that were saved")
	}
	versions := must[api.List[api.TemplateVersion]](t)(f.ListTemplateVersions(t.Context(), f.Viewer, made.ID, api.Page{Limit: 1}))
	rest := must[api.List[api.TemplateVersion]](t)(f.ListTemplateVersions(t.Context(), f.Viewer, made.ID, api.Page{Limit: 1, After: versions.Next}))
	if versions.Items[0].Number != 2 || rest.Items[0].Number != 1 || rest.Next != "" {
		t.Errorf("versions are %+v and %+v", versions, rest)
	}
}

// The versions of a task sequence come in pages, there and back.
func TestTaskSequenceVersions(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	in := api.SaveTaskSequenceInput{Name: "UEFI", Spec: api.TaskSequenceSpec{Layout: protocol.LayoutGPTUEFI, Edition: 1, BootSignature: protocol.BootSignature2023}}
	made := must[api.TaskSequence](t)(f.SaveTaskSequence(t.Context(), f.Admin, in))
	for edition := range 4 {
		in.ID, in.Revision, in.Spec.Edition = made.ID, made.Revision, edition+2
		made = must[api.TaskSequence](t)(f.SaveTaskSequence(t.Context(), f.Admin, in))
	}
	page := func(p api.Page) (numbers []int, l api.List[api.TaskSequenceVersion]) {
		t.Helper()
		p.Limit = 2
		l = must[api.List[api.TaskSequenceVersion]](t)(f.ListTaskSequenceVersions(t.Context(), f.Viewer, made.ID, p))
		for _, v := range l.Items {
			numbers = append(numbers, v.Number)
		}
		return numbers, l
	}
	var got [][]int
	numbers, l := page(api.Page{})
	got = append(got, numbers)
	for l.Next != "" {
		numbers, l = page(api.Page{After: l.Next})
		got = append(got, numbers)
	}
	for l.Prev != "" {
		numbers, l = page(api.Page{Before: l.Prev})
		got = append(got, numbers)
	}
	if want := [][]int{{5, 4}, {3, 2}, {1}, {3, 2}, {5, 4}}; !reflect.DeepEqual(got, want) {
		t.Errorf("pages are %v, want %v", got, want)
	}
	_, err := f.ListTaskSequenceVersions(t.Context(), f.Viewer, made.ID, api.Page{After: made.ID})
	wantFault(t, err, api.CodeCursorInvalid)
}

func TestTaskSequences(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	spec := api.TaskSequenceSpec{Layout: protocol.LayoutGPTUEFI, Edition: 2, BootSignature: protocol.BootSignature2023, MinWriteRate: 20e6, MinRandomIOPS: 300}
	in := api.SaveTaskSequenceInput{Name: "UEFI", Spec: spec, Template: "starter"}
	made := must[api.TaskSequence](t)(f.SaveTaskSequence(t.Context(), f.Admin, in))
	if made.Default || made.Current.Spec != spec || made.Current.TemplateVersion != 1 {
		t.Errorf("task sequence is %+v", made)
	}
	for code, change := range map[string]func(*api.SaveTaskSequenceInput){
		"layout_unknown":         func(in *api.SaveTaskSequenceInput) { in.Spec.Layout = "zip" },
		"boot_signature_unknown": func(in *api.SaveTaskSequenceInput) { in.Spec.BootSignature = "1999" },
		"edition_invalid":        func(in *api.SaveTaskSequenceInput) { in.Spec.Edition = 0 },
		"minimum_invalid":        func(in *api.SaveTaskSequenceInput) { in.Spec.MinRandomIOPS = -1 },
		"template_not_found":     func(in *api.SaveTaskSequenceInput) { in.Template = "nope" },
		"name_invalid":           func(in *api.SaveTaskSequenceInput) { in.Name = " " },
		"name_taken":             func(in *api.SaveTaskSequenceInput) {},
	} {
		bad := in
		if code != "name_taken" {
			bad.Name = "another"
		}
		change(&bad)
		_, err := f.SaveTaskSequence(t.Context(), f.Admin, bad)
		if got := got(err); string(got) != code {
			t.Errorf("refused with %s, want %s", got, code)
		}
	}
	in.ID, in.Revision, in.Template = made.ID, made.Revision, ""
	bare := must[api.TaskSequence](t)(f.SaveTaskSequence(t.Context(), f.Admin, in))
	if bare.Current.Number != 2 || bare.Current.TemplateID != "" {
		t.Errorf("without a template: %+v", bare.Current)
	}
	// A task sequence without an answer file builds sticks without one.
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, s := f.Connect(t, "bench", d)
	order := apitest.Order("win11-ent", "bench", d)
	order.TaskSequence, order.Edition = "uefi", 1
	must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, order))
	w := must[api.HostWork](t)(f.HostClaim(t.Context(), s))
	if r := w.Assigns[0].Recipe; r.MinWriteRate != 20e6 || r.MinRandomIOPS != 300 {
		t.Errorf("recipe %+v", r)
	}
	if len(w.Assigns) != 1 || w.Assigns[0].Builds[0].AnswerFile != "" || w.Assigns[0].Recipe.BootSignature != protocol.BootSignature2023 {
		t.Errorf("assigned %+v", w.Assigns)
	}
}
