package rest_test

import (
	"net/http"
	"strings"
	"testing"

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

// A request that is repeated with its key queues once.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	s.Connect(t, "bench", stick)
	order := wire.QueueJobOf(apitest.Order("win11-ent", "bench", stick))
	q := post(s, helpdesk, "/jobs", order)
	q.header = map[string]string{wire.HeaderIdempotencyKey: "INC-1"}
	first := decode[api.Job](t, send(t, s, q), http.StatusAccepted)
	again := decode[api.Job](t, send(t, s, q), http.StatusAccepted)
	if first.ID != again.ID {
		t.Errorf("job %s, then %s", first.ID, again.ID)
	}
	order.Reference = "INC-2"
	q.body = order
	wantProblem(t, send(t, s, q), http.StatusUnprocessableEntity, "idempotency_reused")
}

// Next and Link lead through a list, each item once.
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
			t.Errorf("next is %q and Link %q", l.Next, a.header.Get("Link"))
		}
		path = strings.TrimPrefix(link, rest.Prefix)
	}
	if got := strings.Join(names, ""); got != "abcde" {
		t.Errorf("images %s, want abcde", got)
	}
}
