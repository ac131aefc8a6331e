package resttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/api/rest"
)

// Contract is a handler that holds every answer of the one within it to the
// OpenAPI document: the operation, the status, the media type and the body,
// of streams each event. A difference fails the test.
type Contract struct {
	t    testing.TB
	next http.Handler
	doc  object

	mu   sync.Mutex
	seen map[string]map[int]bool // operation ID → statuses
	more chan struct{}           // closed when seen has more
}

type object = map[string]any

// NewContract reads the document from the handler itself, without a token.
func NewContract(t testing.TB, next http.Handler) *Contract {
	t.Helper()
	c := &Contract{t: t, next: next, seen: map[string]map[int]bool{}, more: make(chan struct{})}
	w := httptest.NewRecorder()
	next.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, rest.Prefix+"/openapi.json", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &c.doc); err != nil {
		t.Fatalf("read the OpenAPI document (status %d): %v", w.Code, err)
	}
	return c
}

// Operations are the IDs of all operations of the document by method and path
// ("GET /jobs/{job}").
func (c *Contract) Operations() map[string]string {
	all := map[string]string{}
	for path, item := range c.doc["paths"].(object) {
		for method, op := range item.(object) {
			all[strings.ToUpper(method)+" "+path], _ = op.(object)["operationId"].(string)
		}
	}
	return all
}

// Seen reports whether an operation was answered with a status that ok takes.
func (c *Contract) Seen(operation string, ok func(status int) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for status := range c.seen[operation] {
		if ok(status) {
			return true
		}
	}
	return false
}

// Await waits until an operation was answered with a status: a stream is when it
// has ended.
func (c *Contract) Await(ctx context.Context, operation string, status int) error {
	for {
		c.mu.Lock()
		seen, more := c.seen[operation][status], c.more
		c.mu.Unlock()
		if seen {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%s was not answered with %d: %w", operation, status, ctx.Err())
		}
	}
}

// ServeHTTP implements http.Handler.
func (c *Contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &copied{ResponseWriter: w}
	c.next.ServeHTTP(answer, r)
	path, below := strings.CutPrefix(r.URL.EscapedPath(), rest.Prefix)
	if !below || strings.HasPrefix(path, "/openapi.") {
		return
	}
	if err := c.check(r.Method, path, answer); err != nil {
		c.t.Errorf("%s %s is answered with %d: %v\n%.2000s", r.Method, r.URL.Path, answer.status, err, answer.body.String())
	}
}

func (c *Contract) check(method, path string, a *copied) error {
	status := strconv.Itoa(a.status)
	op := c.operation(method, path)
	var responses object
	if op == nil {
		if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed && a.status != http.StatusUnauthorized {
			return fmt.Errorf("this operation is not in the document")
		}
		problem := object{"content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}}
		responses = object{"default": problem}
	} else {
		c.note(op["operationId"].(string), a.status)
		responses = op["responses"].(object)
	}
	response, ok := responses[status].(object)
	if !ok {
		if a.status < http.StatusBadRequest {
			return fmt.Errorf("this status is not in the document")
		}
		response = responses["default"].(object)
	}
	if method == http.MethodHead {
		return nil
	}
	contents, _ := response["content"].(object)
	if len(contents) == 0 {
		if a.body.Len() > 0 {
			return fmt.Errorf("the document has no body")
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(a.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	media, ok := contents[kind].(object)
	if !ok {
		return fmt.Errorf("media type %s is not in the document", kind)
	}
	schema := media["schema"].(object)
	switch {
	case kind == "text/event-stream":
		return c.checkEvents(schema["x-event-data"].(object), a.body.String())
	case strings.HasSuffix(kind, "json"):
		if err := c.checkJSON(schema, a.body.Bytes()); err != nil || a.status < http.StatusBadRequest {
			return err
		}
		return c.checkLocations(op, a.body.Bytes())
	}
	return nil
}

func (c *Contract) checkEvents(schema object, text string) error {
	for line := range strings.Lines(text) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := c.checkJSON(schema, []byte(data)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Contract) checkJSON(schema object, raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	return c.validate("body", schema, v)
}

// operation finds what the document says of a method and path, or nil. A
// template without parameters goes before one with.
func (c *Contract) operation(method, path string) object {
	var best object
	fewest := len(path) + 1
	for template, item := range c.doc["paths"].(object) {
		params, ok := matches(template, path)
		op, has := item.(object)[strings.ToLower(method)].(object)
		if ok && has && params < fewest {
			best, fewest = op, params
		}
	}
	return best
}

// matches compares a path with a template and counts its parameters.
func matches(template, path string) (params int, ok bool) {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return 0, false
	}
	for i := range want {
		switch {
		case strings.HasPrefix(want[i], "{") && (have[i] != "" || i < len(want)-1): // an empty one is routed, and refused
			params++
		case want[i] != have[i]:
			return 0, false
		}
	}
	return params, true
}

func (c *Contract) note(operation string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[operation] == nil {
		c.seen[operation] = map[int]bool{}
	}
	c.seen[operation][status] = true
	close(c.more)
	c.more = make(chan struct{})
}

// copied keeps what passes through.
type copied struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (a *copied) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *copied) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.body.Write(p)
	return a.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (a *copied) Unwrap() http.ResponseWriter { return a.ResponseWriter }
