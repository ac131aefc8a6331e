package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stickpress/stickpress/api"
)

// All goes through every page of a list. It ends with the first error.
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

// query makes a page's parameters.
func query(p api.Page) url.Values { return into(url.Values{}, p) }

// narrowed makes the parameters of a page of a list that a filter narrows.
func narrowed[F any](fields []api.Field[F], f F, p api.Page) url.Values {
	return into(api.WriteFilter(fields, &f), p)
}

func into(v url.Values, p api.Page) url.Values {
	if p.After != "" {
		v.Set("cursor", p.After)
	}
	if p.Limit != 0 {
		v.Set("limit", strconv.Itoa(p.Limit))
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
