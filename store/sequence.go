package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Layouts and BootSignatures list what a task sequence may choose.
var (
	Layouts        = []string{protocol.LayoutMBRDual, protocol.LayoutGPTUEFI}
	BootSignatures = []string{protocol.BootSignature2011, protocol.BootSignature2023}
)

// Sequence is a task sequence: a name for a line of versions.
type Sequence struct {
	ID          SequenceID
	Name        string // unique whatever its case
	Description string
	Revision    int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
	RetiredAt   *time.Time // no job may follow it any more
}

// SequenceVersion is one immutable way to build a stick.
type SequenceVersion struct {
	ID             SequenceVersionID
	TaskSequenceID SequenceID
	Number         int // from 1
	SequenceFields
	CreatedAt     time.Time
	CreatedByKind ActorKind
	CreatedByID   ActorID
}

// SequenceFields are the choices of a task sequence.
type SequenceFields struct {
	Layout            string            // protocol.LayoutMBRDual or protocol.LayoutGPTUEFI
	Edition           int               // index inside the image, from 1
	TemplateVersionID TemplateVersionID // zero: no answer file
	BootSignature     string            // protocol.BootSignature2011 or protocol.BootSignature2023
	// PortableOperatingSystem presets Control\PortableOperatingSystem.
	PortableOperatingSystem bool
	// What a stick must be able to do at least; 0 demands nothing.
	MinWriteRate  int64 // bytes per second
	MinRandomIOPS int64 `db:"min_random_iops"` // writes of 4 KiB per second
}

const (
	sequenceColumns        = `id, name, description, revision, created_at, updated_at, retired_at`
	sequenceVersionColumns = `id, task_sequence_id, number, layout, edition, template_version_id, boot_signature,
	portable_operating_system, min_write_rate, min_random_iops, created_at, created_by_kind, created_by_id`

	oldestSequence = `id = (SELECT id FROM task_sequences WHERE retired_at IS NULL ORDER BY created_at, id LIMIT 1)`
)

// Sequence finds a task sequence, or fails with task_sequence_not_found.
func (r Reader) Sequence(ctx context.Context, id SequenceID) (Sequence, error) {
	return one[Sequence](ctx, r.db, "task_sequence", id,
		`SELECT `+sequenceColumns+` FROM task_sequences WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// SequenceByName finds a task sequence by its name, whatever its case.
func (r Reader) SequenceByName(ctx context.Context, name string) (Sequence, error) {
	return one[Sequence](ctx, r.db, "task_sequence", name,
		`SELECT `+sequenceColumns+` FROM task_sequences WHERE lower(name) = lower(@name)`,
		pgx.NamedArgs{"name": name})
}

// OldestSequence finds the task sequence that was made first of those in use;
// there being none is task_sequence_not_found.
func (r Reader) OldestSequence(ctx context.Context) (Sequence, error) {
	return one[Sequence](ctx, r.db, "task_sequence", "",
		`SELECT `+sequenceColumns+` FROM task_sequences WHERE `+oldestSequence, nil)
}

// Sequences lists task sequences by name.
func (r Reader) Sequences(ctx context.Context, s Shelf) ([]Sequence, error) {
	return byName[Sequence](ctx, r, "task sequences", "task_sequences", sequenceColumns, s.where(), s.Page)
}

// RetireSequence takes a task sequence out of use, or back into it; a stale
// revision is the fault stale.
func (tx *Tx) RetireSequence(ctx context.Context, id SequenceID, revision int64, retired bool) (Sequence, error) {
	return retire[Sequence](ctx, tx, "task_sequences", "task_sequence", id, sequenceColumns, revision, retired)
}

// CreateSequence adds a task sequence without a version. A name in use is the
// fault name_taken.
func (tx *Tx) CreateSequence(ctx context.Context, name, description string) (Sequence, error) {
	id, err := newID[sequenceKind](tx)
	if err != nil {
		return Sequence{}, err
	}
	return one[Sequence](ctx, tx.tx, "task_sequence", id,
		`INSERT INTO task_sequences (id, name, description, created_at, updated_at)
		VALUES (@id, @name, @description, @at, @at)
		RETURNING `+sequenceColumns, pgx.NamedArgs{"id": id, "name": name, "description": description, "at": tx.at})
}

// UpdateSequence renames a task sequence; a stale revision is the fault stale.
func (tx *Tx) UpdateSequence(ctx context.Context, id SequenceID, revision int64, name, description string) (Sequence, error) {
	return changed[Sequence](ctx, tx.tx, "task_sequences", "task_sequence", id,
		`UPDATE task_sequences SET name = @name, description = @description, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+sequenceColumns,
		pgx.NamedArgs{"id": id, "revision": revision, "name": name, "description": description, "at": tx.at})
}

