package api

import (
	"context"

	"github.com/stickpress/stickpress/agent/wim/exclusion"
	"github.com/stickpress/stickpress/store"
)

// Exclusions is what captures leave out where their job says nothing of it.
type Exclusions struct {
	List     string `json:"list"`     // as package exclusion reads it
	Default  bool   `json:"default"`  // nobody has changed it
	Revision int64  `json:"revision"` // 0: nobody has changed it
}

// GetExclusions returns the list (admin).
func (c *Console) GetExclusions(ctx context.Context, a Actor) (Exclusions, error) {
	if err := allow(a, UseCapture); err != nil {
		return Exclusions{}, err
	}
	return exclusions(ctx, c.store.Reader)
}

// SaveExclusionsInput changes the list.
type SaveExclusionsInput struct {
	List     string
	Revision int64 // of the list as seen; 0 does not check
}

// SaveExclusions changes the list (admin). What it was before is in the audit
// log. An empty list is the default one. Faults: exclusion_invalid, stale.
func (c *Console) SaveExclusions(ctx context.Context, a Actor, in SaveExclusionsInput) (Exclusions, error) {
	if err := allow(a, UseSaveExclusions); err != nil {
		return Exclusions{}, err
	}
	if in.List == "" {
		in.List = exclusion.Default
	}
	if err := checkExclusions("list", in.List); err != nil {
		return Exclusions{}, err
	}
	var out Exclusions
	err := c.change(ctx, a, UseSaveExclusions, func(tx *store.Tx, by store.Actor) error {
		before, err := exclusions(ctx, tx.Reader)
		if err != nil {
			return err
		}
		s, err := tx.PutSetting(ctx, store.SettingExclusions, in.List, seen(in.Revision, before.Revision))
		if err != nil {
			return err
		}
		out = exclusionsOf(s)
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveExclusions), ObjectKind: "setting", ObjectID: store.SettingExclusions,
			Before: before, After: out,
		})
	})
	return out, err
}

func exclusions(ctx context.Context, r store.Reader) (Exclusions, error) {
	s, err := r.Setting(ctx, store.SettingExclusions)
	if isNotFound(err, "setting") {
		return Exclusions{List: exclusion.Default, Default: true}, nil
	}
	return exclusionsOf(s), err
}

func exclusionsOf(s store.Setting) Exclusions {
	return Exclusions{List: s.Value, Default: s.Value == exclusion.Default, Revision: s.Revision}
}
