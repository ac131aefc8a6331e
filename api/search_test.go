package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// A search finds by parts of names, by how a stick's own ticket, holder and
// computer begin, and by whole IDs what the actor's sites have, and nothing else.
func TestSearch(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "24.2.1")
	one := apitest.Stick("1-1")
	one.Vendor, one.Model, one.Serial = "SanDisk", "Extreme 100%_Pro", "4C5300012"
	host, session := f.Connect(t, "bench-1", one)
	order := apitest.Order("win11-ent", "bench-1", one)
	order.ExternalRef, order.Holder = api.Ticket("INC-1041"), "Grace Hopper"
	order.Devices[0].Holder, order.Devices[0].ExternalRef = "Ada Lovelace", api.Ticket("RITM-77") // a row of a table
	order.Devices[0].Variables = map[string]string{"computer_name": "NB-042"}
	job, err := f.QueueJob(t.Context(), f.Helpdesk, order)
	if err != nil {
		t.Fatal(err)
	}
	stick := job.Builds[0].StickID
	finish(t, f, session, job, protocol.Result{BytesWritten: 1, BytesVerified: 1})
	elsewhere := f.Viewer
	elsewhere.Sites = []string{"site_01jd6y9k3te0mv8b0g2z5q4w7x"}
	for _, c := range []struct {
		text  string
		actor api.Actor
		want  []string
	}{
		{"inc-10", f.Viewer, []string{job.ID}},
		{"hopper", f.Viewer, []string{job.ID}},
		{"ada", f.Viewer, []string{job.ID, stick}},
		{"ritm-7", f.Viewer, []string{job.ID, stick}},
		{"nb-04", f.Viewer, []string{stick}},
		{" 4c53 ", f.Viewer, []string{stick}},
		{"sandisk ext", f.Viewer, []string{stick}},
		{"100%_", f.Viewer, []string{stick}},
		{"100_", f.Viewer, nil},
		{"ench-", f.Viewer, []string{host.ID}},
		{job.ID, f.Viewer, []string{job.ID}},
		{stick, f.Viewer, []string{stick}},
		{host.ID, f.Viewer, []string{host.ID}},
		{"job_nothing", f.Viewer, nil},
		{"nobody", f.Viewer, nil},
		{strings.Repeat("界", 200), f.Viewer, nil},
		{"x\x00\xffy", f.Viewer, nil},
	} {
		found, err := f.Search(t.Context(), c.actor, c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		var ids []string
		for _, x := range found {
			ids = append(ids, x.ID)
		}
		if !slices.Equal(ids, c.want) {
			t.Errorf("%q finds %v, want %v", c.text, ids, c.want)
		}
	}
	for _, text := range []string{"", "hopper", "ritm-77", "nb-042", "4C53", "bench", job.ID, stick, host.ID} {
		found, err := f.Search(t.Context(), elsewhere, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range found {
			if x.Kind != "image" {
				t.Errorf("%q finds the %s %s of another site", text, x.Kind, x.ID)
			}
		}
	}
	if found, err := f.Search(t.Context(), f.Viewer, ""); err != nil || len(found) != 4 {
		t.Errorf("without a text %d things are found (%v)", len(found), err)
	}
}
