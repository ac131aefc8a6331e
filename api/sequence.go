package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// TaskSequence is how sticks are built; its versions are immutable.
type TaskSequence struct {
	ID          string              `json:"id"`
	Name        string              `json:"name"`
	Description string              `json:"description"`
	Default     bool                `json:"default"` // used by jobs that name none: the oldest one in use
	Current     TaskSequenceVersion `json:"current"`
	CreatedAt   time.Time           `json:"created_at"`
	RetiredAt   *time.Time          `json:"retired_at,omitempty"` // no job may follow it any more
	Revision    int64               `json:"revision"`
}

// TaskSequenceVersion is one saved state of a task sequence.
type TaskSequenceVersion struct {
	ID                string           `json:"id"`
	TaskSequenceID    string           `json:"task_sequence_id"`
	Number            int              `json:"number"` // from 1
	Spec              TaskSequenceSpec `json:"spec"`
	TemplateID        string           `json:"template_id"` // empty: no answer file
	TemplateName      string           `json:"template_name"`
	TemplateVersionID string           `json:"template_version_id"` // fixed when saved
	TemplateVersion   int              `json:"template_version"`    // its number
	CreatedBy         string           `json:"created_by"`
	CreatedAt         time.Time        `json:"created_at"`
}

// TaskSequenceSpec is what a task sequence sets.
type TaskSequenceSpec struct {
	Layout        string `json:"layout"`         // protocol.LayoutMBRDual, protocol.LayoutGPTUEFI
	Edition       int    `json:"edition"`        // index, from 1
	BootSignature string `json:"boot_signature"` // protocol.BootSignature2011, protocol.BootSignature2023
	// PortableOperatingSystem presets the value of that name in the SYSTEM hive.
	PortableOperatingSystem bool `json:"portable_operating_system"`
	// What a stick must be able to do at least; 0 demands nothing.
	MinWriteRate  int64 `json:"min_write_rate,omitempty"`  // bytes per second, one after the other
	MinRandomIOPS int64 `json:"min_random_iops,omitempty"` // writes of 4 KiB all over the stick, per second
}

// SaveTaskSequenceInput is a new task sequence, or a new version of one.
type SaveTaskSequenceInput struct {
	ID          string // empty for a new one
	Name        string
	Description string
	Spec        TaskSequenceSpec
	Template    string // ID or name of a template (its current version is taken), or ID of a template version; empty: no answer file
	Revision    int64  // of the task sequence as seen; 0 does not check
}

// ListTaskSequences lists task sequences by name. Faults: those of FieldInfo.Check.
func (c *Console) ListTaskSequences(ctx context.Context, a Actor, f ShelfFilter, p Page) (List[TaskSequence], error) {
	if err := allow(a, UseListTaskSequences); err != nil {
		return List[TaskSequence]{}, err
	}
	shelf, err := f.shelf(p)
	if err != nil {
		return List[TaskSequence]{}, err
	}
	rows, err := c.store.Sequences(ctx, shelf)
	if err != nil {
		return List[TaskSequence]{}, err
	}
	n := c.names()
	return listOf(p, rows, func(s *store.Sequence) (TaskSequence, error) { return sequenceOf(ctx, c.store.Reader, n, *s) },
		func(s store.Sequence) string { return s.Name })
}

// GetTaskSequence returns one by ID or name; an empty ref means the default.
// Faults: task_sequence_not_found.
func (c *Console) GetTaskSequence(ctx context.Context, a Actor, ref string) (TaskSequence, error) {
	if err := allow(a, UseGetTaskSequence); err != nil {
		return TaskSequence{}, err
	}
	s, err := findSequence(ctx, c.store.Reader, ref)
	if err != nil {
		return TaskSequence{}, err
	}
	return sequenceOf(ctx, c.store.Reader, c.names(), s)
}

