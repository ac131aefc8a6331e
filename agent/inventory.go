package agent

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/capture"
	"github.com/stickpress/stickpress/agent/protocol"
)

// listTime bounds one look at the devices.
const listTime = 15 * time.Second

// lookEvery is how often folders of files are looked at: nothing tells of
// what changes in them, least of all where they are another machine's.
const lookEvery = 10 * time.Second

// inventory keeps the newest list of devices for whoever sends it.
type inventory struct {
	list     Devices
	files    capture.Folders
	cache    func() (used, limit int64)
	busy     func(*protocol.Identity) bool
	blinking func(*protocol.Identity) bool
	log      *slog.Logger
	wake     func()
	changed  chan struct{}

	mu      sync.Mutex
	newest  *protocol.Inventory
	version int64 // counts changes of newest
	// carried are the IDs of sticks that attempts found on devices: a host that
	// opens no device to list it learns of them so.
	carried map[protocol.Identity]string
}

func newInventory(d Devices, files capture.Folders, used func() (used, limit int64), log *slog.Logger, wake func()) *inventory {
	return &inventory{
		list: d, files: files, cache: used, log: log, wake: wake,
		busy:     func(*protocol.Identity) bool { return false },
		blinking: func(*protocol.Identity) bool { return false },
		changed:  make(chan struct{}, 1), newest: &protocol.Inventory{Devices: []protocol.Device{}},
		carried: map[protocol.Identity]string{},
	}
}

// nudge asks run to look again.
func (v *inventory) nudge() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// found notes the ID of the stick that is in a device until it is pulled out;
// "" forgets it.
func (v *inventory) found(on *protocol.Identity, id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if id == "" {
		delete(v.carried, *on)
		return
	}
	v.carried[*on] = id
}

// addFound completes the devices, and forgets those that are gone. v.mu is held.
func (v *inventory) addFound(devices []protocol.Device) {
	there := make(map[protocol.Identity]string, len(v.carried))
	for i := range devices {
		d := &devices[i]
		if id, ok := v.carried[d.Identity]; ok {
			there[d.Identity] = id
			if d.FoundID == "" {
				d.FoundID = id
			}
		}
	}
	v.carried = there
}

// run looks again whenever something may have changed, until ctx ends.
func (v *inventory) run(ctx context.Context) {
	plugged := v.list.Watch(ctx)
	var look <-chan time.Time
	if len(v.files) > 0 {
		t := time.NewTicker(lookEvery)
		defer t.Stop()
		look = t.C
	}
	v.refresh(ctx) // what came before the watch began
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-plugged:
			if !ok {
				plugged = nil
				continue
			}
		case <-v.changed:
		case <-look:
		}
		v.refresh(ctx)
	}
}

// refresh lists the devices. When that fails the last list stays: a moment of
// trouble in sysfs does not unplug anything.
func (v *inventory) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	devices, err := v.list.List(ctx)
	if err != nil {
		if ctx.Err() == nil {
			v.log.Error("could not list the devices", "err", err)
		}
		return
	}
	next := &protocol.Inventory{Devices: append([]protocol.Device{}, devices...), Files: v.files.List()}
	for i := range next.Devices {
		d := &next.Devices[i]
		d.Busy = d.Busy || v.busy(&d.Identity)
		d.Blinking = v.blinking(&d.Identity)
	}
	for i := range next.Files {
		next.Files[i].Busy = v.busy(&next.Files[i].Identity)
	}
	next.CacheBytes, next.CacheLimit = v.cache()
	v.mu.Lock()
	v.addFound(next.Devices)
	same := v.version > 0 && reflect.DeepEqual(v.newest, next)
	if !same {
		v.newest = next
		v.version++
	}
	v.mu.Unlock()
	if !same {
		v.wake()
	}
}

// after returns the newest list and its version if that is above version.
func (v *inventory) after(version int64) (*protocol.Inventory, int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.version <= version {
		return nil, version
	}
	next := *v.newest
	next.Devices, next.Files = slices.Clone(next.Devices), slices.Clone(next.Files)
	return &next, v.version
}
