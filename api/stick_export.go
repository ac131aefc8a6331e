package api

import "context"

// CountSticks counts the sticks of the actor's sites that a filter lets through.
// Faults: those of ListSticks.
func (c *Console) CountSticks(ctx context.Context, a Actor, f StickFilter) (int, error) {
	if err := allow(a, UseListSticks); err != nil {
		return 0, err
	}
	query, err := c.stickQuery(ctx, a, &f)
	if err != nil {
		return 0, err
	}
	return c.store.CountSticks(ctx, query)
}

// ExportSticks hands over the sticks that a filter lets through one by one, newest
// first, page by page, so that no list is too long. Faults: those of ListSticks,
// and whatever each returns.
func (c *Console) ExportSticks(ctx context.Context, a Actor, f StickFilter, each func(Stick) error) error {
	p := Page{Limit: MaxPage}
	for {
		l, err := c.ListSticks(ctx, a, f, p)
		if err != nil {
			return err
		}
		for _, s := range l.Items {
			if err := each(s); err != nil {
				return err
			}
		}
		if l.Next == "" {
			return nil
		}
		p.After = l.Next
	}
}
