package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// An ETag is good for one change.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	source := s.StarterTemplate()
	made := send(t, s, post(s, admin, "/templates", wire.SaveTemplate{Name: "Lab", Source: source}))
	tag := made.header.Get("ETag")
	id := decode[api.Template](t, made, http.StatusCreated).ID
	change := put(s, admin, "/templates/"+id, wire.SaveTemplate{Name: "Lab", Source: source + "\n"})
	change.header = map[string]string{"If-Match": tag}
	changed := send(t, s, change)
	if v := decode[api.Template](t, changed, http.StatusOK); v.Current.Number != 2 {
		t.Errorf("version %d, want 2", v.Current.Number)
	}
	if changed.header.Get("ETag") == tag {
		t.Errorf("the ETag is %s after the change too", tag)
	}
	wantProblem(t, send(t, s, change), http.StatusPreconditionFailed, "stale")
	if found := send(t, s, get(s, viewer, "/templates/Lab")); found.header.Get("ETag") != changed.header.Get("ETag") {
		t.Errorf("ETag %s, want %s", found.header.Get("ETag"), changed.header.Get("ETag"))
	}
	change.header["If-Match"] = "*"
	decode[api.Template](t, send(t, s, change), http.StatusOK)
}

// Whatever is replaced, changed or removed wants to be seen first: the document
// says so of each operation, and each does. Uploads are tus's, which has
// offsets for that.
func TestEveryChangeWantsIfMatch(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	n := 0
	for op := range s.Contract.Operations() {
		method, path, _ := strings.Cut(op, " ")
		if strings.HasPrefix(path, "/uploads/") || (method != "PUT" && method != "PATCH" && method != "DELETE") {
			continue
		}
		n++
		q := put(s, admin, strings.NewReplacer("{", "", "}", "").Replace(path), "{}")
		q.method, q.header = method, nil
		if a := send(t, s, q); a.status != http.StatusPreconditionRequired {
			t.Errorf("%s without If-Match: status %d: %s", op, a.status, a.body)
		}
	}
	if n < 6 {
		t.Errorf("only %d changes", n)
	}
}

// What somebody else has changed is not overwritten, whichever ETag was seen.
func TestStale(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	v := s.Publish(t, "win11-ent", "1.0.0")
	host, _ := s.Connect(t, "bench", apitest.Stick("a.img"))
	ports := wire.SetHostPorts{Items: []api.HostPort{{Number: 3, Socket: "a"}}}
	for _, tt := range []struct {
		name, header, value, path string
		body                      any
		status                    int
	}{
		{"a channel that is there", "If-None-Match", "*", "/images/win11-ent/channels/stable", wire.SetChannel{Version: v.ID}, 412},
		{"a channel that is not there", "If-Match", `"1"`, "/images/win11-ent/channels/beta", wire.SetChannel{Version: v.ID}, 412},
		{"a new channel", "If-None-Match", "*", "/images/win11-ent/channels/beta", wire.SetChannel{Version: v.ID}, 200},
		{"the list as it came, changed once", "If-Match", `"0"`, "/capture-exclusions", wire.SaveExclusions{List: "*.bak\n"}, 200},
		{"and again", "If-Match", `"0"`, "/capture-exclusions", wire.SaveExclusions{List: "*.old\n"}, 412},
		{"an ETag that a proxy made weak", "If-Match", `W/"1"`, "/capture-exclusions", wire.SaveExclusions{List: "*.old\n"}, 200},
		{"sockets that were seen otherwise", "If-Match", `"7"`, "/hosts/" + host.ID + "/ports", ports, 412},
		{"a number without quotes", "If-Match", `7`, "/hosts/" + host.ID + "/ports", ports, 422},
		{"another server's ETag", "If-Match", `"7f-a"`, "/hosts/" + host.ID + "/ports", ports, 422},
	} {
		q := put(s, admin, tt.path, tt.body)
		q.header = map[string]string{tt.header: tt.value}
		a := send(t, s, q)
		if a.status != tt.status {
			t.Errorf("%s: status %d, want %d: %s", tt.name, a.status, tt.status, a.body)
		} else if tt.status == http.StatusPreconditionFailed {
			wantProblem(t, a, tt.status, "stale")
		}
	}
	seen := send(t, s, get(s, viewer, "/hosts/"+host.ID+"/ports")).header.Get("ETag")
	q := put(s, admin, "/hosts/"+host.ID+"/ports", ports)
	q.header = map[string]string{"If-Match": seen}
	decode[api.HostPorts](t, send(t, s, q), http.StatusOK)
	wantProblem(t, send(t, s, q), http.StatusPreconditionFailed, "stale")
}

