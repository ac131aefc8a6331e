package resttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/api/rest/wire"
)

// checkLocations holds what a refusal blames to what the document says that the
// operation takes: who fills in a form, or a command line, looks there.
func (c *Contract) checkLocations(op object, raw []byte) error {
	var p wire.Problem
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	for _, e := range p.Errors {
		if e.Code == "" {
			continue // huma names what the document has not, too
		}
		in, field, _ := strings.Cut(e.Location, ".")
		if !c.takes(op, in, field) {
			return fmt.Errorf("%s of %s is no input of the operation", e.Location, e.Code)
		}
	}
	if p.Field != "" && len(p.Errors) == 0 {
		return fmt.Errorf("field %s of %s is no input of the operation", p.Field, p.Code)
	}
	return nil
}

func (c *Contract) takes(op object, in, field string) bool {
	if in != "body" {
		parameters, _ := op["parameters"].([]any)
		return slices.ContainsFunc(parameters, func(p any) bool { return p.(object)["in"] == in && p.(object)["name"] == field })
	}
	body, _ := op["requestBody"].(object)
	contents, _ := body["content"].(object)
	for _, media := range contents {
		schema, _ := media.(object)["schema"].(object)
		if c.has(schema, strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' })) {
			return true
		}
	}
	return false
}

// has reports whether a schema has a property that is named by the way to it.
func (c *Contract) has(schema object, way []string) bool {
	if ref, ok := schema["$ref"].(string); ok {
		schema, _ = c.doc["components"].(object)["schemas"].(object)[strings.TrimPrefix(ref, "#/components/schemas/")].(object)
	}
	if len(way) == 0 || schema["type"] == "string" && way[0] == "rows" { // a table is one text
		return schema != nil
	}
	properties, _ := schema["properties"].(object)
	for _, next := range []any{properties[way[0]], schema["additionalProperties"], schema["items"]} {
		if below, ok := next.(object); ok {
			return c.has(below, way[1:])
		}
	}
	return false
}
