package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stickpress/stickpress/api"
)

// All goes through every page of a list, such as All(ctx, c.ListImages). It
// ends with the first error.
func All[T any](ctx context.Context, list func(context.Context, api.Page) (api.List[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		p := api.Page{Limit: api.MaxPage}
		for {
			l, err := list(ctx, p)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range l.Items {
				if !yield(v, nil) {
					return
				}
			}
			if l.Next == "" {
				return
			}
			p.After = l.Next
		}
	}
}

// query makes a page's parameters; pairs of names and values are added unless
// the value is empty.
func query(p api.Page, pairs ...string) url.Values {
	v := url.Values{}
	if p.After != "" {
		v.Set("after", p.After)
	}
	if p.Limit != 0 {
		v.Set("limit", strconv.Itoa(p.Limit))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// read gets one thing.
func read[T any](ctx context.Context, c *Client, path string, q url.Values) (T, error) {
	var out T
	err := c.do(ctx, call{method: http.MethodGet, path: path, query: q}, &out)
	return out, err
}

// send posts or puts a body and returns the answer.
func send[T any](ctx context.Context, c *Client, q call) (T, error) {
	var out T
	err := c.do(ctx, q, &out)
	return out, err
}
