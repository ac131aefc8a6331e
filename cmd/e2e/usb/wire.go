// Package usb is the suite that shows the guards of agent/disk a real USB bus
// without hardware: Debian's kernel boots in qemu on a small initramfs whose
// init is the probe (folder probe), a program around agent/disk that does what
// it is told. The test plugs sticks in and pulls them out over qemu's monitor,
// tells the probe what to do over a virtio port, and looks at the sticks'
// image files from the outside. One boot serves the whole suite.
//
// This file is what the test and the probe say to each other: one JSON object
// per line, each Request answered by one Response of the same ID. A Response
// with ID 0 is an event.
package usb

import "github.com/stickpress/stickpress/agent/protocol"

// Op is what the probe is asked to do.
type Op string

// The operations and the fields of Request that they read.
const (
	OpList   Op = "list"   // DataDir
	OpOpen   Op = "open"   // Identity; Response.Mounts are those that were unmounted
	OpWrite  Op = "write"  // Path of an open device, Offset, Fill: 1 MiB, then read back
	OpFlood  Op = "flood"  // Path of an open device: write until it fails
	OpClose  Op = "close"  // Path of an open device
	OpEject  Op = "eject"  // Path of an open device
	OpMount  Op = "mount"  // Path of a FAT filesystem, Target
	OpUmount Op = "umount" // Target
	OpSwapOn Op = "swapon" // Path
	OpRAID   Op = "raid"   // Path: becomes a member of an array
	OpMap    Op = "map"    // Path: a device-mapper volume is laid over it
	OpBlink  Op = "blink"  // Identity: flashes three times
	OpPoints Op = "points" // Response.Mounts are all mount points
)

// Events.
const (
	EventReady    = "ready"    // the probe takes requests
	EventChange   = "change"   // disk.Lister.Watch signalled
	EventFlooding = "flooding" // a flood has written its first bytes
)

// Request is one order to the probe.
type Request struct {
	ID       int               `json:"id"`
	Op       Op                `json:"op"`
	Path     string            `json:"path"`
	Target   string            `json:"target"`
	DataDir  string            `json:"data_dir"`
	Identity protocol.Identity `json:"identity"`
	Offset   int64             `json:"offset"`
	Fill     byte              `json:"fill"`
}

// Response answers a Request, or is an event.
type Response struct {
	ID      int               `json:"id"`
	Event   string            `json:"event"`
	Fault   *protocol.Fault   `json:"fault"`
	Devices []protocol.Device `json:"devices"`
	Mounts  []string          `json:"mounts"`
}