// SequenceVersion finds a version, or fails with task_sequence_version_not_found.
func (r Reader) SequenceVersion(ctx context.Context, id SequenceVersionID) (SequenceVersion, error) {
	return one[SequenceVersion](ctx, r.db, "task_sequence_version", id,
		`SELECT `+sequenceVersionColumns+` FROM task_sequence_versions WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// NewestSequenceVersion finds a task sequence's newest version; one without
// versions fails with task_sequence_version_not_found.
func (r Reader) NewestSequenceVersion(ctx context.Context, id SequenceID) (SequenceVersion, error) {
	return one[SequenceVersion](ctx, r.db, "task_sequence_version", id,
		`SELECT `+sequenceVersionColumns+` FROM task_sequence_versions
		WHERE task_sequence_id = @id ORDER BY number DESC LIMIT 1`, pgx.NamedArgs{"id": id})
}

// CurrentSequence is a task sequence with its newest version and what that is
// made of.
type CurrentSequence struct {
	Sequence Sequence
	Version  SequenceVersion
	Template []byte // the source of its answer files; nil without any
}

// CurrentSequence asks for a task sequence by its ID or its name, whatever its
// case; of no name, for the one that was made first of those in use. Faults:
// task_sequence_not_found, task_sequence_version_not_found.
func (q *Questions) CurrentSequence(ref string) func() (CurrentSequence, error) {
	called, args := `lower(name) = lower(@ref)`, pgx.NamedArgs{"ref": ref}
	if id, err := ParseID[SequenceID](ref); err == nil {
		called, args["ref"] = `id = @ref`, id
	} else if ref == "" {
		called = oldestSequence
	}
	newest := ` FROM task_sequence_versions WHERE task_sequence_id = (SELECT id FROM task_sequences WHERE ` + called + `)
		ORDER BY number DESC LIMIT 1`
	sequences := ask[Sequence](q, `SELECT `+sequenceColumns+` FROM task_sequences WHERE `+called, args)
	versions := ask[SequenceVersion](q, `SELECT `+sequenceVersionColumns+newest, args)
	bodies := ask[sealedTemplate](q, sealedTemplates+`(SELECT template_version_id`+newest+`)`, args)
	return func() (found CurrentSequence, err error) {
		if found.Sequence, err = sequences.one("task_sequence", ref); err != nil {
			return found, err
		}
		if found.Version, err = versions.one("task_sequence_version", found.Sequence.ID); err != nil {
			return found, err
		}
		for _, body := range bodies.rows { // or none
			found.Template, err = body.open(q.r.keys)
		}
		return found, err
	}
}

// SequenceVersions lists all versions of a task sequence, newest first.
func (r Reader) SequenceVersions(ctx context.Context, id SequenceID) ([]SequenceVersion, error) {
	return many[SequenceVersion](ctx, r.db, "task sequence versions",
		`SELECT `+sequenceVersionColumns+` FROM task_sequence_versions
		WHERE task_sequence_id = @id ORDER BY number DESC`, pgx.NamedArgs{"id": id})
}

// AddSequenceVersion adds the next version of a task sequence and raises the
// task sequence's revision; a stale one is the fault stale.
func (tx *Tx) AddSequenceVersion(ctx context.Context, id SequenceID, revision int64, f SequenceFields, by Actor) (SequenceVersion, error) {
	_, err := changed[Sequence](ctx, tx.tx, "task_sequences", "task_sequence", id,
		`UPDATE task_sequences SET revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+sequenceColumns, pgx.NamedArgs{"id": id, "revision": revision, "at": tx.at})
	if err != nil {
		return SequenceVersion{}, err
	}
	version, err := newID[sequenceVersionKind](tx)
	if err != nil {
		return SequenceVersion{}, err
	}
	return one[SequenceVersion](ctx, tx.tx, "task_sequence_version", version,
		`INSERT INTO task_sequence_versions (id, task_sequence_id, number, layout, edition, template_version_id,
			boot_signature, portable_operating_system, min_write_rate, min_random_iops, created_at, created_by_kind, created_by_id)
		SELECT @id, @sequence, coalesce(max(number), 0) + 1, @layout, @edition, @template,
			@signature, @portable, @write_rate, @random_iops, @at, @by_kind, @by_id
		FROM task_sequence_versions WHERE task_sequence_id = @sequence
		RETURNING `+sequenceVersionColumns, pgx.NamedArgs{
			"id": version, "sequence": id, "layout": f.Layout, "edition": f.Edition, "template": f.TemplateVersionID,
			"signature": f.BootSignature, "portable": f.PortableOperatingSystem,
			"write_rate": f.MinWriteRate, "random_iops": f.MinRandomIOPS,
			"at": tx.at, "by_kind": by.Kind, "by_id": by.ID,
		})
}
