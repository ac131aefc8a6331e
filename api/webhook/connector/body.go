package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/stickpress/stickpress/api/fault"
)

// The codes of this file's faults.
const (
	CodeBodyUnreadable fault.Code = "hook_body_unreadable" // neither JSON nor a form
	CodeBodyTooLarge   fault.Code = "hook_body_too_large"  // max_bytes
	CodeBodyTooDeep    fault.Code = "hook_body_too_deep"   // max
)

// Bounds of a delivery.
const (
	MaxBody  = 1 << 20 // bytes
	MaxDepth = 64      // objects and arrays within each other
	maxForm  = 500     // fields of a form
)

// Decode makes one JSON document of a delivery's body: JSON of any shape, in
// any charset that its Content-Type names (UTF-8 if none), or a form, of which
// an only field that holds JSON ("payload=…") is that. Senders get the
// Content-Type wrong often, so it is what the body looks like that counts.
// Faults: hook_body_too_large, hook_body_too_deep, hook_body_unreadable.
func Decode(contentType string, body []byte) (json.RawMessage, error) {
	if len(body) > MaxBody {
		return nil, fault.New(fault.KindTooLarge, CodeBodyTooLarge, "max_bytes", MaxBody)
	}
	kind, params, _ := mime.ParseMediaType(contentType)
	text, err := inUTF8(body, params["charset"])
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if len(text) == 0 {
		return json.RawMessage("{}"), nil
	}
	if looksLikeJSON(text) || kind != "application/x-www-form-urlencoded" && !bytes.ContainsRune(text, '=') {
		return checked(text)
	}
	return formed(text)
}

// inUTF8 is a body in UTF-8. A charset that nobody knows is the fault
// hook_body_unreadable.
func inUTF8(body []byte, label string) ([]byte, error) {
	if label == "" || strings.EqualFold(label, "utf-8") {
		if !utf8.Valid(body) {
			return nil, fault.New(fault.KindInvalid, CodeBodyUnreadable)
		}
		return body, nil
	}
	encoding, err := htmlindex.Get(label)
	if err != nil {
		return nil, fault.Wrap(err, fault.KindInvalid, CodeBodyUnreadable)
	}
	// A byte becomes three at most: what was bounded stays so.
	text, err := io.ReadAll(encoding.NewDecoder().Reader(bytes.NewReader(body)))
	if err != nil || !utf8.Valid(text) {
		return nil, fault.Wrap(err, fault.KindInvalid, CodeBodyUnreadable)
	}
	return text, nil
}

func looksLikeJSON(text []byte) bool { return bytes.IndexByte([]byte(`{["`), text[0]) >= 0 }

// checked is JSON that is well-formed and not too deep.
func checked(text []byte) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	depth := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.KindInvalid, CodeBodyUnreadable)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > MaxDepth {
				return nil, fault.New(fault.KindInvalid, CodeBodyTooDeep, "max", MaxDepth)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	// Tokens let several documents and some commas pass; this does not.
	if !json.Valid(text) {
		return nil, fault.New(fault.KindInvalid, CodeBodyUnreadable)
	}
	return text, nil
}

// formed makes an object of a form: a field that is there twice is a list.
func formed(text []byte) (json.RawMessage, error) {
	values, err := url.ParseQuery(string(text))
	if err != nil || len(values) == 0 || len(values) > maxForm {
		return nil, fault.Wrap(err, fault.KindInvalid, CodeBodyUnreadable)
	}
	object := map[string]any{}
	for name, list := range values {
		for i := range list {
			list[i] = strings.ToValidUTF8(list[i], "\uFFFD")
		}
		if len(values) == 1 && len(list) == 1 && list[0] != "" && looksLikeJSON([]byte(list[0])) {
			return checked([]byte(list[0]))
		}
		object[strings.ToValidUTF8(name, "\uFFFD")] = list
		if len(list) == 1 {
			object[strings.ToValidUTF8(name, "\uFFFD")] = list[0]
		}
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode a form: %w", err)
	}
	return raw, nil
}
