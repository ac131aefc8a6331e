package rest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func keyed(q ask, key string) ask {
	header := map[string]string{wire.HeaderIdempotencyKey: key}
	for name, value := range q.header {
		header[name] = value
	}
	q.header = header
	return q
}

// A request that is repeated with its key is carried out once and answered
// twice; another request with it is refused, and so is none of somebody else's.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	q := keyed(post(s, admin, "/images", wire.CreateImage{Name: "a"}), "k")
	first, again := send(t, s, q), send(t, s, q)
	decode[api.Image](t, first, http.StatusCreated)
	decode[api.Image](t, again, http.StatusCreated)
	if string(first.body) != string(again.body) || first.header.Get(wire.HeaderIdempotentReplayed) != "" || again.header.Get(wire.HeaderIdempotentReplayed) != "true" {
		t.Errorf("first %s %v\nagain %s %v", first.body, first.header, again.body, again.header)
	}
	for _, name := range []string{"Location", "ETag", "Content-Type"} {
		if first.header.Get(name) != again.header.Get(name) {
			t.Errorf("%s is %q, then %q", name, first.header.Get(name), again.header.Get(name))
		}
	}
	q.body = wire.CreateImage{Name: "b"}
	wantProblem(t, send(t, s, q), http.StatusUnprocessableEntity, "idempotency_reused")
	wantProblem(t, send(t, s, keyed(post(s, admin, "/users", wire.CreateUser{Login: "x", Role: "viewer"}), "k")), http.StatusUnprocessableEntity, "idempotency_reused")
	wantProblem(t, send(t, s, keyed(post(s, helpdesk, "/images", wire.CreateImage{Name: "a"}), "k")), http.StatusForbidden, "forbidden")
	for _, key := range []string{"", strings.Repeat("k", 201)} {
		wantProblem(t, send(t, s, keyed(post(s, admin, "/images", wire.CreateImage{Name: "c"}), key)), http.StatusUnprocessableEntity, "idempotency_key_invalid")
	}
}

// A refusal changed nothing: its key is good for another try.
func TestRefusalFreesItsKey(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	wantProblem(t, send(t, s, keyed(post(s, admin, "/images", wire.CreateImage{Name: "A!"}), "k")), http.StatusUnprocessableEntity, "name_invalid")
	a := send(t, s, keyed(post(s, admin, "/images", wire.CreateImage{Name: "a"}), "k"))
	decode[api.Image](t, a, http.StatusCreated)
	if a.header.Get(wire.HeaderIdempotentReplayed) != "" {
		t.Error("it was never done before")
	}
}

// A secret is shown once, and is not in the database.
func TestReplayHasNoSecret(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	q := keyed(post(s, admin, "/tokens", wire.CreateToken{Name: "ci", Role: "viewer"}), "k")
	first := decode[api.NewToken](t, send(t, s, q), http.StatusCreated)
	again := send(t, s, q)
	if n := decode[api.NewToken](t, again, http.StatusCreated); n.ID != first.ID || n.Secret != "" || first.Secret == "" {
		t.Errorf("first %+v, then %+v", first, n)
	}
	if h := again.header.Get(wire.HeaderIdempotentOmitted); h != "secret" {
		t.Errorf("omitted is %q", h)
	}
	var kept int
	err := s.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM idempotent_requests WHERE position($1::bytea IN body) > 0`, []byte(first.Secret)).Scan(&kept)
	if err != nil || kept != 0 {
		t.Errorf("%d replies hold the secret, %v", kept, err)
	}
}

// Whatever looks like a secret in the answer to a POST is said to be one.
func TestSecretsAreDeclared(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	var doc struct {
		Paths map[string]map[string]struct {
			ID        string   `json:"operationId"`
			Secrets   []string `json:"x-secrets"`
			Responses map[string]struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					} `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	a := send(t, s, ask{method: "GET", path: "/openapi.json"})
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, item := range doc.Paths {
		op, ok := item["post"]
		if !ok {
			continue
		}
		for status, r := range op.Responses {
			if status >= "300" {
				continue
			}
			for _, c := range r.Content {
				schema := doc.Components.Schemas[strings.TrimPrefix(c.Schema.Ref, "#/components/schemas/")]
				for _, name := range []string{"secret", "token", "password", "client_secret", "link"} {
					if _, has := schema.Properties[name]; has {
						n++
						if !slices.Contains(op.Secrets, name) {
							t.Errorf("%s answers with %s, and does not say that it is a secret", op.ID, name)
						}
					}
				}
			}
		}
	}
	if n < 2 {
		t.Errorf("only %d secrets", n)
	}
}

