package api_test

import (
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

// What is there counts as done, what is marked stays so, and the end is one.
func TestFirstRunSteps(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	state := func() api.FirstRun {
		t.Helper()
		run, err := f.GetFirstRun(t.Context(), f.Admin)
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	want := func(step api.FirstRunStep, is string) {
		t.Helper()
		if run := state(); run.States[step] != is {
			t.Errorf("the step %s is %s, want %s", step, run.States[step], is)
		}
	}
	want(api.FirstRunAccount, api.FirstRunDone)
	f.Enroll(t, "quiet")
	want(api.FirstRunHost, api.FirstRunOpen) // it has never connected
	f.Connect(t, "bench")
	want(api.FirstRunHost, api.FirstRunDone)
	f.Publish(t, "win11-ent", "1.0.0")
	want(api.FirstRunImage, api.FirstRunDone)
	if err := f.FinishFirstRun(t.Context(), f.Admin); fault.From(err).Code != api.CodeFirstRunOpen {
		t.Errorf("with open steps it ends: %v", err)
	}
	for step, is := range state().States {
		if is == api.FirstRunOpen {
			if err := f.MarkFirstRunStep(t.Context(), f.Admin, step, api.FirstRunSkipped); err != nil {
				t.Fatal(err)
			}
			want(step, api.FirstRunSkipped)
		}
	}
	if err := f.MarkFirstRunStep(t.Context(), f.Admin, "coffee", api.FirstRunDone); fault.From(err).Code != api.CodeFirstRunStep {
		t.Errorf("a step of no set-up: %v", err)
	}
	if err := f.FinishFirstRun(t.Context(), f.Admin); err != nil {
		t.Fatal(err)
	}
	if run := state(); run.FinishedAt == nil || run.FinishedBy != f.Admin.Name {
		t.Errorf("it was finished by %q at %v", run.FinishedBy, run.FinishedAt)
	}
	for what, err := range map[string]error{
		"finish": f.FinishFirstRun(t.Context(), f.Admin),
		"mark":   f.MarkFirstRunStep(t.Context(), f.Admin, api.FirstRunPress, api.FirstRunOpen),
	} {
		if fault.From(err).Code != api.CodeFirstRunFinished {
			t.Errorf("%s after the end: %v", what, err)
		}
	}
	rows, err := f.ListAudit(t.Context(), f.Admin, api.AuditFilter{Action: string(api.UseSaveFirstRun)}, api.Page{})
	if err != nil || len(rows.Items) != 5 {
		t.Errorf("%d rows in the audit log, %v", len(rows.Items), err)
	}
}
