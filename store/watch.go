package store

import "context"

// watcher is one Watch.
type watcher struct {
	topics map[string]bool
	wake   chan struct{}
}

// Run listens for notifications and wakes the watchers of this process until
// ctx ends. A replica runs it once.
func (s *Store) Run(ctx context.Context) error {
	for note := range s.Listen(ctx) {
		s.watchers.mu.Lock()
		for w := range s.watchers.all {
			if note.Resync || w.wants(note.Topics) {
				w.ring()
			}
		}
		s.watchers.mu.Unlock()
	}
	return ctx.Err()
}

// Watch returns a channel that gets a value after something happened to one of
// the topics: several things may share one value, and there may be one for
// nothing. The first value is there at once, so that a loop over the channel
// begins by reading. When ctx ends the channel is closed.
func (s *Store) Watch(ctx context.Context, topics ...string) <-chan struct{} {
	w := &watcher{topics: make(map[string]bool, len(topics)), wake: make(chan struct{}, 1)}
	for _, t := range topics {
		w.topics[t] = true
	}
	w.ring()
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	if s.watchers.all == nil {
		s.watchers.all = map[*watcher]struct{}{}
	}
	s.watchers.all[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.watchers.mu.Lock()
		defer s.watchers.mu.Unlock()
		delete(s.watchers.all, w)
		close(w.wake)
	})
	return w.wake
}

func (w *watcher) wants(topics []string) bool {
	for _, t := range topics {
		if w.topics[t] {
			return true
		}
	}
	return false
}

func (w *watcher) ring() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
