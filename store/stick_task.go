package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// The kinds of StickTask.
const (
	TaskComputer  = "computer_account" // the account of the computer that the stick carries
	TaskBitLocker = "bitlocker_key"    // the recovery key of its volume, if it has one
	TaskSessions  = "sessions"         // where its holder is signed in
	TaskJoin      = "join_variable"    // a variable by which it joined a domain
)

// StickTasks lists the kinds in their order.
var StickTasks = []string{TaskComputer, TaskBitLocker, TaskSessions, TaskJoin}

// StickTask is one thing to disable after a stick was lost.
type StickTask struct {
	ID         StickTaskID
	StickID    StickID
	Kind       string
	Subject    string // which one: a computer's name, a person, a variable
	Place      string // where, as far as is known: a domain
	DoneAt     *time.Time
	DoneByKind ActorKind
	DoneByID   ActorID
	DroppedAt  *time.Time // the stick was found before it was done
	CreatedAt  time.Time
}

// NewStickTask is what a StickTask is made of.
type NewStickTask struct{ Kind, Subject, Place string }

const taskColumns = `id, stick_id, kind, subject, place, done_at, coalesce(done_by_kind, '') AS done_by_kind, done_by_id, dropped_at, created_at`

// StickTasks lists the tasks of a stick's losses, the last loss last.
func (r Reader) StickTasks(ctx context.Context, id StickID) ([]StickTask, error) {
	return many[StickTask](ctx, r.db, "stick tasks",
		`SELECT `+taskColumns+` FROM stick_tasks WHERE stick_id = @id
		ORDER BY created_at, kind, subject LIMIT @limit`, pgx.NamedArgs{"id": id, "limit": maxLimit})
}

// OpenStickTasks counts the sticks of some sites (none: all) that have a task
// which is not done.
func (r Reader) OpenStickTasks(ctx context.Context, sites []SiteID) (int, error) {
	var n int
	err := r.db.QueryRow(ctx,
		`SELECT count(*) FROM sticks s WHERE `+hasOpenTask+`
			AND (cardinality(@sites::uuid[]) = 0 OR host_id IN (SELECT id FROM hosts WHERE site_id = ANY (@sites)))`,
		pgx.NamedArgs{"sites": append([]SiteID{}, sites...)}).Scan(&n)
	return n, fail(err, "count open tasks")
}

// hasOpenTask is a condition on a stick.
const hasOpenTask = `id IN (SELECT stick_id FROM stick_tasks WHERE done_at IS NULL AND dropped_at IS NULL)`

// TickStickTask marks a task of a stick as done, or as not done after all. What
// is so already stays as it is; one that was dropped is the fault task_not_found.
func (tx *Tx) TickStickTask(ctx context.Context, stick StickID, id StickTaskID, done bool, by Actor) (StickTask, error) {
	args := pgx.NamedArgs{"id": id, "stick": stick, "done": done, "at": tx.at, "kind": by.Kind, "by": by.ID}
	_, err := tx.tx.Exec(ctx,
		`UPDATE stick_tasks SET done_at = CASE WHEN @done THEN @at::timestamptz END, done_by_kind = CASE WHEN @done THEN @kind::text END,
			done_by_id = CASE WHEN @done THEN @by::uuid END
		WHERE id = @id AND stick_id = @stick AND dropped_at IS NULL AND (done_at IS NOT NULL) <> @done`, args)
	if err != nil {
		return StickTask{}, fail(err, "tick a task")
	}
	tx.Notify(TopicSticks)
	return one[StickTask](ctx, tx.tx, "task", id,
		`SELECT `+taskColumns+` FROM stick_tasks WHERE id = @id AND stick_id = @stick AND dropped_at IS NULL`, args)
}

func (tx *Tx) addStickTasks(ctx context.Context, stick StickID, tasks []NewStickTask) error {
	for _, t := range tasks {
		id, err := newID[taskKind](tx)
		if err != nil {
			return err
		}
		_, err = tx.tx.Exec(ctx,
			`INSERT INTO stick_tasks (id, stick_id, kind, subject, place, created_at) VALUES (@id, @stick, @kind, @subject, @place, @at)`,
			pgx.NamedArgs{"id": id, "stick": stick, "kind": t.Kind, "subject": cleanText(t.Subject), "place": cleanText(t.Place), "at": tx.at})
		if err != nil {
			return fail(err, "add a task")
		}
	}
	return nil
}

// dropStickTasks ends what was not done before the stick was found.
func (tx *Tx) dropStickTasks(ctx context.Context, stick StickID) error {
	_, err := tx.tx.Exec(ctx,
		`UPDATE stick_tasks SET dropped_at = @at WHERE stick_id = @stick AND done_at IS NULL AND dropped_at IS NULL`,
		pgx.NamedArgs{"stick": stick, "at": tx.at})
	return fail(err, "drop tasks")
}