// SaveTaskSequence stores a new version (admin); the same choices again store
// none. Faults: name_invalid, name_taken, layout_unknown, edition_invalid,
// boot_signature_unknown, minimum_invalid, template_not_found, template_retired,
// task_sequence_not_found, stale.
func (c *Console) SaveTaskSequence(ctx context.Context, a Actor, in SaveTaskSequenceInput) (TaskSequence, error) {
	if err := allow(a, UseSaveTaskSequence); err != nil {
		return TaskSequence{}, err
	}
	name, wrongName := cleanName("task_sequence", in.Name)
	if wrongName == nil {
		other, err := c.store.SequenceByName(ctx, name)
		wrongName = unused("task_sequence", err, other.ID.String() == in.ID)
	}
	template, wrongTemplate := thing("template", in.Template, func(ref string) (store.TemplateVersion, error) { return findTemplateVersion(ctx, c.store.Reader, ref) },
		func(v store.TemplateVersion) store.TemplateVersionID { return v.ID })
	if err := fault.All(wrongName, checkSpec(&in.Spec), wrongTemplate); err != nil {
		return TaskSequence{}, err
	}
	var id store.SequenceID
	err := c.change(ctx, a, UseSaveTaskSequence, func(tx *store.Tx, by store.Actor) error {
		fields := store.SequenceFields{
			Layout: in.Spec.Layout, Edition: in.Spec.Edition, BootSignature: in.Spec.BootSignature,
			PortableOperatingSystem: in.Spec.PortableOperatingSystem,
			MinWriteRate:            in.Spec.MinWriteRate, MinRandomIOPS: in.Spec.MinRandomIOPS,
			TemplateVersionID: template,
		}
		old, s, err := ensureSequence(ctx, tx, in, name)
		if err != nil {
			return err
		}
		id = s.ID
		before, err := tx.NewestSequenceVersion(ctx, s.ID)
		switch {
		case err != nil && !isNotFound(err, "task_sequence_version"):
			return err
		case err == nil && before.SequenceFields == fields && old.Name == s.Name && old.Description == s.Description:
			return nil
		case err == nil && before.SequenceFields == fields:
			return tx.Audit(ctx, store.NewAudit{
				By: by, Action: string(UseSaveTaskSequence), ObjectKind: "task_sequence", ObjectID: s.ID.String(),
				Before: sequenceChange(old, before), After: sequenceChange(s, before),
			})
		}
		if err := usable(ctx, tx, fields.TemplateVersionID, before.TemplateVersionID); err != nil {
			return err
		}
		v, err := tx.AddSequenceVersion(ctx, s.ID, s.Revision, fields, by)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveTaskSequence), ObjectKind: "task_sequence", ObjectID: s.ID.String(),
			Before: sequenceChange(old, before), After: sequenceChange(s, v),
		})
	})
	if err != nil {
		return TaskSequence{}, err
	}
	return c.GetTaskSequence(ctx, a, id.String())
}

func checkSpec(s *TaskSequenceSpec) error {
	var layout, edition, signature error
	if !slices.Contains(store.Layouts, s.Layout) {
		layout = errLayout(s.Layout).At("spec.layout")
	}
	if s.Edition < 1 {
		edition = fault.New(fault.KindInvalid, CodeEditionInvalid, "edition", s.Edition).At("spec.edition")
	}
	if !slices.Contains(store.BootSignatures, s.BootSignature) {
		signature = fault.New(fault.KindInvalid, CodeSignatureUnknown, "boot_signature", s.BootSignature).At("spec.boot_signature")
	}
	return fault.All(layout, edition, signature,
		checkMinimum("spec.min_write_rate", s.MinWriteRate), checkMinimum("spec.min_random_iops", s.MinRandomIOPS))
}

func checkMinimum(field string, least int64) error {
	if least < 0 {
		return fault.New(fault.KindInvalid, CodeMinimumInvalid, "minimum", least).At(field)
	}
	return nil
}

func errLayout(layout string) *fault.Error {
	return fault.New(fault.KindInvalid, CodeLayoutUnknown, "layout", layout, "layouts", strings.Join(store.Layouts, ", ")).At("layout")
}

// sequenceChange is a task sequence as its history keeps it; nil for none.
func sequenceChange(s store.Sequence, v store.SequenceVersion) any {
	if s.ID.IsZero() {
		return nil
	}
	return map[string]any{
		"name": s.Name, "description": s.Description, "number": v.Number, "layout": v.Layout, "edition": v.Edition,
		"template_version_id": v.TemplateVersionID.String(), "boot_signature": v.BootSignature,
		"portable_operating_system": v.PortableOperatingSystem, "min_write_rate": v.MinWriteRate, "min_random_iops": v.MinRandomIOPS,
	}
}