// next_cursor and Link lead through a list, each item once.
func TestPages(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if _, err := s.CreateImage(t.Context(), s.Admin, api.CreateImageInput{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	path := "/images?limit=2"
	for path != "" {
		a := send(t, s, get(s, viewer, path))
		l := decode[api.List[api.Image]](t, a, http.StatusOK)
		for _, i := range l.Items {
			names = append(names, i.Name)
		}
		link, _, more := strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
		if more != (l.Next != "") {
			t.Errorf("next_cursor is %q and Link %q", l.Next, a.header.Get("Link"))
		}
		path = strings.TrimPrefix(link, rest.Prefix)
	}
	if got := strings.Join(names, ""); got != "abcde" {
		t.Errorf("images %s, want abcde", got)
	}
}

// A history goes on behind the last event that was seen.
func TestHistoryPages(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	s.Connect(t, "bench", stick)
	job, err := s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", stick))
	if err == nil {
		job, err = s.CancelJob(t.Context(), s.Helpdesk, job.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	var seqs []int64
	for path := "/jobs/" + job.ID + "/history?limit=1"; path != ""; {
		a := send(t, s, get(s, viewer, path))
		for _, e := range decode[api.List[api.JobEvent]](t, a, http.StatusOK).Items {
			seqs = append(seqs, e.Seq)
		}
		link, _, _ := strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
		path = strings.TrimPrefix(link, rest.Prefix)
	}
	if int64(len(seqs)) != job.LastSeq || seqs[0] != 1 || seqs[len(seqs)-1] != job.LastSeq {
		t.Errorf("events %v, want 1 to %d", seqs, job.LastSeq)
	}
}

// A ticket belongs to one job until its sticks are done: whoever sends it again
// is told where that job is.
func TestExternalRef(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	first, second := apitest.Stick("a.img"), apitest.Stick("b.img")
	s.Connect(t, "bench", first, second)
	order := func(d protocol.Device, ref api.ExternalRef) ask {
		q := wire.QueueJobOf(apitest.Order("win11-ent", "bench", d))
		q.ExternalRef = ref
		return post(s, helpdesk, "/jobs", q)
	}
	ref := api.ExternalRef{System: "servicenow", ID: "RITM0042"}
	job := decode[api.Job](t, send(t, s, order(first, ref)), http.StatusAccepted)
	if job.ExternalRef != ref || job.Builds[0].ExternalRef != ref {
		t.Errorf("job is for %+v, its stick for %+v", job.ExternalRef, job.Builds[0].ExternalRef)
	}
	a := send(t, s, order(second, ref))
	p := wantProblem(t, a, http.StatusConflict, "reference_open")
	if l := a.header.Get("Location"); l != rest.Prefix+"/jobs/"+job.ID || p.Params["job"] != job.ID || p.Field != "external_ref" {
		t.Errorf("Location %q, problem %+v", l, p)
	}
	other := ref
	other.System = ""
	if j := decode[api.Job](t, send(t, s, order(second, other)), http.StatusAccepted); j.ExternalRef.System != api.TicketSystem {
		t.Errorf("without a system it is %+v", j.ExternalRef)
	}
	decode[api.Job](t, send(t, s, post(s, helpdesk, "/jobs/"+job.ID+"/cancellations", nil)), http.StatusAccepted)
	again := decode[api.Job](t, send(t, s, order(first, ref)), http.StatusAccepted)
	decode[api.Job](t, send(t, s, post(s, helpdesk, "/jobs/"+again.ID+"/cancellations", nil)), http.StatusAccepted)
	wantProblem(t, send(t, s, order(first, api.ExternalRef{System: "Service Now", ID: "1"})), http.StatusUnprocessableEntity, "reference_system_invalid")
}
