package disk

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
)

// askHub calls ask for the hub that a USB device is plugged into, and for its
// port there.
func (n node) askHub(ask func(hub drive.Ask, port uint32) error) error {
	hub, err := n.parent()
	if err != nil {
		return err
	}
	paths, err := interfaces(hub.text(&drive.KeyInstanceID), &interfaceHub)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("the hub of a USB device: %w", fs.ErrNotExist)
	}
	h, err := openPath(paths[0], windows.GENERIC_WRITE)
	if err != nil {
		return err
	}
	defer closeHandle(h)
	return ask(asking(h), uint32(n.number(&drive.KeyAddress)))
}

// sockets remembers which root port goes by which other's name: that is how
// the machine was built, and must not depend on whether a hub answers today.
var sockets = struct {
	sync.Mutex
	of map[string]string // location paths of root ports
}{of: map[string]string{}}

// socket is the location path of the socket that a USB device is plugged
// into, empty if Windows does not give it one; see drive.Socket.
func (n node) socket() string {
	location := n.text(&drive.KeyLocationPaths)
	top, ok := n.rootPort()
	if location == "" || !ok {
		return location
	}
	at := top.text(&drive.KeyLocationPaths)
	sockets.Lock()
	name, known := sockets.of[at]
	sockets.Unlock()
	if !known {
		err := top.askHub(func(ask drive.Ask, port uint32) (err error) {
			name, err = drive.Socket(at, drive.Root{Ask: ask, Port: port, Locate: locate})
			return err
		})
		if err != nil {
			return location
		}
		sockets.Lock()
		sockets.of[at] = name
		sockets.Unlock()
	}
	if rest, below := strings.CutPrefix(location, at); below {
		return name + rest
	}
	return location
}

// rootPort walks up from a USB device to the one in a root hub's own port.
func (n node) rootPort() (top node, ok bool) {
	for range 16 {
		hub, err := n.parent()
		if err != nil {
			return 0, false
		}
		if isRootHub(hub.text(&drive.KeyInstanceID)) {
			return n, true
		}
		n = hub
	}
	return 0, false
}

func isRootHub(instance string) bool {
	return strings.HasPrefix(strings.ToUpper(instance), `USB\ROOT_HUB`)
}

// locate returns the location path of the hub behind a symbolic link.
func locate(link string) string {
	instance, err := instanceOf(link)
	if err != nil {
		return ""
	}
	hub, err := findNode(instance)
	if err != nil {
		return ""
	}
	return hub.text(&drive.KeyLocationPaths)
}

// learnSpeed asks a device once per connection how fast it could be, beyond
// what its hub says by itself.
func (l *Lister) learnSpeed(c *candidate) {
	if c.usb == 0 {
		return
	}
	c.MaxMbps = max(c.MaxMbps, l.learned(c.Connection, func() (most int, err error) {
		err = c.usb.askHub(func(ask drive.Ask, port uint32) error {
			bos, err := drive.ReadBOS(ask, port)
			most = maxMbps(bos)
			return err
		})
		return most, err
	}))
}
