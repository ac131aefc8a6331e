package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// encodeJSON encodes v for a jsonb column. Postgres refuses U+0000 there, and
// a USB descriptor or a tool's output may well hold one: a host must not be
// able to send what can never be stored, so it becomes U+FFFD.
func encodeJSON(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	if !bytes.Contains(raw, []byte(`\u0000`)) {
		return raw, nil
	}
	for i := 0; i < len(raw)-5; i++ {
		if raw[i] != '\\' {
			continue
		}
		if string(raw[i:i+6]) == `\u0000` {
			copy(raw[i:], `\ufffd`)
		}
		i++ // the escaped character, which may be a backslash itself
	}
	return raw, nil
}

// optionalJSON is encodeJSON with nil as NULL.
func optionalJSON(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	return encodeJSON(v)
}

// cleanText makes text from outside storable: valid UTF-8 without U+0000.
func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
