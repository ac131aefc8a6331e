package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// await takes signals until done reports true: signals are not counted, so
// one may still stand for what happened earlier.
func await(t *testing.T, signals <-chan struct{}, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-signals:
		case <-t.Context().Done():
			t.Fatal("no signal")
		}
	}
}

func TestWatch(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	l := &Lister{VirtualDir: t.TempDir(), AllowLoop: true}
	signals := l.Watch(ctx)
	has := func(path string) bool {
		devices, err := l.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range devices {
			if d.Path == path {
				return true
			}
		}
		return false
	}

	path := filepath.Join(l.VirtualDir, "new.img")
	make64(t, path)
	<-signals
	await(t, signals, func() bool { return has(path) })

	node := attach(t, sparse(t, 29*gib)) // the kernel's uevent
	<-signals
	await(t, signals, func() bool { return has(node) })

	point := t.TempDir()
	if err := unix.Mount("tmpfs", point, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	<-signals
	if err := unix.Unmount(point, 0); err != nil {
		t.Fatal(err)
	}
	<-signals

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(t, signals, func() bool { return !has(path) })
	cancel()
	for range signals { // ends when the channel is closed
	}
}

// A signal comes although it never gets quiet.
func TestWatchStorm(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := &Lister{VirtualDir: t.TempDir()}
	signals := l.Watch(ctx)
	storm := time.NewTicker(settle / 20)
	defer storm.Stop()
	late := time.After(time.Minute)
	for {
		path := filepath.Join(l.VirtualDir, "loose.img")
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Remove(path)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-storm.C:
		case <-signals:
			return
		case <-late:
			t.Fatal("no signal")
		}
	}
}
