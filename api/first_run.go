package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// FirstRunStep names one thing that a new console needs.
type FirstRunStep string

// The steps, in their order.
const (
	FirstRunAccount  FirstRunStep = "account"  // the first admin: done by whoever sees it
	FirstRunAddress  FirstRunStep = "address"  // public URL and TLS
	FirstRunStorage  FirstRunStep = "storage"  // where image files are kept
	FirstRunHost     FirstRunStep = "host"     // a machine that writes sticks
	FirstRunImage    FirstRunStep = "image"    // something to write
	FirstRunTemplate FirstRunStep = "template" // the answer file
	FirstRunPress    FirstRunStep = "press"    // the first stick
)

// FirstRunSteps lists them.
var FirstRunSteps = []FirstRunStep{
	FirstRunAccount, FirstRunAddress, FirstRunStorage, FirstRunHost, FirstRunImage, FirstRunTemplate, FirstRunPress,
}

// What has become of a step.
const (
	FirstRunOpen    = "open"
	FirstRunDone    = "done" // what it makes is there, or an admin has seen to it
	FirstRunSkipped = "skipped"
)

// FirstRun is how far the set-up of a new console is. What is done is seen from
// what is there; only what leaves no trace is kept.
type FirstRun struct {
	States     map[FirstRunStep]string `json:"states"`                // FirstRunOpen, …
	FinishedAt *time.Time              `json:"finished_at,omitempty"` // it is locked from then on
	FinishedBy string                  `json:"finished_by,omitempty"`
	Revision   int64                   `json:"revision"` // of what is kept
}

// Next is the first step that is open, or empty.
func (f *FirstRun) Next() FirstRunStep {
	for _, s := range FirstRunSteps {
		if f.States[s] == FirstRunOpen {
			return s
		}
	}
	return ""
}

// firstRunKept is the row of progress.
type firstRunKept struct {
	Marks      map[FirstRunStep]string `json:"marks,omitempty"` // FirstRunDone, FirstRunSkipped
	FinishedAt *time.Time              `json:"finished_at,omitempty"`
	FinishedBy string                  `json:"finished_by,omitempty"`
}

// GetFirstRun says how far the set-up is (admin).
func (c *Console) GetFirstRun(ctx context.Context, a Actor) (FirstRun, error) {
	if err := allow(a, UseGetFirstRun); err != nil {
		return FirstRun{}, err
	}
	kept, revision, err := readFirstRun(ctx, c.store.Reader)
	if err != nil {
		return FirstRun{}, err
	}
	out := FirstRun{States: map[FirstRunStep]string{}, FinishedAt: kept.FinishedAt, FinishedBy: kept.FinishedBy, Revision: revision}
	there, err := c.firstRunThere(ctx, a)
	if err != nil {
		return FirstRun{}, err
	}
	for _, s := range FirstRunSteps {
		switch {
		case there[s] || kept.Marks[s] == FirstRunDone:
			out.States[s] = FirstRunDone
		case kept.Marks[s] == FirstRunSkipped:
			out.States[s] = FirstRunSkipped
		default:
			out.States[s] = FirstRunOpen
		}
	}
	return out, nil
}

// firstRunThere looks for what the steps make.
func (c *Console) firstRunThere(ctx context.Context, a Actor) (map[FirstRunStep]bool, error) {
	there := map[FirstRunStep]bool{FirstRunAccount: true}
	url, err := c.setting(ctx, SettingPublicURL)
	if err != nil {
		return nil, err
	}
	there[FirstRunAddress] = url.Origin != OriginDefault
	o, err := c.GetOverview(ctx, a)
	if err != nil {
		return nil, err
	}
	there[FirstRunHost] = o.Hosts.Online+o.Hosts.Offline > 0 // one that has connected
	there[FirstRunPress] = o.SticksVerified > 0
	images, err := c.ListVersions(ctx, a, VersionFilter{}, Page{Limit: 1})
	if err != nil {
		return nil, err
	}
	there[FirstRunImage] = len(images.Items) > 0
	templates, err := c.ListTemplates(ctx, a, ShelfFilter{}, Page{Limit: 2})
	if err != nil {
		return nil, err
	}
	there[FirstRunTemplate] = len(templates.Items) > 1 ||
		slices.ContainsFunc(templates.Items, func(t Template) bool { return t.Current.Number > 1 })
	return there, nil
}

