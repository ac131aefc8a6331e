package api

import (
	"encoding/binary"
	"encoding/json"
	"testing"
	"time"
)

// How long a token is good may be written as a text, and is an hour at most.
func TestLifeOf(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Duration{
		"": 0, "null": 0, `"soon"`: 0, "0": 0, "-1": 0, `"NaN"`: 0, "{}": 0, "3599": 3599 * time.Second, `"300"`: 5 * time.Minute, "61.5": 61500 * time.Millisecond,
		"86400": time.Hour, "1e300": time.Hour,
	} {
		if got := lifeOf(json.RawMessage(raw)); got != want {
			t.Errorf("%s is %s, want %s", raw, got, want)
		}
	}
}

// Tokens that are over make room for others; there are never more than so many.
func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	var tokens ticketTokens
	now := time.Now()
	requests := make([]tokenRequest, mostTokens+1)
	for i := range requests {
		binary.BigEndian.PutUint16(requests[i].id[:], uint16(i))
		tokens.keep(ticketToken{requests[i], "one", now.Add(time.Minute)}, now)
	}
	last := requests[mostTokens]
	if _, ok := tokens.find(&last, now); ok || len(tokens.kept) != mostTokens {
		t.Errorf("%d are kept", len(tokens.kept))
	}
	later := now.Add(time.Minute)
	tokens.keep(ticketToken{last, "another", later.Add(time.Minute)}, later)
	if got, ok := tokens.find(&last, later); !ok || got != "another" || len(tokens.kept) != 1 {
		t.Errorf("%q, %t: %d are kept", got, ok, len(tokens.kept))
	}
	tokens.drop(last.id, "one") // which was refused, while another was fetched
	if _, ok := tokens.find(&last, later); !ok {
		t.Error("the newer one is gone")
	}
}
