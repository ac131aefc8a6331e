package resttest

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// Shot is a request that an operation does not expect, made of what the document
// says that it does.
type Shot struct {
	Method string
	Path   string // below rest.Prefix, with its query
	Header map[string]string
	Body   []byte // nil without one
}

// Shooter makes shots out of a document, the same ones for the same randomness.
type Shooter struct {
	doc  object
	rand *rand.Rand
	// Known are IDs and names of things that are there.
	Known []string
}

// Shooter aims at the operations of the contract.
func (c *Contract) Shooter(r *rand.Rand, known ...string) *Shooter {
	return &Shooter{doc: c.doc, rand: r, Known: known}
}

// odd are texts that a careless server trips over.
var odd = []string{
	"", " ", "0", "-1", "1e309", "null", "true", "[]", "{}", "NaN", "nope", "%", "\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", "ü", "工单", "🎛", "\u202e",
	"../../etc/passwd", "' OR 1=1 --", "<script>", "${jndi:x}", "9223372036854775807", "-9223372036854775808", "99999999999999999999",
	"job_", "job_00000000000000000000000000", "stick_01jd6y9k3te0mv8b0g2z5q4w7x", "2026-02-30", "2026-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
	strings.Repeat("a", 300), strings.Repeat("ü", 5000), strings.Repeat("[", 3000),
}

func (x *Shooter) odd() string {
	switch x.rand.IntN(4) {
	case 0:
		if len(x.Known) > 0 {
			return x.Known[x.rand.IntN(len(x.Known))]
		}
	case 1: // an ID of some kind that names nothing, or nearly one that does
		kind := []string{"job_", "image_", "version_", "host_", "stick_", "user_", "token_", "site_", "build_", "template_", "webhook_", "connector_"}
		const letters = "0123456789abcdefghjkmnpqrstvwxyz"
		id := []byte(kind[x.rand.IntN(len(kind))])
		for range 26 {
			id = append(id, letters[x.rand.IntN(len(letters))])
		}
		return string(id)
	}
	return odd[x.rand.IntN(len(odd))]
}

// At aims at one operation, "POST /jobs/{job}/retries". raw, if not nil, is
// the body as it is.
func (x *Shooter) At(operation string, raw []byte) Shot {
	method, path, _ := strings.Cut(operation, " ")
	op := x.doc["paths"].(object)[path].(object)[strings.ToLower(method)].(object)
	s := Shot{Method: method, Header: map[string]string{}}
	query := url.Values{}
	parameters, _ := op["parameters"].([]any)
	for _, p := range parameters {
		p := p.(object)
		name := p["name"].(string)
		switch p["in"] {
		case "path":
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(x.odd()))
		case "query":
			if x.rand.IntN(3) == 0 {
				query.Add(name, x.odd())
			}
		case "header":
			x.header(&s, name)
		}
	}
	if x.rand.IntN(20) == 0 {
		query.Add(x.odd(), x.odd())
	}
	s.Path = path
	if len(query) > 0 {
		s.Path += "?" + query.Encode()
	}
	s.Body = raw
	if body, ok := op["requestBody"].(object); ok && raw == nil && x.rand.IntN(12) != 0 {
		x.body(&s, body["content"].(object))
	}
	return s
}

func (x *Shooter) header(s *Shot, name string) {
	var value string
	switch {
	case name == "Idempotency-Key" && x.rand.IntN(4) != 0:
		return
	case name == "If-Match" && x.rand.IntN(4) != 0:
		value = []string{"*", `"1"`, `W/"2"`}[x.rand.IntN(3)]
	case x.rand.IntN(3) == 0:
		return
	default:
		value = x.odd()
	}
	// What no client can send is no test of the server.
	if len(value) < 2000 && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		s.Header[name] = value
	}
}

func (x *Shooter) body(s *Shot, content object) {
	kinds := make([]string, 0, len(content))
	for kind := range content {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	kind := kinds[x.rand.IntN(len(kinds))]
	s.Header["Content-Type"] = kind
	if !strings.HasSuffix(kind, "json") {
		s.Body = []byte(x.odd())
		return
	}
	schema, _ := content[kind].(object)["schema"].(object)
	s.Body, _ = json.Marshal(x.value(schema, 0)) // of what JSON has
	switch x.rand.IntN(12) {
	case 0:
		s.Body = s.Body[:x.rand.IntN(len(s.Body)+1)]
	case 1: // bytes that are no text, where a text is
		s.Body = []byte(strings.ReplaceAll(string(s.Body), "a", "\xff"))
	case 2:
		s.Body = []byte(strings.ReplaceAll(string(s.Body), `":"`, `":"\u0000\ud800`))
	}
}

// value is of a schema, mostly.
func (x *Shooter) value(schema object, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema, _ = x.doc["components"].(object)["schemas"].(object)[strings.TrimPrefix(ref, "#/components/schemas/")].(object)
	}
	if x.rand.IntN(10) == 0 || depth > 8 {
		return []any{nil, true, -1, 1e300, int64(1) << 62, x.odd(), []any{}, object{}, []any{nil, nil}}[x.rand.IntN(9)]
	}
	if enum, ok := schema["enum"].([]any); ok && x.rand.IntN(4) != 0 {
		return enum[x.rand.IntN(len(enum))]
	}
	types := typesOf(schema)
	if len(types) == 0 {
		return x.odd()
	}
	switch types[0] {
	case "string":
		return x.odd()
	case "integer":
		return []int64{0, 1, 2, 3, -1, 1 << 31, -1 << 31, 1<<63 - 1, -1 << 63}[x.rand.IntN(9)]
	case "number":
		return x.rand.NormFloat64() * 1e12
	case "boolean":
		return x.rand.IntN(2) == 0
	case "array":
		items, _ := schema["items"].(object)
		out := make([]any, x.rand.IntN(4))
		if x.rand.IntN(20) == 0 {
			out = make([]any, 500)
		}
		for i := range out {
			out[i] = x.value(items, depth+1)
		}
		return out
	}
	return x.object(schema, depth)
}

func (x *Shooter) object(schema object, depth int) any {
	out := object{}
	properties, _ := schema["properties"].(object)
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same randomness makes the same
	required, _ := schema["required"].([]any)
	for _, name := range names {
		if x.rand.IntN(2) == 0 || slices.Contains(required, any(name)) && x.rand.IntN(15) != 0 {
			out[name] = x.value(properties[name].(object), depth+1)
		}
	}
	if x.rand.IntN(20) == 0 {
		out[x.odd()] = x.odd()
	}
	return out
}
