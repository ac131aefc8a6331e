// Package disk finds the devices of a host, says which of them may be
// overwritten and why the others may not, and opens one for writing.
//
// The one promise of the package is that a wrong disk is never written. It is
// kept by three things that do not trust each other:
//
//   - an identity. A person confirms a protocol.Identity: where the device is
//     plugged in, what it says it is, how big it is, and which connection of
//     that port it was. Open compares all of it; any difference refuses.
//   - guards (guard_linux.go), small functions that each know one reason why a
//     disk must not be written. List shows what they say; Open runs them again.
//   - the kernel's own exclusive claim. Open holds it (O_EXCL) from before the
//     last check until Close, so that nobody can mount the device, swap to it
//     or put it in an array between the check and the write.
//
// Handle repeats identity and guards once more right before the first byte,
// through the descriptor that it will write to. Before each change it asks the
// kernel whether the medium is still that one: a card reader stays, and open,
// while its cards change.
//
// A virtual stick is a sparse file that stands for a stick, for trials and
// tests. It needs no root and takes the same way.
//
// The agent must live in the host's own mount namespace (no PrivateMounts or
// ProtectSystem in its service unit): it unmounts what an automounter mounted.
package disk

import (
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// MinBytes is the size of the smallest device that may be pressed: the
// smallest capacity class, 28 GiB.
const MinBytes int64 = 28 << 30

// What virtual sticks say about themselves.
const (
	VirtualVendor = "Stickpress"
	VirtualModel  = "Virtual stick"
	virtualSuffix = ".img"
)

// Lister sees the devices of a host. The zero value looks at the running
// machine and offers USB sticks and cards only. A Lister may be used from
// several goroutines; it must not be copied, because it knows which devices
// it holds open.
type Lister struct {
	// Sysfs, Dev, Proc and Etc are where those trees are; empty means /sys,
	// /dev, /proc and /etc. Tests point them at trees of their own.
	Sysfs, Dev, Proc, Etc string
	// DataDirs hold data of ours: the disks beneath them are refused.
	DataDirs []string
	// AllowLoop offers loop devices.
	AllowLoop bool
	// VirtualDir is a folder whose *.img files are virtual sticks; empty
	// means that there are none.
	VirtualDir string
	// FoundID returns the ID of the stick whose manifest is on a device, for
	// List; nil leaves it out.
	FoundID func(Source) (string, error)

	patience time.Duration // of Open with other claims; tests shorten it

	mu     sync.Mutex
	gates  map[string]chan struct{} // by path: one opener or prober at a time
	open   map[string]*Handle       // by path
	speeds map[int64]int            // by connection, see learned
}

// Source is a device that List looks into.
type Source interface {
	io.ReaderAt
	Size() int64     // bytes
	SectorSize() int // logical, bytes
}

// compare returns the device_changed fault for the first part of the identity
// that differs, or nil if have is the device that want names.
func compare(path string, want, have protocol.Identity) *protocol.Fault {
	for _, p := range []struct{ what, want, have string }{
		{"kind", want.Kind, have.Kind},
		{"port", want.Port, have.Port},
		{"lun", strconv.Itoa(want.LUN), strconv.Itoa(have.LUN)},
		{"vid_pid", want.VIDPID, have.VIDPID},
		{"serial", want.Serial, have.Serial},
		{"bytes", strconv.FormatInt(want.Bytes, 10), strconv.FormatInt(have.Bytes, 10)},
		{"connection", strconv.FormatInt(want.Connection, 10), strconv.FormatInt(have.Connection, 10)},
	} {
		if p.want != p.have {
			return protocol.NewFault(protocol.FaultDeviceChanged,
				"path", path, "what", p.what, "want", p.want, "have", p.have)
		}
	}
	return nil
}

// countDuplicates fills in DuplicateOf. Two slots of one card reader share
// their reader's serial and their port; that is no duplicate.
func countDuplicates(devices []protocol.Device) {
	for i := range devices {
		for j := range devices {
			a, b := &devices[i], &devices[j]
			if i != j && a.Serial != "" && a.Serial == b.Serial && a.Port != b.Port {
				a.DuplicateOf++
			}
		}
	}
}
