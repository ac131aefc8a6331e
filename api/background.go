package api

import (
	"context"
	"fmt"

	"github.com/riverqueue/river"

	"github.com/stickpress/stickpress/store"
)

// atOnce is how much background work of a replica goes on at once: to decode
// an image keeps a processor busy.
const atOnce = 2

// openBackground prepares what this replica does in the background. Its queue
// has the name of its upload folder: only whoever has the folder has the files.
func (c *Console) openBackground() error {
	name, err := c.staging.Name()
	if err != nil {
		return err
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &inspector{c: c}); err != nil {
		return fmt.Errorf("prepare background work: %w", err)
	}
	if err := river.AddWorkerSafely(workers, &writeBackWorker{c: c}); err != nil {
		return fmt.Errorf("prepare background work: %w", err)
	}
	if err := river.AddWorkerSafely(workers, &deliverer{c: c}); err != nil {
		return fmt.Errorf("prepare background work: %w", err)
	}
	c.background, err = c.store.Background(store.BackgroundOptions{
		Queue: "uploads_" + name, Most: atOnce, Workers: workers, Log: c.log,
		Shared: []store.SharedQueue{{Name: webhookQueue, Most: deliveriesAtOnce, Lost: deliveryLost}, {Name: writeBackQueue, Most: writeBacksAtOnce, Lost: writeBackLost}},
	})
	return err
}

// takeUpLost has done what nobody is at any more: what a replica left running
// when it died, and what is to be sent and has no work in the queue, as after a
// restore. Of the replicas one looks for the latter at a time.
func (c *Console) takeUpLost(ctx context.Context) error {
	if err := c.background.TakeUpLost(ctx); err != nil {
		return err
	}
	return c.store.InTx(ctx, func(tx *store.Tx) error {
		_, ok, err := tx.LockWebhookReader(ctx)
		if err != nil || !ok {
			return err
		}
		messages, err := c.forgottenMessages(ctx, tx)
		if err != nil {
			return err
		}
		writeBacks, err := c.forgottenWriteBacks(ctx, tx)
		if messages+writeBacks > 0 && err == nil {
			c.log.Warn("work that was not queued any more is queued again", "deliveries", messages, "write_backs", writeBacks)
		}
		return err
	})
}

// forgottenMessages queues deliveries that are overdue and not queued.
func (c *Console) forgottenMessages(ctx context.Context, tx *store.Tx) (n int, err error) {
	for after := (store.DueMessage{}); ; {
		overdue, err := tx.OverdueMessages(ctx, tx.At().Add(-deliveryLost), after)
		if err != nil || len(overdue) == 0 {
			return n, err
		}
		work := make([]river.JobArgs, 0, len(overdue))
		for _, m := range overdue {
			work = append(work, delivery{WebhookID: m.WebhookID, MessageID: m.ID})
		}
		queued, err := tx.EnqueueForgotten(ctx, c.background, webhookQueue, work)
		if err != nil {
			return n, err
		}
		n, after = n+queued, overdue[len(overdue)-1]
	}
}

// forgottenWriteBacks queues write-backs that wait and are not queued. When each
// is due its work alone knows, so it looks at all of them.
func (c *Console) forgottenWriteBacks(ctx context.Context, tx *store.Tx) (n int, err error) {
	for after := (store.WriteBackID{}); ; {
		waiting, err := tx.WaitingWriteBacks(ctx, after)
		if err != nil || len(waiting) == 0 {
			return n, err
		}
		work := make([]river.JobArgs, 0, len(waiting))
		for _, id := range waiting {
			work = append(work, writeBackArgs{ID: id.String()})
		}
		queued, err := tx.EnqueueForgotten(ctx, c.background, writeBackQueue, work)
		if err != nil {
			return n, err
		}
		n, after = n+queued, waiting[len(waiting)-1]
	}
}
