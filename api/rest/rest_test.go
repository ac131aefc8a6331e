package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// ask is one request.
type ask struct {
	method string
	path   string            // below rest.Prefix
	token  string            // none if empty
	body   any               // as JSON; a string goes as it is
	header map[string]string // "Content-Type" replaces that of JSON
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func send(t *testing.T, s *resttest.Server, q ask) answer {
	t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(request(t.Context(), t, s, q))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, raw}
}

func request(ctx context.Context, t *testing.T, s *resttest.Server, q ask) *http.Request {
	t.Helper()
	var body io.Reader
	switch b := q.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, s.URL+rest.Prefix+q.path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	return req
}

// decode reads an answer with this status.
func decode[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var v T
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// wantProblem reads a refusal and compares status and code.
func wantProblem(t *testing.T, a answer, status int, code string) wire.Problem {
	t.Helper()
	p := decode[wire.Problem](t, a, status)
	if kind := a.header.Get("Content-Type"); kind != wire.ProblemType {
		t.Errorf("media type %s", kind)
	}
	if p.Code != code || p.Status != status || p.Type != "urn:stickpress:fault:"+code || p.Title != http.StatusText(status) {
		t.Errorf("problem is %+v, want %s", p, code)
	}
	if p.Detail == "" || p.RequestID == "" || p.RequestID != a.header.Get(wire.HeaderRequestID) {
		t.Errorf("problem is %+v, want a sentence and the request's ID", p)
	}
	return p
}

func get(s *resttest.Server, role api.Role, path string) ask {
	return ask{method: http.MethodGet, path: path, token: s.Token(role)}
}

func post(s *resttest.Server, role api.Role, path string, body any) ask {
	return ask{method: http.MethodPost, path: path, token: s.Token(role), body: body}
}

// patch and remove are done to whatever is there.
func patch(s *resttest.Server, role api.Role, path string, body any) ask {
	return ask{method: http.MethodPatch, path: path, token: s.Token(role), body: body, header: map[string]string{"If-Match": "*"}}
}

func remove(s *resttest.Server, role api.Role, path string) ask {
	return ask{method: http.MethodDelete, path: path, token: s.Token(role), header: map[string]string{"If-Match": "*"}}
}

// put overwrites whatever is there.
func put(s *resttest.Server, role api.Role, path string, body any) ask {
	return ask{method: http.MethodPut, path: path, token: s.Token(role), body: body, header: map[string]string{"If-Match": "*"}}
}
