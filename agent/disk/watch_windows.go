package disk

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// watchEvery is how often Watch compares.
const watchEvery = time.Second

// Watch signals when the list of devices may have changed: a disk came or
// went, a drive letter was given, a virtual stick was made or removed. It
// compares lists that Windows keeps in memory, so no device is asked. Signals
// are not counted: one that nobody has taken yet stands for all since. The
// channel is closed when ctx ends.
func (l *Lister) Watch(ctx context.Context) <-chan struct{} {
	signals := make(chan struct{}, 1)
	last := l.fingerprint() // what comes after this call is signalled
	go func() {
		defer close(signals)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := l.fingerprint()
			if now == last {
				continue
			}
			last = now
			select {
			case signals <- struct{}{}:
			default:
			}
		}
	}()
	return signals
}

// fingerprint differs when the list of devices may.
func (l *Lister) fingerprint() string {
	disks, _ := interfaces("", &interfaceDisk)
	slices.Sort(disks)
	letters, _ := windows.GetLogicalDrives()
	var b strings.Builder
	fmt.Fprintf(&b, "%q %b", disks, letters)
	if l.VirtualDir == "" {
		return b.String()
	}
	entries, _ := os.ReadDir(l.VirtualDir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), virtualSuffix) {
			fmt.Fprintf(&b, " %q %d %v", e.Name(), info.Size(), info.Mode())
		}
	}
	return b.String()
}