// MarkFirstRunStep says that a step was seen to, is skipped, or with
// FirstRunOpen that it is to be shown again (admin).
// Faults: first_run_finished (who), first_run_step_unknown.
func (c *Console) MarkFirstRunStep(ctx context.Context, a Actor, step FirstRunStep, mark string) error {
	if !slices.Contains(FirstRunSteps, step) || step == FirstRunAccount ||
		mark != FirstRunOpen && mark != FirstRunDone && mark != FirstRunSkipped {
		if err := allow(a, UseSaveFirstRun); err != nil {
			return err
		}
		return fault.New(fault.KindInvalid, CodeFirstRunStep, "step", step, "steps", oneOf(FirstRunSteps))
	}
	return c.saveFirstRun(ctx, a, func(k *firstRunKept) {
		if k.Marks == nil {
			k.Marks = map[FirstRunStep]string{}
		}
		k.Marks[step] = mark
		if mark == FirstRunOpen {
			delete(k.Marks, step)
		}
	})
}

// FinishFirstRun locks the set-up for good (admin); what it made is changed on
// its own pages. Faults: first_run_finished (who), first_run_open (step).
func (c *Console) FinishFirstRun(ctx context.Context, a Actor) error {
	if err := allow(a, UseSaveFirstRun); err != nil {
		return err
	}
	now, err := c.GetFirstRun(ctx, a)
	if err != nil {
		return err
	}
	if step := now.Next(); step != "" && now.FinishedAt == nil {
		return fault.New(fault.KindConflict, CodeFirstRunOpen, "step", step)
	}
	at := c.store.Now()
	return c.saveFirstRun(ctx, a, func(k *firstRunKept) { k.FinishedAt, k.FinishedBy = &at, a.Name })
}

// FirstRunOpenStill refuses what a step of the set-up does beside the progress,
// once that is locked (admin). Faults: first_run_finished (who).
func (c *Console) FirstRunOpenStill(ctx context.Context, a Actor) error {
	if err := allow(a, UseSaveFirstRun); err != nil {
		return err
	}
	kept, _, err := readFirstRun(ctx, c.store.Reader)
	if err == nil && kept.FinishedAt != nil {
		err = errFirstRunFinished(&kept)
	}
	return err
}

func errFirstRunFinished(k *firstRunKept) error {
	return fault.New(fault.KindConflict, CodeFirstRunFinished, "who", k.FinishedBy)
}

// saveFirstRun changes the row of progress, unless the set-up is finished.
func (c *Console) saveFirstRun(ctx context.Context, a Actor, change func(*firstRunKept)) error {
	return c.change(ctx, a, UseSaveFirstRun, func(tx *store.Tx, by store.Actor) error {
		before, revision, err := readFirstRun(ctx, tx.Reader)
		if err != nil {
			return err
		}
		if before.FinishedAt != nil {
			return errFirstRunFinished(&before)
		}
		after, _, err := readFirstRun(ctx, tx.Reader) // a copy: change fills its map
		if err != nil {
			return err
		}
		change(&after)
		raw, err := json.Marshal(after)
		if err != nil {
			return fmt.Errorf("keep the first run: %w", err)
		}
		if _, err := tx.PutSetting(ctx, store.SettingFirstRun, string(raw), revision); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveFirstRun), ObjectKind: "setting", ObjectID: store.SettingFirstRun, Before: before, After: after,
		})
	})
}

func readFirstRun(ctx context.Context, r store.Reader) (firstRunKept, int64, error) {
	s, err := r.Setting(ctx, store.SettingFirstRun)
	if isNotFound(err, "setting") {
		return firstRunKept{}, 0, nil
	}
	if err != nil {
		return firstRunKept{}, 0, err
	}
	var k firstRunKept
	if err := json.Unmarshal([]byte(s.Value), &k); err != nil {
		return firstRunKept{}, 0, fmt.Errorf("read the first run: %w", err)
	}
	return k, s.Revision, nil
}

// FirstStickInput is one build onto a virtual stick, for a look at the whole
// way: nothing that anybody owns is erased.
type FirstStickInput struct {
	Version string // ID
	Host    string // ID
	Port    string // of a virtual stick of that host
}

// PressFirstStick queues it, with the default task sequence (admin).
// Faults: first_stick_virtual, those of QueueJob.
func (c *Console) PressFirstStick(ctx context.Context, a Actor, in FirstStickInput) (Job, error) {
	if err := allow(a, UseSaveFirstRun); err != nil {
		return Job{}, err
	}
	h, err := c.GetHost(ctx, a, in.Host)
	if err != nil {
		return Job{}, err
	}
	i := slices.IndexFunc(h.Devices, func(d Device) bool { return d.Port == in.Port && FreeVirtual(d) })
	if i < 0 {
		return Job{}, fault.New(fault.KindConflict, CodeFirstStick, "host", h.Name)
	}
	return c.QueueJob(ctx, a, QueueJobInput{
		Version: in.Version, Host: h.ID, Devices: []QueueDevice{{Identity: h.Devices[i].Identity}},
	})
}
