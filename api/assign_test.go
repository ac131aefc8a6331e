package api_test

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
)

// An answer file that cannot be made any more ends its own builds, and the
// host's other work goes on.
func TestAnswerFileThatCannotBeMade(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	secret := must[api.Template](t)(f.SaveTemplate(t.Context(), f.Admin, api.SaveTemplateInput{
		Name: "sealed", Source: `<unattend xmlns="urn:schemas-microsoft-com:unattend"/>`,
	}))
	must[api.TaskSequence](t)(f.SaveTaskSequence(t.Context(), f.Admin, api.SaveTaskSequenceInput{
		Name: "sealed", Template: secret.ID,
		Spec: api.TaskSequenceSpec{Layout: protocol.LayoutMBRDual, Edition: 1, BootSignature: protocol.BootSignature2011},
	}))
	// Only the seal of a template version may be changed.
	reseal := func(body string) {
		t.Helper()
		tag, err := f.Store.Pool().Exec(t.Context(), `UPDATE unattend_template_versions v SET body = `+body+`
			FROM unattend_templates t WHERE t.id = v.template_id AND t.name = 'sealed'`)
		if err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("change the seal: %d rows, %v", tag.RowsAffected(), err)
		}
	}
	spoil := func() { t.Helper(); reseal(`'\x00' || v.body`) }
	mend := func() { t.Helper(); reseal(`substring(v.body from 2)`) }
	a, b, c := apitest.Stick("a"), apitest.Stick("b"), apitest.Stick("c")
	host, s := f.Connect(t, "bench", a, b, c)
	order := func(sequence string, d protocol.Device) api.Job {
		t.Helper()
		in := apitest.Order("win11-ent", "bench", d)
		in.TaskSequence = sequence
		return must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	}
	refused := func(id string) {
		t.Helper()
		j := must[api.Job](t)(f.GetJob(t.Context(), f.Helpdesk, id))
		if fault := j.Builds[0].Fault; j.State != "failed" || fault == nil || fault.Code != string(store.CodeSealBroken) || fault.Touched {
			t.Errorf("job is %s with %+v, want failed with %s and nothing touched", j.State, fault, store.CodeSealBroken)
		}
	}

	// The assignment never arrives, and cannot be made again.
	lost := order("sealed", a)
	if w := must[api.HostWork](t)(f.HostClaim(t.Context(), s)); len(w.Assigns) != 1 {
		t.Fatalf("assigned %+v", w.Assigns)
	}
	spoil()
	s = must[api.HostSession](t)(f.HostConnected(t.Context(), host.Hello()))
	if w := must[api.HostWork](t)(f.HostResumed(t.Context(), s, &protocol.Resume{})); len(w.Assigns) != 0 {
		t.Errorf("assigned again %+v", w.Assigns)
	}
	refused(lost.ID)

	mend()
	broken := order("sealed", b)
	whole := order("", c)
	spoil()
	w := must[api.HostWork](t)(f.HostClaim(t.Context(), s))
	if len(w.Assigns) != 1 || w.Assigns[0].JobID != whole.ID {
		t.Errorf("assigned %+v, want %s alone", w.Assigns, whole.ID)
	}
	refused(broken.ID)
	if report := must[store.ReplayReport](t)(f.Store.Replay(t.Context(), true)); len(report.Differences) != 0 {
		t.Errorf("replay: %+v", report.Differences)
	}
}

// What was queued for later, or for a host that is away, is not written when its
// version was withdrawn meanwhile. What the host was given before goes on.
func TestVersionWithdrawnWhileQueued(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	v := f.Publish(t, "win11-ent", "1.0.0")
	f.Publish(t, "win11-ent", "1.0.1")
	a, b := apitest.Stick("a"), apitest.Stick("b")
	host, s := f.Connect(t, "bench", a, b)
	order := func(d protocol.Device) api.Job {
		t.Helper()
		in := apitest.Order("win11-ent", "bench", d)
		in.Version = v.ID
		return must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	}
	given := order(a)
	if w := must[api.HostWork](t)(f.HostClaim(t.Context(), s)); len(w.Assigns) != 1 {
		t.Fatalf("assigned %+v", w.Assigns)
	}
	waiting := order(b)
	must[api.Version](t)(f.WithdrawVersion(t.Context(), f.Admin, api.WithdrawVersionInput{ID: v.ID}))
	if w := must[api.HostWork](t)(f.HostClaim(t.Context(), s)); len(w.Assigns) != 0 {
		t.Errorf("assigned %+v of a withdrawn version", w.Assigns)
	}
	j := must[api.Job](t)(f.GetJob(t.Context(), f.Helpdesk, waiting.ID))
	if why := j.Builds[0].Fault; j.State != "failed" || why == nil || why.Code != string(store.CodeVersionWithdrawn) || why.Touched {
		t.Errorf("the job is %s with %+v, want failed with %s and nothing touched", j.State, why, store.CodeVersionWithdrawn)
	}
	s = must[api.HostSession](t)(f.HostConnected(t.Context(), host.Hello()))
	if w := must[api.HostWork](t)(f.HostResumed(t.Context(), s, &protocol.Resume{})); len(w.Assigns) != 1 || w.Assigns[0].JobID != given.ID {
		t.Errorf("sent again %+v, want %s alone", w.Assigns, given.ID)
	}
	if report := must[store.ReplayReport](t)(f.Store.Replay(t.Context(), true)); len(report.Differences) != 0 {
		t.Errorf("replay: %+v", report.Differences)
	}
}
