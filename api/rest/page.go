package rest

import (
	"cmp"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Paging is the part of a list request that every list has. It is exported
// because huma looks for parameters in exported embedded types only.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"1000" doc:"'next_cursor' of the page before; the first page if left out."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"Items of a page; 50 if left out."`
	url    url.URL
}

// Resolve implements huma.Resolver.
func (p *Paging) Resolve(ctx huma.Context) []error {
	p.url = ctx.URL()
	return nil
}

func (p *Paging) page() api.Page { return api.Page{After: p.Cursor, Limit: p.Limit} }

// listed is one page of a list.
type listed[T any] struct {
	Link string `header:"Link" doc:"The next page, rel=next, if there is one."`
	Body api.List[T]
}

// pageOf answers with a list.
func pageOf[T any](p *Paging, l api.List[T], err error) (*listed[T], error) {
	if err != nil {
		return nil, err
	}
	out := &listed[T]{Body: l}
	if out.Body.Items == nil {
		out.Body.Items = []T{}
	}
	if l.Next != "" {
		q := p.url.Query()
		q.Set("cursor", l.Next)
		out.Link = "<" + p.url.Path + "?" + q.Encode() + `>; rel="next"`
	}
	return out, nil
}

// seq is the cursor of a history: the number of the last event seen.
func (p *Paging) seq() (int64, error) {
	if p.Cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(p.Cursor, 10, 63)
	if err != nil {
		return 0, fault.Wrap(err, fault.KindInvalid, api.CodeCursorInvalid).At("cursor")
	}
	return int64(n), nil //nolint:gosec // 63 bits
}

// historyOf answers with events, of which the use case gives api.MaxPage.
func historyOf[T any](p *Paging, events []T, seq func(*T) int64, err error) (*listed[T], error) {
	l := api.List[T]{Items: events}
	limit := cmp.Or(p.Limit, api.DefaultPage)
	if n := len(events); n > limit || n == api.MaxPage {
		l.Items = events[:min(n, limit)]
		l.Next = strconv.FormatInt(seq(&l.Items[len(l.Items)-1]), 10)
	}
	return pageOf(p, l, err)
}

// whole is a list without pages, of which there are few.
type whole[T any] struct {
	Body wire.Items[T]
}

// itemsOf answers with a list without pages.
func itemsOf[T any](items []T, err error) (*whole[T], error) {
	if err != nil {
		return nil, err
	}
	return &whole[T]{Body: wire.Items[T]{Items: append([]T{}, items...)}}, nil
}
