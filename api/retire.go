package api

import (
	"context"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// ShelfFilter narrows the lists of things that can be retired (templates, task
// sequences, sites); empty fields do not.
type ShelfFilter struct {
	State  string // "retired"; empty: those in use
	Search string // what the name holds, whatever its case
}

const stateRetired = "retired"

// ShelfFields are the fields of a ShelfFilter.
var ShelfFields = []Field[ShelfFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "What its name holds, whatever its case."}, func(f *ShelfFilter) *string { return &f.Search }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{stateRetired}, Doc: "Those out of use; without it those in use."}, func(f *ShelfFilter) *string { return &f.State }},
}

func (f *ShelfFilter) shelf(p Page) (store.Shelf, error) {
	return store.Shelf{Retired: f.State == stateRetired, Search: f.Search, Page: p.byName()}, checkFilter(ShelfFields, f)
}

// RetireInput takes a thing out of use, or back into it. Nothing that was made
// with it changes.
type RetireInput struct {
	ID       string
	Back     bool // into use
	Reason   string
	Revision int64 // as seen; 0 does not check
}

// RetireTemplate takes a template out of use (admin): no new version of a task
// sequence may take it. Those that have it keep it.
// Faults: template_not_found, stale.
func (c *Console) RetireTemplate(ctx context.Context, a Actor, in RetireInput) (Template, error) {
	if err := allow(a, UseRetireTemplate); err != nil {
		return Template{}, err
	}
	id, err := parse[store.TemplateID]("template", in.ID)
	if err != nil {
		return Template{}, err
	}
	err = c.change(ctx, a, UseRetireTemplate, func(tx *store.Tx, by store.Actor) error {
		t, err := tx.Template(ctx, id)
		if err != nil {
			return err
		}
		if _, err := tx.RetireTemplate(ctx, id, seen(in.Revision, t.Revision), !in.Back); err != nil {
			return err
		}
		return tx.Audit(ctx, in.audit(by, UseRetireTemplate, "template", t.RetiredAt != nil))
	})
	if err != nil {
		return Template{}, err
	}
	return c.GetTemplate(ctx, a, in.ID)
}

// RetireTaskSequence takes a task sequence out of use (admin): no new job may
// follow it. Jobs that are queued go on. The last one in use stays.
// Faults: task_sequence_not_found, task_sequence_last, stale.
func (c *Console) RetireTaskSequence(ctx context.Context, a Actor, in RetireInput) (TaskSequence, error) {
	if err := allow(a, UseRetireSequence); err != nil {
		return TaskSequence{}, err
	}
	id, err := parse[store.SequenceID]("task_sequence", in.ID)
	if err != nil {
		return TaskSequence{}, err
	}
	err = c.change(ctx, a, UseRetireSequence, func(tx *store.Tx, by store.Actor) error {
		s, err := tx.Sequence(ctx, id)
		if err != nil {
			return err
		}
		if _, err := tx.RetireSequence(ctx, id, seen(in.Revision, s.Revision), !in.Back); err != nil {
			return err
		}
		if _, err := tx.OldestSequence(ctx); isNotFound(err, "task_sequence") {
			return fault.New(fault.KindConflict, CodeSequenceLast, "name", s.Name)
		} else if err != nil {
			return err
		}
		return tx.Audit(ctx, in.audit(by, UseRetireSequence, "task_sequence", s.RetiredAt != nil))
	})
	if err != nil {
		return TaskSequence{}, err
	}
	return c.GetTaskSequence(ctx, a, in.ID)
}

func (in *RetireInput) audit(by store.Actor, u UseCase, kind string, before bool) store.NewAudit {
	return store.NewAudit{
		By: by, Action: string(u), ObjectKind: kind, ObjectID: in.ID,
		Before: map[string]any{"retired": before}, After: map[string]any{"retired": !in.Back, "reason": in.Reason},
	}
}

// usable refuses a version of a template that was retired, unless the version
// before was of the same template.
func usable(ctx context.Context, tx *store.Tx, id, before store.TemplateVersionID) error {
	if id.IsZero() {
		return nil
	}
	v, err := tx.TemplateVersion(ctx, id)
	if err != nil {
		return err
	}
	t, err := tx.Template(ctx, v.TemplateID)
	if err != nil || t.RetiredAt == nil {
		return err
	}
	if old, err := tx.TemplateVersion(ctx, before); err == nil && old.TemplateID == t.ID {
		return nil
	}
	return fault.New(fault.KindConflict, CodeTemplateRetired, "name", t.Name).At("template")
}
