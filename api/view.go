package api

import (
	"context"
	"maps"
	"net/url"
	"slices"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// View is a list as somebody keeps it: what it is narrowed by, under a name.
type View struct {
	ID       string `json:"id"`
	List     string `json:"list"` // a name that Lists has
	Name     string `json:"name"`
	Query    string `json:"query"` // as in the list's address, without the question mark
	Shared   bool   `json:"shared"`
	Revision int64  `json:"revision"`
}

// viewable is a list that views are of: who may see it, and how a query is cut
// down to what its fields know, in one spelling.
type viewable struct {
	use   UseCase
	spell func(url.Values) string
}

var lists = map[string]viewable{
	"jobs":           {UseListJobs, canonical(JobFields)},
	"sticks":         {UseListSticks, canonical(StickFields)},
	"hosts":          {UseListHosts, canonical(HostFields)},
	"images":         {UseListImages, canonical(ImageFields)},
	"versions":       {UseListImages, canonical(VersionFields)},
	"templates":      {UseListTemplates, canonical(ShelfFields)},
	"task-sequences": {UseListTaskSequences, canonical(ShelfFields)},
	"sites":          {UseListSites, canonical(ShelfFields)},
	"tokens":         {UseListTokens, canonical(TokenFields)},
	"webhooks":       {UseListWebhooks, canonical(WebhookFields)},
	"connectors":     {UseListConnectors, canonical(ShelfFields)},
	"requests":       {UseListStickRequests, canonical(StickRequestFields)},
	"users":          {UseListUsers, canonical(UserFields)},
	"settings":       {UseListSettings, canonical(SettingFields)},
	"audit":          {UseListAudit, canonical(AuditFields)},
}

func canonical[F any](fields []Field[F]) func(url.Values) string {
	return func(query url.Values) string {
		f, _ := ReadFilter(fields, query)
		return WriteFilter(fields, &f).Encode()
	}
}

// maxViews is how many views of a list are shown, and maxViewQuery how long the
// query of one may be, in bytes.
const (
	maxViews     = 50
	maxViewQuery = 2000
)

// ListViews lists the actor's own views and everybody's, those first, by name;
// of one list, or of all with an empty one.
func (c *Console) ListViews(ctx context.Context, a Actor, list string) ([]View, error) {
	if err := allow(a, UseListViews); err != nil {
		return nil, err
	}
	user, err := optional[store.UserID]("user", a.UserID)
	if err != nil {
		return nil, err
	}
	limit := maxViews
	if list == "" {
		limit *= len(lists)
	}
	rows, err := c.store.Views(ctx, user, list, limit)
	out := make([]View, 0, len(rows))
	for _, v := range rows {
		if a.Can(lists[v.List].use) { // everybody's may be of an admin's list
			out = append(out, viewOf(v))
		}
	}
	return out, err
}

// GetView returns a view: one's own, or everybody's. Faults: view_not_found.
func (c *Console) GetView(ctx context.Context, a Actor, id string) (View, error) {
	if err := allow(a, UseListViews); err != nil {
		return View{}, err
	}
	key, err := parse[store.ViewID]("view", id)
	if err != nil {
		return View{}, err
	}
	v, err := c.store.View(ctx, key)
	if err == nil && !v.UserID.IsZero() && v.UserID.String() != a.UserID {
		err = store.NotFound("view", id)
	}
	return viewOf(v), err
}

// SaveViewInput is a new view, or what changes of one.
type SaveViewInput struct {
	ID       string // empty for a new one
	List     string // of a new one
	Name     string
	Query    string // what the list does not know is left out
	Shared   bool   // of a new one: everybody's (admin)
	Revision int64  // as seen; 0 does not check
}

// SaveView keeps or changes a view: one's own, or as an admin everybody's.
// Faults: view_not_found, list_unknown, name_invalid, name_taken,
// filter_text_invalid, stale.
func (c *Console) SaveView(ctx context.Context, a Actor, in SaveViewInput) (View, error) {
	if err := allow(a, UseSaveView); err != nil {
		return View{}, err
	}
	name, wrongName := cleanName("view", in.Name)
	var out store.View
	err := c.change(ctx, a, UseSaveView, func(tx *store.Tx, by store.Actor) error {
		v := store.View{List: in.List}
		var before any
		var err error
		if in.ID != "" {
			if v, err = ownView(ctx, tx, a, in.ID); err != nil {
				return err
			}
			before = viewOf(v)
		} else if v.UserID, err = viewOwner(a, in.Shared); err != nil {
			return err
		}
		query, err := viewQuery(a, v.List, in.Query)
		if err := fault.All(wrongName, err); err != nil {
			return err
		}
		if in.ID == "" {
			v.Name, v.Query = name, query
			out, err = tx.CreateView(ctx, v)
		} else {
			out, err = tx.UpdateView(ctx, v.ID, seen(in.Revision, v.Revision), name, query)
		}
		if err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveView), ObjectKind: "view", ObjectID: out.ID.String(), Before: before, After: viewOf(out),
		})
	})
	return viewOf(out), err
}

// DeleteView forgets a view: one's own, or as an admin everybody's. With a
// revision, one that changed since is kept. Faults: view_not_found, stale.
func (c *Console) DeleteView(ctx context.Context, a Actor, id string, revision int64) error {
	return c.change(ctx, a, UseSaveView, func(tx *store.Tx, by store.Actor) error {
		v, err := ownView(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if _, err := tx.DeleteView(ctx, v.ID, seen(revision, v.Revision)); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveView), ObjectKind: "view", ObjectID: id, Before: viewOf(v),
		})
	})
}

// viewOwner is whose a new view is.
func viewOwner(a Actor, shared bool) (store.UserID, error) {
	if shared {
		return store.UserID{}, allow(a, UseShareView)
	}
	return parse[store.UserID]("user", a.UserID)
}

// ownView finds a view that the actor may change.
func ownView(ctx context.Context, tx *store.Tx, a Actor, id string) (store.View, error) {
	key, err := parse[store.ViewID]("view", id)
	if err != nil {
		return store.View{}, err
	}
	v, err := tx.View(ctx, key)
	switch {
	case err != nil:
		return v, err
	case v.UserID.IsZero():
		return v, allow(a, UseShareView)
	case v.UserID.String() != a.UserID:
		return v, store.NotFound("view", id)
	}
	return v, nil
}

// viewQuery is a query in the list's own spelling.
func viewQuery(a Actor, list, query string) (string, error) {
	l, ok := lists[list]
	if !ok {
		return "", fault.New(fault.KindInvalid, CodeListUnknown, "list", list, "lists", oneOf(slices.Sorted(maps.Keys(lists)))).At("list")
	}
	if err := allow(a, l.use); err != nil {
		return "", err
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(query) > maxViewQuery {
		return "", fault.New(fault.KindInvalid, CodeFilterText, "max", maxViewQuery).At("query")
	}
	return l.spell(values), nil
}

func viewOf(v store.View) View {
	return View{ID: v.ID.String(), List: v.List, Name: v.Name, Query: v.Query, Shared: v.UserID.IsZero(), Revision: v.Revision}
}
