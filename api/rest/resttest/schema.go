package resttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// validate holds a value to a schema: the parts of JSON Schema 2020-12 that
// the document uses.
func (c *Contract) validate(at string, schema object, v any) error {
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		target, ok := c.doc["components"].(object)["schemas"].(object)[name].(object)
		if !ok {
			return fmt.Errorf("%s: the document has no schema %s", at, ref)
		}
		return c.validate(at, target, v)
	}
	if types := typesOf(schema); len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return is(t, v) }) {
		return fmt.Errorf("%s is %v, not %s", at, v, strings.Join(types, " or "))
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		return fmt.Errorf("%s is %v, not one of %v", at, v, enum)
	}
	switch v := v.(type) {
	case string:
		if schema["format"] == "date-time" {
			t, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			if t.IsZero() {
				return fmt.Errorf("%s is the year 1: what has not happened is left out", at)
			}
		}
	case []any:
		items, ok := schema["items"].(object)
		if !ok {
			return nil
		}
		for i, item := range v {
			if err := c.validate(at+"["+strconv.Itoa(i)+"]", items, item); err != nil {
				return err
			}
		}
	case object:
		return c.validateObject(at, schema, v)
	}
	return nil
}

func (c *Contract) validateObject(at string, schema, v object) error {
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			return fmt.Errorf("%s.%s is missing", at, name)
		}
	}
	properties, _ := schema["properties"].(object)
	for name, value := range v {
		property, ok := properties[name].(object)
		if !ok {
			switch more := schema["additionalProperties"].(type) {
			case bool:
				if !more {
					return fmt.Errorf("%s.%s is not in the document", at, name)
				}
				continue
			case object:
				property = more
			default:
				continue
			}
		}
		if err := c.validate(at+"."+name, property, value); err != nil {
			return err
		}
	}
	return nil
}

// typesOf returns a schema's types; none means any.
func typesOf(schema object) []string {
	switch t := schema["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var all []string
		for _, one := range t {
			all = append(all, one.(string))
		}
		return all
	}
	return nil
}

func is(kind string, v any) bool {
	switch v := v.(type) {
	case nil:
		return kind == "null"
	case bool:
		return kind == "boolean"
	case string:
		return kind == "string"
	case []any:
		return kind == "array"
	case object:
		return kind == "object"
	case json.Number:
		_, err := v.Int64()
		return kind == "number" || (kind == "integer" && err == nil)
	}
	return false
}
