package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

func TestJobsAreNarrowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []store.JobID
	for port := range 4 {
		j := w.mustQueue(w.host.ID, port+1)
		ids = append(ids, j.ID)
	}
	slices.SortFunc(ids, func(a, b store.JobID) int { return slices.Compare(b[:], a[:]) })
	all, err := w.Jobs(t.Context(), store.JobFilter{})
	if err != nil || len(all) != 4 {
		t.Fatalf("%d jobs, %v", len(all), err)
	}
	holder := all[0].Builds[0].Holder
	for name, c := range map[string]struct {
		filter store.JobFilter
		want   int
	}{
		"one state":                     {store.JobFilter{States: []store.JobState{store.JobQueued}}, 4},
		"several states":                {store.JobFilter{States: []store.JobState{store.JobRunning, store.JobFailed}}, 0},
		"its kind":                      {store.JobFilter{Kind: protocol.JobPress}, 4},
		"another kind":                  {store.JobFilter{Kind: protocol.JobWipe}, 0},
		"how the reference begins":      {store.JobFilter{Search: "inc-"}, 4},
		"what the reference only holds": {store.JobFilter{Search: "nc-1"}, 0},
		"a pattern is none":             {store.JobFilter{Search: "%"}, 0},
		"another pattern":               {store.JobFilter{Search: "INC_1"}, 0},
		"a quote":                       {store.JobFilter{Search: `'; DROP TABLE jobs; --`}, 0},
		"a backslash":                   {store.JobFilter{Holder: `\`}, 0},
		"from today on":                 {store.JobFilter{From: time.Now().Add(-time.Hour)}, 4},
		"until yesterday":               {store.JobFilter{To: time.Now().Add(-time.Hour)}, 0},
		"its site":                      {store.JobFilter{Sites: []store.SiteID{store.DefaultSite}}, 4},
		"the way back":                  {store.JobFilter{Page: store.JobPage{After: ids[3], Limit: 2}}, 2},
		"two things at once":            {store.JobFilter{Kind: protocol.JobPress, Search: "inc-", States: []store.JobState{store.JobQueued}, HostID: w.host.ID}, 4},
	} {
		jobs, err := w.Jobs(t.Context(), c.filter)
		if err != nil || len(jobs) != c.want {
			t.Errorf("%s: %d jobs, want %d, %v", name, len(jobs), c.want, err)
		}
	}
	if holder != "" {
		if jobs, err := w.Jobs(t.Context(), store.JobFilter{Holder: holder}); err != nil || len(jobs) != 4 {
			t.Errorf("of holder %q: %d jobs, %v", holder, len(jobs), err)
		}
	}
	back, err := w.Jobs(t.Context(), store.JobFilter{Page: store.JobPage{After: ids[3], Limit: 2}})
	if err != nil || len(back) != 2 || back[0].ID != ids[1] || back[1].ID != ids[2] {
		t.Errorf("the way back leads to %v, %v", back, err)
	}
}

// What few have is cut to the page before it is read; what many have is looked
// for on the way.
func TestJobsByTheirBuilds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []store.JobID
	for port := range 4 {
		ids = append(ids, w.mustQueue(w.host.ID, port+1).ID)
	}
	slices.SortFunc(ids, func(a, b store.JobID) int { return slices.Compare(b[:], a[:]) })
	is := func(f store.JobFilter, want ...store.JobID) {
		t.Helper()
		jobs, err := w.Jobs(t.Context(), f)
		var got []store.JobID
		for i := range jobs {
			got = append(got, jobs[i].ID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v, %v", f, got, want, err)
		}
	}
	is(store.JobFilter{Search: "inc-"}, ids...)
	is(store.JobFilter{Search: "inc-", Page: store.JobPage{Limit: 2}}, ids[:2]...)
	is(store.JobFilter{Search: "inc-", Page: store.JobPage{Before: ids[1], Limit: 2}}, ids[2:]...)
	is(store.JobFilter{Search: "inc-", Page: store.JobPage{After: ids[3], Limit: 2}}, ids[1:3]...)
	is(store.JobFilter{Search: "inc-", Page: store.JobPage{After: ids[0]}})
	is(store.JobFilter{Search: "inc-", Kind: protocol.JobPress, Page: store.JobPage{Before: ids[2]}}, ids[3])

	_, err := w.Pool().Exec(t.Context(), `INSERT INTO builds (id, job_id, host_id, position, state, attempt, stick_id, device, reference, holder, variables, step, touched, revision)
		SELECT gen_random_uuid(), job_id, host_id, 100 + i, 'cancelled', attempt, stick_id, device, '', 'Many', variables, step, touched, revision
		FROM builds, generate_series(1, 4000) i WHERE job_id = ANY ($1) AND position = 1`, ids[1:3])
	if err != nil {
		t.Fatal(err)
	}
	is(store.JobFilter{Holder: "MAN"}, ids[1:3]...)
	is(store.JobFilter{Search: "man", Page: store.JobPage{Before: ids[1]}}, ids[2])
	is(store.JobFilter{Holder: "man", Kind: protocol.JobPress, Page: store.JobPage{Limit: 1}}, ids[1])
	is(store.JobFilter{Holder: "man", Kind: protocol.JobWipe})
}

func TestBuildsAreNarrowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var first store.Job
	for port := range 4 {
		j := w.mustQueue(w.host.ID, port+1)
		if port == 0 {
			first = j
		}
	}
	b := first.Builds[0]
	fault, err := w.Builds(t.Context(), store.BuildFilter{Fault: "write_failed"})
	if err != nil || len(fault) != 0 {
		t.Errorf("%d builds with a fault, %v", len(fault), err)
	}
	for name, c := range map[string]struct {
		filter store.BuildFilter
		want   int
	}{
		"nothing":              {store.BuildFilter{}, 4},
		"its job":              {store.BuildFilter{JobID: first.ID}, 1},
		"its stick":            {store.BuildFilter{StickID: b.StickID}, 1},
		"its host":             {store.BuildFilter{HostID: w.host.ID}, 4},
		"its reference":        {store.BuildFilter{Reference: b.Reference}, 4},
		"how that begins":      {store.BuildFilter{Reference: b.Reference[:3]}, 0},
		"that in another case": {store.BuildFilter{Reference: strings.ToLower(b.Reference)}, 0},
		"its holder":           {store.BuildFilter{Holder: strings.ToUpper(b.Holder)}, 4},
		"another holder":       {store.BuildFilter{Holder: "%"}, 0},
		"its version":          {store.BuildFilter{ImageVersionID: first.ImageVersionID}, 4},
		"its kind":             {store.BuildFilter{Kind: protocol.JobPress}, 4},
		"another kind":         {store.BuildFilter{Kind: protocol.JobWipe}, 0},
		"its site":             {store.BuildFilter{Sites: []store.SiteID{store.DefaultSite}}, 4},
		"one state":            {store.BuildFilter{States: []store.BuildState{store.BuildQueued}}, 4},
		"several states":       {store.BuildFilter{States: []store.BuildState{store.BuildFailed, store.BuildVerified}}, 0},
		"from today on":        {store.BuildFilter{From: time.Now().Add(-time.Hour)}, 4},
		"until yesterday":      {store.BuildFilter{To: time.Now().Add(-time.Hour)}, 0},
		"a page":               {store.BuildFilter{Page: store.BuildPage{Before: b.ID, Limit: 2}}, 0},
		"the way back":         {store.BuildFilter{Page: store.BuildPage{After: b.ID, Limit: 2}}, 2},
		"many things at once":  {store.BuildFilter{HostID: w.host.ID, Kind: protocol.JobPress, StickID: b.StickID, Sites: []store.SiteID{store.DefaultSite}}, 1},
	} {
		builds, err := w.Builds(t.Context(), c.filter)
		if err != nil || len(builds) != c.want {
			t.Errorf("%s: %d builds, want %d, %v", name, len(builds), c.want, err)
		}
	}
	events, err := w.BuildEvents(t.Context(), first.ID, b.ID, 0, 10)
	if err != nil || len(events) != 0 {
		t.Errorf("a build that waits has %d events, %v", len(events), err)
	}
	if jobs, err := w.JobsByID(t.Context(), []store.JobID{first.ID}); err != nil || len(jobs) != 1 || len(jobs[0].Builds) != 1 {
		t.Errorf("%+v, %v", jobs, err)
	}
}

func TestHostsAreNarrowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("lab_2")
	gone := w.enroll("gone")
	in(t, w.Store, func(tx *store.Tx) (store.Host, error) { return tx.RevokeHost(t.Context(), gone.ID, w.by) })
	now := w.Now()
	status := func(name string, since time.Time) store.HostStatus {
		return store.HostStatus{Name: name, Since: since, Oldest: protocol.MinVersion, Newest: protocol.Version}
	}
	for name, c := range map[string]struct {
		filter store.HostFilter
		want   int
	}{
		"all":                         {store.HostFilter{}, 2},
		"online":                      {store.HostFilter{Status: status("online", now.Add(-time.Minute))}, 2},
		"offline":                     {store.HostFilter{Status: status("offline", now.Add(-time.Minute))}, 0},
		"silent since then":           {store.HostFilter{Status: status("offline", now.Add(time.Hour))}, 2},
		"none is outdated":            {store.HostFilter{Status: status("update_needed", now)}, 0},
		"what its name holds":         {store.HostFilter{Search: "AB_"}, 1},
		"no pattern":                  {store.HostFilter{Search: "b_nch"}, 0},
		"another system":              {store.HostFilter{OS: "plan9"}, 0},
		"another site":                {store.HostFilter{Sites: []store.SiteID{{1}}}, 0},
		"the way back to the nearest": {store.HostFilter{Page: store.ByName{Before: "lab_2", Limit: 1}}, 1},
	} {
		hosts, err := w.Hosts(t.Context(), c.filter)
		if err != nil || len(hosts) != c.want {
			t.Errorf("%s: %d hosts, want %d, %v", name, len(hosts), c.want, err)
		}
	}
	revoked, err := w.RevokedHosts(t.Context(), store.HostFilter{Status: status("online", now)}, store.HostPage{})
	if err != nil || len(revoked) != 1 || revoked[0].Name != "gone" {
		t.Errorf("revoked hosts %v, %v", revoked, err)
	}
}

func TestSites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	lab := in(t, w.Store, func(tx *store.Tx) (store.Site, error) { return tx.CreateSite(ctx, "Lab") })
	_, err := try(ctx, w.Store, func(tx *store.Tx) (store.Site, error) { return tx.CreateSite(ctx, "lAB") })
	wantCode(t, err, store.CodeNameTaken)
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.Site, error) { return tx.RetireSite(ctx, store.DefaultSite, 1, true) })
	wantCode(t, err, store.CodeSiteDefault)
	lab = in(t, w.Store, func(tx *store.Tx) (store.Site, error) { return tx.MakeDefaultSite(ctx, lab.ID, lab.Revision) })
	if d, err := w.TheDefaultSite(ctx); err != nil || d.ID != lab.ID {
		t.Errorf("the default site is %+v, %v", d, err)
	}
	// The old default one has a host, which has to move first.
	old, err := w.Site(ctx, store.DefaultSite)
	if err != nil || old.IsDefault {
		t.Fatalf("%+v, %v", old, err)
	}
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.Site, error) { return tx.RetireSite(ctx, old.ID, old.Revision, true) })
	wantCode(t, err, store.CodeSiteInUse)
	h := in(t, w.Store, func(tx *store.Tx) (store.Host, error) {
		return tx.UpdateHost(ctx, w.host.ID, w.host.Revision, "moved", lab.ID)
	})
	if h.SiteID != lab.ID || h.Name != "moved" || h.Revision != w.host.Revision+1 {
		t.Errorf("the host is %+v", h)
	}
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.Host, error) {
		return tx.UpdateHost(ctx, w.host.ID, w.host.Revision, "again", lab.ID)
	})
	wantCode(t, err, store.CodeStale)
	old = in(t, w.Store, func(tx *store.Tx) (store.Site, error) { return tx.RetireSite(ctx, old.ID, old.Revision, true) })
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.Host, error) {
		return tx.UpdateHost(ctx, h.ID, h.Revision, "back", old.ID)
	})
	wantCode(t, err, store.CodeSiteClosed)
	for _, c := range []struct {
		shelf store.Shelf
		scope []store.SiteID
		want  int
	}{
		{store.Shelf{}, nil, 1},
		{store.Shelf{Retired: true}, nil, 1},
		{store.Shelf{Search: "LA"}, nil, 1},
		{store.Shelf{Search: "_"}, nil, 0},
		{store.Shelf{}, []store.SiteID{old.ID}, 0},
	} {
		if list, err := w.Sites(ctx, c.scope, c.shelf); err != nil || len(list) != c.want {
			t.Errorf("%+v: %d sites, want %d, %v", c, len(list), c.want, err)
		}
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	user := store.UserID(w.by.ID)
	keep := func(v store.View) (store.View, error) {
		return try(ctx, w.Store, func(tx *store.Tx) (store.View, error) { return tx.CreateView(ctx, v) })
	}
	mine, err := keep(store.View{UserID: user, List: "jobs", Name: "Failed", Query: "state=failed"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = keep(store.View{UserID: user, List: "jobs", Name: "fAILED"})
	wantCode(t, err, store.CodeNameTaken)
	if _, err = keep(store.View{List: "jobs", Name: "Failed"}); err != nil {
		t.Errorf("everybody's of the same name: %v", err)
	}
	_, err = keep(store.View{List: "jobs", Name: "failed"})
	wantCode(t, err, store.CodeNameTaken)
	if _, err = keep(store.View{UserID: user, List: "hosts", Name: "Failed"}); err != nil {
		t.Errorf("of another list: %v", err)
	}
	for _, c := range []struct {
		user store.UserID
		list string
		want int
	}{{user, "jobs", 2}, {user, "", 3}, {store.UserID{}, "jobs", 1}, {store.UserID{9}, "jobs", 1}} {
		if list, err := w.Views(ctx, c.user, c.list, 50); err != nil || len(list) != c.want {
			t.Errorf("%+v: %d views, %v", c, len(list), err)
		}
	}
	changed := in(t, w.Store, func(tx *store.Tx) (store.View, error) {
		return tx.UpdateView(ctx, mine.ID, mine.Revision, "Bad", "q=x")
	})
	_, err = try(ctx, w.Store, func(tx *store.Tx) (store.View, error) { return tx.DeleteView(ctx, mine.ID, mine.Revision) })
	wantCode(t, err, store.CodeStale)
	in(t, w.Store, func(tx *store.Tx) (store.View, error) { return tx.DeleteView(ctx, mine.ID, changed.Revision) })
	_, err = w.View(ctx, mine.ID)
	wantCode(t, err, "view_not_found")
}
