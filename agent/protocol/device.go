package protocol

// Device kinds.
const (
	KindUSB     = "usb"     // a disk on a USB bus
	KindCard    = "card"    // removable, not USB (an SD reader on PCI)
	KindLoop    = "loop"    // a loop device, offered with --allow-loop only
	KindVirtual = "virtual" // a sparse file that stands for a stick
	KindDisk    = "disk"    // an internal disk: shown, always refused
	KindFile    = "file"    // a disk image that may be captured; never written, and no stick
)

// Identity names one device so exactly that another one cannot be mistaken
// for it. A confirmation holds an Identity; any difference at the time of
// writing refuses the write.
type Identity struct {
	Kind       string `json:"kind"`
	Port       string `json:"port"`       // USB port path ("1-1.4"), see Device.Socket; file name of a virtual stick; path of a file
	LUN        int    `json:"lun"`        // logical unit, for card readers
	VIDPID     string `json:"vid_pid"`    // "0781:5583", empty when not USB
	Serial     string `json:"serial"`     // may be empty or shared by a batch
	Bytes      int64  `json:"bytes"`      // size of the device
	Connection int64  `json:"connection"` // counts re-plugs of this port on this host
}

// Device is one device that the host sees.
type Device struct {
	Identity
	Path string `json:"path"` // "/dev/sdb" or a file
	// Socket names the place where it is plugged in, for a map of printed
	// numbers: the same for a USB 3 stick and the USB 2 device that it falls
	// back to, and over restarts of the host ("pci-0000:00:14.0-usb-0:4.3").
	Socket string `json:"socket"`
	// Hub is what feeds the socket: the hub's own port path ("1-1"), or
	// "usb1" for a controller's sockets. Empty when not USB.
	Hub           string   `json:"hub"`
	Vendor        string   `json:"vendor"`
	Model         string   `json:"model"`
	SectorSize    int      `json:"sector_size"`    // logical, 512 or 4096
	SpeedMbps     int      `json:"speed_mbps"`     // negotiated USB speed, 0 if unknown
	MaxMbps       int      `json:"max_mbps"`       // what the device could do in a faster socket, 0 if it does not say
	UASP          bool     `json:"uasp"`           // driven by uas, not usb-storage
	Removable     bool     `json:"removable"`      // the removable-media bit
	DuplicateOf   int      `json:"duplicates"`     // how many other devices here carry the same serial
	Volumes       []string `json:"volumes"`        // labels or types of filesystems found on it
	FoundID       string   `json:"found_id"`       // of the stick whose manifest was on it, "" without one; whoever writes to the stick can forge it
	AutomountedAt []string `json:"automounted_at"` // mount points that would be unmounted first
	// Lockable says that whoever mounted it can be kept out of it without a
	// change of its content, so that a mounted one may be read: on Windows.
	Lockable bool     `json:"lockable,omitempty"`
	Busy     bool     `json:"busy"`     // an attempt is writing it
	Blinking bool     `json:"blinking"` // its light flashes, see Identify
	Refusals []*Fault `json:"refusals"` // why it may not be written; empty means it may
}

// Writable reports whether nothing speaks against pressing this device.
func (d *Device) Writable() bool { return len(d.Refusals) == 0 }

// Refusal is the first reason why a job of a kind may not have this device, or
// nil. A stick that no capacity class fits is too small to press only; one that
// is compared may be write-protected, but not be mounted, by an automounter
// either: whoever unmounts it writes to it, unless it is Lockable.
func (d *Device) Refusal(k JobKind) *Fault {
	for _, f := range d.Refusals {
		switch {
		case f.Code == FaultTooSmall && k.OrPress() != JobPress && d.Bytes > 0:
		case f.Code == FaultReadOnly && !k.OrPress().Writes():
		default:
			return f
		}
	}
	if !k.OrPress().Writes() && len(d.AutomountedAt) > 0 && !d.Lockable {
		return NewFault(FaultMounted, "path", d.Path, "mount", d.AutomountedAt[0])
	}
	return nil
}

// FellBack reports whether a stick that can do SuperSpeed runs at the speed of
// USB 2: a wrong socket, a bad plug, an old hub.
func (d *Device) FellBack() bool { return d.SpeedMbps > 0 && d.SpeedMbps <= 480 && d.MaxMbps > 480 }

// Inventory is the whole list of devices; it replaces the previous one.
type Inventory struct {
	Devices    []Device `json:"devices"`
	Files      []Device `json:"files,omitempty"` // of KindFile
	CacheBytes int64    `json:"cache_bytes"`
	CacheLimit int64    `json:"cache_limit"`
}
