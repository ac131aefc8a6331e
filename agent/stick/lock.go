package stick

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// lockPoll is how often a waiting call looks whether the lock is free and how
// far its holder is.
const lockPoll = 200 * time.Millisecond

// lock is the right to work on one master, held against other calls of this
// program and of others; the kernel releases it when its holder dies. Its
// file carries the holder's progress for those that wait.
type lock struct{ f *os.File }

// tryLock returns nil without an error while somebody else holds the lock.
func tryLock(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock master: %w", err)
	}
	l := &lock{f}
	ok, err := l.try()
	if !ok {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// acquire waits for the lock, reporting the holder's progress meanwhile.
func acquire(ctx context.Context, path string, report func(done, total int64)) (*lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock master: %w", err)
	}
	l := &lock{f}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		ok, err := l.try()
		if ok {
			l.note(0, 0)
			return l, nil
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-tick.C:
		}
		var raw [16]byte
		if _, err := f.ReadAt(raw[:], 0); err == nil {
			if total := int64(binary.LittleEndian.Uint64(raw[8:])); total > 0 {
				report(int64(binary.LittleEndian.Uint64(raw[:])), total)
			}
		}
	}
}

// note tells those that wait how far the work is; it is only a courtesy.
func (l *lock) note(done, total int64) {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:], uint64(done))
	binary.LittleEndian.PutUint64(raw[8:], uint64(total))
	_, _ = l.f.WriteAt(raw[:], 0)
}

func (l *lock) release() { _ = l.f.Close() }
