package store

import (
	"context"
	"slices"
)

// watcher is one OnChange.
type watcher struct {
	topics []string
	do     func()
}

// Run listens for notifications and wakes the watchers of this process until
// ctx ends. A replica runs it once.
func (s *Store) Run(ctx context.Context) error {
	for note := range s.Listen(ctx) {
		s.watchers.mu.Lock()
		for w := range s.watchers.all {
			if note.Resync || w.wants(note.Topics) {
				w.do()
			}
		}
		s.watchers.mu.Unlock()
	}
	return ctx.Err()
}

// OnChange calls do after something happened to one of the topics, until stop
// is called: several things may share one call, and there may be one for
// nothing. The first call is there at once, so that it begins by reading. do
// must not block, nor call OnChange or stop.
func (s *Store) OnChange(do func(), topics ...string) (stop func()) {
	w := &watcher{topics, do}
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	if s.watchers.all == nil {
		s.watchers.all = map[*watcher]struct{}{}
	}
	s.watchers.all[w] = struct{}{}
	do()
	return func() {
		s.watchers.mu.Lock()
		defer s.watchers.mu.Unlock()
		delete(s.watchers.all, w)
	}
}

// Watch is OnChange by a channel that gets a value. When ctx ends it is closed.
func (s *Store) Watch(ctx context.Context, topics ...string) <-chan struct{} {
	wake := make(chan struct{}, 1)
	stop := s.OnChange(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}, topics...)
	context.AfterFunc(ctx, func() {
		stop()
		close(wake)
	})
	return wake
}

func (w *watcher) wants(topics []string) bool {
	return slices.ContainsFunc(topics, func(t string) bool { return slices.Contains(w.topics, t) })
}
