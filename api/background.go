package api

import (
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
