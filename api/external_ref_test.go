package api_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

// Several jobs for one ticket at the same moment: one is queued, the others name
// it. Sticks of one job may share a ticket.
func TestExternalRefAtOnce(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	var sticks []protocol.Device
	for i := range 12 {
		sticks = append(sticks, apitest.Stick(fmt.Sprintf("%d.img", i)))
	}
	f.Connect(t, "bench", sticks...)
	jobs, errs := make([]api.Job, 6), make([]error, 6)
	var wg sync.WaitGroup
	for i := range jobs {
		wg.Go(func() {
			in := apitest.Order("win11-ent", "bench", sticks[2*i], sticks[2*i+1])
			in.ExternalRef = api.Ticket("INC-1")
			jobs[i], errs[i] = f.QueueJob(t.Context(), f.Helpdesk, in)
		})
	}
	wg.Wait()
	var queued string
	for i := range jobs {
		if errs[i] == nil {
			if queued != "" {
				t.Errorf("two jobs for one ticket")
			}
			queued = jobs[i].ID
		}
	}
	for _, err := range errs {
		if err != nil && (fault.From(err).Code != "reference_open" || fault.From(err).Params["job"] != queued) {
			t.Errorf("refused by %v, want the job %s", err, queued)
		}
	}
}

// A job that is opened anew needs its ticket back.
func TestRetryNeedsItsReference(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	first, second := apitest.Stick("a.img"), apitest.Stick("b.img")
	f.Connect(t, "bench", first, second)
	in := apitest.Order("win11-ent", "bench", first)
	in.ExternalRef = api.Ticket("INC-1")
	old := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	must[api.Job](t)(f.CancelJob(t.Context(), f.Helpdesk, old.ID))
	in = apitest.Order("win11-ent", "bench", second)
	in.Devices[0].ExternalRef = api.Ticket("INC-1")
	now := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	_, err := f.RetryBuilds(t.Context(), f.Helpdesk, api.RetryBuildsInput{JobID: old.ID})
	if !errors.Is(err, fault.New(fault.KindConflict, "reference_open")) || fault.From(err).Params["job"] != now.ID {
		t.Errorf("retried with %v, want the job %s in the way", err, now.ID)
	}
	must[api.Job](t)(f.CancelJob(t.Context(), f.Helpdesk, now.ID))
	must[api.Job](t)(f.RetryBuilds(t.Context(), f.Helpdesk, api.RetryBuildsInput{JobID: old.ID}))
}