// ensureSequence makes a new task sequence or renames the one that is meant; it
// returns what it was before, too.
func ensureSequence(ctx context.Context, tx *store.Tx, in SaveTaskSequenceInput, name string) (old, s store.Sequence, err error) {
	if in.ID == "" {
		s, err = tx.CreateSequence(ctx, name, strings.TrimSpace(in.Description))
		return old, s, err
	}
	id, err := parse[store.SequenceID]("task_sequence", in.ID)
	if err != nil {
		return old, s, err
	}
	if old, err = tx.Sequence(ctx, id); err != nil {
		return old, s, err
	}
	s, err = tx.UpdateSequence(ctx, id, seen(in.Revision, old.Revision), name, strings.TrimSpace(in.Description))
	return old, s, err
}

// findSequence takes an ID or a name; empty means the default.
func findSequence(ctx context.Context, r store.Reader, ref string) (store.Sequence, error) {
	if ref == "" {
		return r.OldestSequence(ctx)
	}
	if id, err := store.ParseID[store.SequenceID](ref); err == nil {
		return r.Sequence(ctx, id)
	}
	return r.SequenceByName(ctx, ref)
}

// ListTaskSequenceVersions lists a task sequence's versions, newest first.
// Faults: task_sequence_not_found, cursor_invalid.
func (c *Console) ListTaskSequenceVersions(ctx context.Context, a Actor, ref string, p Page) (List[TaskSequenceVersion], error) {
	if err := allow(a, UseGetTaskSequence); err != nil {
		return List[TaskSequenceVersion]{}, err
	}
	s, err := findSequence(ctx, c.store.Reader, ref)
	if err != nil {
		return List[TaskSequenceVersion]{}, err
	}
	rows, err := c.store.SequenceVersions(ctx, s.ID)
	if err != nil {
		return List[TaskSequenceVersion]{}, err
	}
	n := c.names()
	return pieceOf(p, rows, func(v *store.SequenceVersion) (TaskSequenceVersion, error) { return sequenceVersionOf(ctx, n.r, n, *v) },
		func(v store.SequenceVersion) string { return v.ID.String() })
}

func sequenceOf(ctx context.Context, r store.Reader, n *names, s store.Sequence) (TaskSequence, error) {
	oldest, err := r.OldestSequence(ctx)
	if err != nil {
		return TaskSequence{}, err
	}
	v, err := r.NewestSequenceVersion(ctx, s.ID)
	if err != nil {
		return TaskSequence{}, err
	}
	out := TaskSequence{
		ID: s.ID.String(), Name: s.Name, Description: s.Description, Default: oldest.ID == s.ID,
		CreatedAt: s.CreatedAt, RetiredAt: s.RetiredAt, Revision: s.Revision,
	}
	out.Current, err = sequenceVersionOf(ctx, r, n, v)
	return out, err
}

func sequenceVersionOf(ctx context.Context, r store.Reader, n *names, v store.SequenceVersion) (TaskSequenceVersion, error) {
	by, err := n.actor(ctx, v.CreatedByKind, v.CreatedByID)
	if err != nil {
		return TaskSequenceVersion{}, err
	}
	out := TaskSequenceVersion{
		ID: v.ID.String(), TaskSequenceID: v.TaskSequenceID.String(), Number: v.Number, CreatedBy: by, CreatedAt: v.CreatedAt,
		Spec: TaskSequenceSpec{
			Layout: v.Layout, Edition: v.Edition, BootSignature: v.BootSignature, PortableOperatingSystem: v.PortableOperatingSystem,
			MinWriteRate: v.MinWriteRate, MinRandomIOPS: v.MinRandomIOPS,
		},
	}
	if v.TemplateVersionID.IsZero() {
		return out, nil
	}
	tv, err := r.TemplateVersion(ctx, v.TemplateVersionID)
	if err != nil {
		return out, err
	}
	t, err := r.Template(ctx, tv.TemplateID)
	out.TemplateID, out.TemplateName = tv.TemplateID.String(), t.Name
	out.TemplateVersionID, out.TemplateVersion = tv.ID.String(), tv.Number
	return out, err
}
