package api_test

import (
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
)

// fails has the host give up every build that it is given.
func fails(t *testing.T, f *apitest.Fixture, s api.HostSession) {
	t.Helper()
	for _, assign := range must[api.HostWork](t)(f.HostClaim(t.Context(), s)).Assigns {
		for _, b := range assign.Builds {
			why := protocol.NewFault(protocol.FaultWrite)
			why.Touched = true
			events := []protocol.Event{
				{Type: protocol.EventAccepted},
				{Type: protocol.EventPreflight, Preflight: &protocol.Preflight{Checks: []protocol.Check{{Name: "speed"}}}},
				{Type: protocol.EventStepBegun, Step: protocol.StepWrite},
				{Type: protocol.EventTouched},
				{Type: protocol.EventFailed, Fault: why},
			}
			for i := range events {
				events[i].AttemptRef, events[i].HostSeq = protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}, int64(i+1)
			}
			must[api.HostWork](t)(f.HostEvents(t.Context(), s, events))
		}
	}
}

func TestRetryBuilds(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d, e := apitest.Stick("a.img"), apitest.Stick("b.img")
	_, s := f.Connect(t, "bench", d, e)
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d, e)))
	fails(t, f, s)
	retry := func(a api.Actor, overrides ...string) (api.Job, error) {
		return f.RetryBuilds(t.Context(), a, api.RetryBuildsInput{JobID: job.ID, Overrides: overrides})
	}

	// Plugged in again: another connection, which nobody confirmed.
	moved := e
	moved.Connection++
	for _, devices := range [][]protocol.Device{{d}, {d, moved}} {
		if err := f.HostInventory(t.Context(), s, &protocol.Inventory{Devices: devices}); err != nil {
			t.Fatal(err)
		}
		_, err := retry(f.Helpdesk)
		if len(devices) == 1 {
			wantFault(t, err, api.CodeDeviceGone)
		} else if got := faultOf(t, err, api.CodeDeviceChanged); got.Field != "builds" {
			t.Errorf("field %q", got.Field)
		}
	}
	if got := must[api.Job](t)(f.GetJob(t.Context(), f.Viewer, job.ID)); got.State != "failed" {
		t.Errorf("refused, and yet it is %s", got.State)
	}
	if err := f.HostInventory(t.Context(), s, &protocol.Inventory{Devices: []protocol.Device{d, e}}); err != nil {
		t.Fatal(err)
	}

	// An override is an admin's, here as when queueing, and so is what it let
	// pass before.
	code := string(protocol.FaultTooSlow)
	_, err := retry(f.Helpdesk, code)
	wantFault(t, err, api.CodeForbidden)
	_, err = retry(f.Admin, "device_gone")
	wantFault(t, err, api.CodeOverrideUnknown)
	again := must[api.Job](t)(retry(f.Admin, code))
	if again.State != "queued" || !slices.Equal(again.Overrides, []string{code}) {
		t.Errorf("it is %s, overrides %v", again.State, again.Overrides)
	}
	for _, b := range again.Builds {
		for _, step := range b.Steps {
			if step.BegunAt != nil {
				t.Errorf("a waiting build shows the step %s of its old attempt", step.Step)
			}
		}
		if b.State != "queued" || b.Fault != nil || b.Touched || b.Step != "" || len(b.Preflight) != 0 || b.EndedAt != nil {
			t.Errorf("a waiting build shows its old attempt: %+v", b)
		}
	}
	work := must[api.HostWork](t)(f.HostClaim(t.Context(), s)).Assigns
	if len(work) != 1 || len(work[0].Builds) != 2 || work[0].Builds[0].Attempt != 2 || !slices.Equal(work[0].Builds[0].Overrides, []string{code}) {
		t.Fatalf("given to the host: %+v", work)
	}
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "job", ObjectID: job.ID}, api.Page{}))
	if len(audit.Items) != 2 || audit.Items[0].Action != "retry_builds" {
		t.Errorf("audit %+v", audit.Items)
	}
	must[api.Job](t)(f.CancelJob(t.Context(), f.Helpdesk, job.ID))
	_, err = retry(f.Helpdesk)
	wantFault(t, err, api.CodeForbidden)
	_, err = retry(f.Admin)
	wantFault(t, err, store.CodeJobCancelling)
}

// A withdrawn version is not written by a second attempt either.
func TestRetryOfAWithdrawnVersion(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	v := f.Publish(t, "win11-ent", "1.0.0")
	newer := f.Publish(t, "win11-ent", "1.0.1")
	d := apitest.Stick("a.img")
	_, s := f.Connect(t, "bench", d)
	order := apitest.Order("win11-ent", "bench", d)
	order.Version = v.ID
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, order))
	fails(t, f, s)
	must[api.Version](t)(f.WithdrawVersion(t.Context(), f.Admin, api.WithdrawVersionInput{ID: v.ID}))
	_, err := f.RetryBuilds(t.Context(), f.Helpdesk, api.RetryBuildsInput{JobID: job.ID})
	wantFault(t, err, store.CodeVersionWithdrawn)
	if newer.State != "published" {
		t.Errorf("the newer one is %s", newer.State)
	}
}
