package api

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// StickTask is one thing to disable after a stick was lost.
type StickTask struct {
	ID        string     `json:"id"`
	StickID   string     `json:"stick_id"`
	Kind      string     `json:"kind"`    // "computer_account", "bitlocker_key", "sessions", "join_variable"
	Subject   string     `json:"subject"` // which one; empty where nobody knows
	Place     string     `json:"place,omitempty"`
	DoneAt    *time.Time `json:"done_at,omitempty"`
	DoneBy    string     `json:"done_by,omitempty"`
	DroppedAt *time.Time `json:"dropped_at,omitempty"` // the stick was found before it was done
	CreatedAt time.Time  `json:"created_at"`
}

// StickTasks lists the tasks of a stick's losses, the last loss last. Faults:
// stick_not_found.
func (c *Console) StickTasks(ctx context.Context, a Actor, id string) ([]StickTask, error) {
	s, err := c.findStick(ctx, a, id)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.StickTasks(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	n, out := c.names(), make([]StickTask, 0, len(rows))
	for i := range rows {
		t, err := taskOf(ctx, n, &rows[i])
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// OpenStickTasks counts the sticks of the actor's sites that have something to
// be disabled.
func (c *Console) OpenStickTasks(ctx context.Context, a Actor) (int, error) {
	if err := allow(a, UseListSticks); err != nil {
		return 0, err
	}
	sites, err := a.sites()
	if err != nil {
		return 0, err
	}
	return c.store.OpenStickTasks(ctx, sites)
}

// TickStickTaskInput says that a task is done, or is not after all.
type TickStickTaskInput struct {
	Stick    string // ID
	Task     string // ID
	Done     bool
	Revision int64 // of the stick as seen; 0 does not check
}

// TickStickTask marks a task (helpdesk). With a revision, what was seen must
// hold: the stick is as it was, and nobody else has ticked the task off. Faults:
// stick_not_found, task_not_found: it is another stick's, or was dropped; stale.
func (c *Console) TickStickTask(ctx context.Context, a Actor, in TickStickTaskInput) (StickTask, error) {
	if err := allow(a, UseTickStickTask); err != nil {
		return StickTask{}, err
	}
	s, err := c.findStick(ctx, a, in.Stick)
	if err != nil {
		return StickTask{}, err
	}
	id, err := parse[store.StickTaskID]("task", in.Task)
	if err != nil {
		return StickTask{}, err
	}
	var now store.StickTask
	err = c.change(ctx, a, UseTickStickTask, func(tx *store.Tx, by store.Actor) error {
		stick, err := tx.Stick(ctx, s.ID)
		if err != nil {
			return err
		}
		stale := fault.New(fault.KindStale, store.CodeStale, "kind", "stick", "id", in.Stick)
		if in.Revision != 0 && in.Revision != stick.Revision {
			return stale
		}
		if now, err = tx.TickStickTask(ctx, s.ID, id, in.Done, by); err != nil {
			return err
		}
		if in.Revision != 0 && in.Done && (now.DoneByKind != by.Kind || now.DoneByID != by.ID) {
			return stale
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseTickStickTask), ObjectKind: "stick", ObjectID: in.Stick,
			After: map[string]any{"task": now.Kind, "subject": now.Subject, "done": in.Done},
		})
	})
	if err != nil {
		return StickTask{}, err
	}
	return taskOf(ctx, c.names(), &now)
}

func taskOf(ctx context.Context, n *names, t *store.StickTask) (StickTask, error) {
	out := StickTask{
		ID: t.ID.String(), StickID: t.StickID.String(), Kind: t.Kind, Subject: t.Subject, Place: t.Place,
		DoneAt: t.DoneAt, DroppedAt: t.DroppedAt, CreatedAt: t.CreatedAt,
	}
	var err error
	if t.DoneAt != nil {
		out.DoneBy, err = n.actor(ctx, t.DoneByKind, t.DoneByID)
	}
	return out, err
}

// lossTasks is what whoever holds a lost stick could use: the account of the
// computer that it was pressed as and its BitLocker key, the sessions of its
// holder, and what it joined a domain by. A stick that carries nothing leaves
// only the holder to be told.
func lossTasks(ctx context.Context, tx *store.Tx, s *store.Stick) ([]store.NewStickTask, error) {
	if s.State == store.StickWiped || s.State == store.StickUnknown || s.LastBuildID.IsZero() {
		return nil, nil
	}
	b, err := tx.Build(ctx, s.LastBuildID)
	if err != nil {
		return nil, err
	}
	computer, domain := b.Variables[VariableComputerName], ""
	if computer == anyComputerName {
		computer = "" // Windows chose it
	}
	var joins []store.NewStickTask
	for _, name := range slices.Sorted(maps.Keys(b.Variables)) {
		lower := strings.ToLower(name)
		switch value := b.Variables[name]; {
		case value == "":
		case lower == "domain" || lower == "join_domain" || lower == "domain_name":
			domain = value
		case strings.Contains(lower, "domain") || strings.Contains(lower, "join"):
			joins = append(joins, store.NewStickTask{Kind: store.TaskJoin, Subject: name})
		}
	}
	tasks := []store.NewStickTask{
		{Kind: store.TaskComputer, Subject: computer, Place: domain}, {Kind: store.TaskBitLocker, Subject: computer, Place: domain},
	}
	if holder := s.Holder; holder != "" {
		tasks = append(tasks, store.NewStickTask{Kind: store.TaskSessions, Subject: holder, Place: domain})
	}
	for i := range joins {
		joins[i].Place = domain
	}
	return append(tasks, joins...), nil
}
