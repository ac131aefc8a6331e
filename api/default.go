package api

import (
	"context"
	"fmt"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// Names of what EnsureDefaults makes. They may be renamed afterwards.
const (
	DefaultTemplate     = "Starter"
	DefaultTaskSequence = "Portable Windows"
)

// EnsureDefaults makes what a fresh database lacks: the server's identity, the
// starter template and the default task sequence (mbr-dual, first edition). It
// may be repeated and run on several replicas at once.
func (c *Console) EnsureDefaults(ctx context.Context) error {
	if _, err := c.ServerKey(ctx); err != nil {
		return fmt.Errorf("make the server's identity: %w", err)
	}
	_, err := c.store.OldestSequence(ctx)
	if !isNotFound(err, "task_sequence") {
		return err
	}
	err = c.createDefaults(ctx, System("start"))
	// Another replica may have been quicker.
	if _, found := c.store.OldestSequence(ctx); found == nil {
		return nil
	}
	return err
}

// createDefaults makes both in one transaction: a database never has half of
// them.
func (c *Console) createDefaults(ctx context.Context, a Actor) error {
	return c.change(ctx, a, UseSaveTaskSequence, func(tx *store.Tx, by store.Actor) error {
		t, err := tx.CreateTemplate(ctx, DefaultTemplate, "")
		if err != nil {
			return err
		}
		tv, err := tx.AddTemplateVersion(ctx, t.ID, t.Revision, []byte(c.StarterTemplate()), by)
		if err != nil {
			return err
		}
		s, err := tx.CreateSequence(ctx, DefaultTaskSequence, "")
		if err != nil {
			return err
		}
		fields := store.SequenceFields{
			Layout: protocol.LayoutMBRDual, Edition: 1, TemplateVersionID: tv.ID,
			BootSignature: protocol.BootSignature2011, PortableOperatingSystem: true,
		}
		if _, err := tx.AddSequenceVersion(ctx, s.ID, s.Revision, fields, by); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveTaskSequence), ObjectKind: "task_sequence", ObjectID: s.ID.String(),
			After: map[string]any{"name": s.Name, "fields": fields},
		})
	})
}
