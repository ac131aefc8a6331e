//go:build linux

// Probe is the init of the virtual machine of the usb suite: it loads the
// kernel modules that it finds beside itself, then does with agent/disk what
// the test asks for. It is of no use on a real machine.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/cmd/e2e/usb"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "probe: this is the init of a test machine")
		os.Exit(1)
	}
	if err := run(); err != nil {
		fmt.Println("probe:", err)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func run() error {
	for _, m := range []struct{ fstype, point string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}, {"tmpfs", "/media"},
	} {
		if err := unix.Mount(m.fstype, m.point, m.fstype, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.point, err)
		}
	}
	if err := loadModules("/modules"); err != nil {
		return err
	}
	// As udev does it: the kernel looks every two seconds whether a card is another one.
	if err := os.WriteFile("/sys/module/block/parameters/events_dfl_poll_msecs", []byte("2000"), 0); err != nil {
		return err
	}
	ports, err := filepath.Glob("/dev/vport*")
	if err != nil || len(ports) != 1 {
		return errors.Join(err, fmt.Errorf("virtio ports %v: want one", ports))
	}
	port, err := os.OpenFile(ports[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return serve(port)
}

// loadModules loads the files of a folder in the order of their names.
func loadModules(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		image, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return err
		}
		options := ""
		if strings.HasSuffix(file.Name(), "usb-storage.ko") {
			options = "delay_use=0" // no second of rest for old camera bridges
		}
		if err := unix.InitModule(image, options); err != nil {
			return fmt.Errorf("load %s: %w", file.Name(), err)
		}
	}
	return nil
}

// probe holds the devices that are open, by path.
type probe struct {
	lister *disk.Lister
	mu     sync.Mutex
	out    *json.Encoder
	open   map[string]*disk.Handle
}

func serve(port io.ReadWriter) error {
	p := &probe{lister: &disk.Lister{}, out: json.NewEncoder(port), open: map[string]*disk.Handle{}}
	signals := p.lister.Watch(context.Background())
	go func() {
		for range signals {
			p.send(&usb.Response{Event: usb.EventChange})
		}
	}()
	p.send(&usb.Response{Event: usb.EventReady})
	lines := bufio.NewScanner(port)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var q usb.Request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if q.Op == usb.OpFlood {
			go p.answer(&q)
		} else {
			p.answer(&q)
		}
	}
	return lines.Err()
}

func (p *probe) send(r *usb.Response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.out.Encode(r); err != nil {
		fmt.Println("probe: send:", err)
	}
}

func (p *probe) answer(q *usb.Request) {
	r := &usb.Response{ID: q.ID}
	r.Fault = protocol.AsFault(p.do(q, r))
	p.send(r)
}

func (p *probe) do(q *usb.Request, r *usb.Response) (err error) {
	switch q.Op {
	case usb.OpList:
		l := p.lister
		if q.DataDir != "" {
			l = &disk.Lister{DataDirs: []string{q.DataDir}}
		}
		r.Devices, err = l.List(context.Background())
		return err
	case usb.OpOpen:
		h, err := p.lister.Open(context.Background(), q.Identity)
		if err != nil {
			return err
		}
		r.Devices, r.Mounts = []protocol.Device{h.Device()}, h.Unmounted()
		p.open[h.Device().Path] = h
		return nil
	case usb.OpBlink:
		return p.blink(q.Identity)
	case usb.OpMount:
		if err := os.MkdirAll(q.Target, 0o755); err != nil {
			return err
		}
		return unix.Mount(q.Path, q.Target, "vfat", 0, "")
	case usb.OpUmount:
		return unix.Unmount(q.Target, 0)
	case usb.OpSwapOn:
		return swapOn(q.Path)
	case usb.OpRAID:
		return joinArray(q.Path)
	case usb.OpMap:
		return mapOver(q.Path)
	case usb.OpPoints:
		r.Mounts, err = mountPoints()
		return err
	default:
		return p.use(q)
	}
}

// use does what needs an open device.
func (p *probe) use(q *usb.Request) error {
	h := p.open[q.Path]
	if h == nil {
		return fmt.Errorf("%s is not open", q.Path)
	}
	switch q.Op {
	case usb.OpWrite:
		return write(h, q.Offset, q.Fill)
	case usb.OpFlood:
		return p.flood(h)
	case usb.OpClose:
		return h.Close()
	case usb.OpEject:
		return h.Eject()
	default:
		return fmt.Errorf("unknown operation %q", q.Op)
	}
}
