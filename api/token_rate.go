package api

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/stickpress/stickpress/api/fault"
)

const (
	// tokenRate is how many requests a token may make in a minute, until an admin
	// says otherwise.
	tokenRate    = 6000
	maxTokenRate = 1_000_000
)

// tokenCounts has the requests of tokens in a minute. Each replica counts for
// itself.
type tokenCounts struct {
	mu    sync.Mutex
	table table
}

// takeToken counts a request of a token, and refuses one too many. Faults:
// token_rate (retry_seconds).
func (c *Console) takeToken(ctx context.Context, id string) error {
	s, err := c.setting(ctx, SettingTokenRate)
	if err != nil {
		return err
	}
	most, err := strconv.Atoi(s.Value)
	if err != nil {
		return err
	}
	c.tokens.mu.Lock()
	c.tokens.table.most = most
	ok, wait := c.tokens.table.take(id, c.now(), time.Minute)
	c.tokens.mu.Unlock()
	if !ok {
		return fault.New(fault.KindTooMany, CodeTokenRate, "retry_seconds", int64((wait+time.Second-1)/time.Second), "most", most)
	}
	return nil
}