// The server dies between the change and the keeping of its reply: the change
// is not made again, and the reply is what there is now.
func TestReplyLost(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	s.Connect(t, "bench", stick)
	lose := func() {
		t.Helper()
		if _, err := s.Store.Pool().Exec(t.Context(), `UPDATE idempotent_requests SET status = 0, header = '{}', body = ''`); err != nil {
			t.Fatal(err)
		}
	}
	q := keyed(post(s, helpdesk, "/jobs", wire.QueueJobOf(apitest.Order("win11-ent", "bench", stick))), "k")
	first := decode[api.Job](t, send(t, s, q), http.StatusAccepted)
	lose()
	again := send(t, s, q)
	if j := decode[api.Job](t, again, http.StatusAccepted); j.ID != first.ID || again.header.Get("Location") != rest.Prefix+"/jobs/"+first.ID || again.header.Get("Retry-After") == "" {
		t.Errorf("job %s, then %s %v", first.ID, j.ID, again.header)
	}
	cancel := keyed(post(s, helpdesk, "/jobs/"+first.ID+"/builds/"+first.Builds[0].ID+"/cancellations", nil), "c")
	decode[api.Job](t, send(t, s, cancel), http.StatusAccepted)
	lose()
	if j := decode[api.Job](t, send(t, s, cancel), http.StatusAccepted); j.ID != first.ID || j.State != "cancelled" {
		t.Errorf("job %s is %s", j.ID, j.State)
	}
	token := keyed(post(s, admin, "/tokens", wire.CreateToken{Name: "ci", Role: "viewer"}), "k")
	made := decode[api.NewToken](t, send(t, s, token), http.StatusCreated)
	lose()
	if p := wantProblem(t, send(t, s, token), http.StatusConflict, "idempotency_reply_lost"); !strings.Contains(p.Detail, made.ID) {
		t.Errorf("the token %s is not named: %s", made.ID, p.Detail)
	}
}

// Equal posts at the same moment, to two servers of one database: one job.
func TestEqualPostsAtOnce(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	s.Connect(t, "bench", stick)
	other := *s
	fixture := *s.Fixture
	fixture.Console, fixture.Store = s.Replica(t)
	srv := httptest.NewServer(resttest.Router(t, &fixture))
	t.Cleanup(srv.Close)
	other.URL = srv.URL
	q := keyed(post(s, helpdesk, "/jobs", wire.QueueJobOf(apitest.Order("win11-ent", "bench", stick))), "k")
	answers := make([]answer, 100)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			at := s
			if i%2 == 1 {
				at = &other
			}
			answers[i] = send(t, at, q)
		})
	}
	wg.Wait()
	jobs := map[string]bool{}
	fresh := 0
	for _, a := range answers {
		if a.status == http.StatusConflict {
			wantProblem(t, a, http.StatusConflict, "idempotency_in_flight")
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			continue
		}
		jobs[decode[api.Job](t, a, http.StatusAccepted).ID] = true
		if a.header.Get(wire.HeaderIdempotentReplayed) == "" {
			fresh++
		}
	}
	all, err := s.ListJobs(t.Context(), s.Viewer, api.JobFilter{}, api.Page{})
	if err != nil || len(all.Items) != 1 || len(jobs) != 1 || fresh != 1 {
		t.Errorf("%d jobs, %v answered, %d of them first, %v", len(all.Items), jobs, fresh, err)
	}
}
