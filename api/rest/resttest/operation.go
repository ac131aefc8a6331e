package resttest

import (
	"encoding/json"
	"strings"

	"github.com/stickpress/stickpress/api/rest/wire"
)

// Operation is what the document says of one.
type Operation struct {
	Name    string // "GET /jobs/{job}"
	ID      string
	Summary string
	Access  wire.Access
	Stream  bool // its answer goes on until one of both ends it
}

// Find returns the operation that a request is for; ok is false if the document
// has none.
func (c *Contract) Find(method, path string) (o Operation, ok bool) {
	path, _, _ = strings.Cut(path, "?")
	best := len(path) + 1
	for template, item := range c.doc["paths"].(object) {
		params, fits := matches(template, path)
		if op, has := item.(object)[strings.ToLower(method)].(object); fits && has && params < best {
			o, ok, best = c.describe(method+" "+template, op), true, params
		}
	}
	return o, ok
}

// All are the operations of the document.
func (c *Contract) All() (all []Operation) {
	for path, item := range c.doc["paths"].(object) {
		for method, op := range item.(object) {
			all = append(all, c.describe(strings.ToUpper(method)+" "+path, op.(object)))
		}
	}
	return all
}

func (c *Contract) describe(name string, op object) Operation {
	o := Operation{Name: name}
	o.ID, _ = op["operationId"].(string)
	o.Summary, _ = op["summary"].(string)
	raw, err := json.Marshal(op[wire.AccessExtension])
	if err == nil {
		err = json.Unmarshal(raw, &o.Access)
	}
	if err != nil || len(o.Access.Sites) == 0 {
		c.t.Errorf("%s does not say whom it is for: %s, %v", name, raw, err)
	}
	for _, response := range op["responses"].(object) {
		content, _ := response.(object)["content"].(object)
		if _, streams := content["text/event-stream"]; streams {
			o.Stream = true
		}
	}
	return o
}
