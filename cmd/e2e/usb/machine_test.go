package usb

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// patience bounds every wait for the machine, on a busy host too; its boot
// takes some ten seconds when idle.
const patience = 90 * time.Second

// machine is a running virtual machine with the probe inside.
type machine struct {
	t       *testing.T
	console string
	exited  chan struct{} // closed when qemu has ended
	qmp     net.Conn
	probe   net.Conn
	replies chan json.RawMessage // of qemu's monitor
	removed chan string          // DEVICE_DELETED events
	events  chan string

	mu        sync.Mutex
	responses map[int]chan *Response
	lastID    int
}

// boot starts the machine and waits until the probe is ready.
func boot(t *testing.T, args ...string) *machine {
	t.Helper()
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatal("qemu-system-x86_64 is missing: install the package qemu-system-x86")
	}
	image, moduleDir := kernel(t)
	sockets, err := os.MkdirTemp("", "usb-") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	m := &machine{
		t: t, console: filepath.Join(t.TempDir(), "console.log"), exited: make(chan struct{}),
		replies: make(chan json.RawMessage, 1), removed: make(chan string, 16), events: make(chan string, 4096),
		responses: map[int]chan *Response{},
	}
	listen := func(name string) net.Listener {
		l, err := net.Listen("unix", filepath.Join(sockets, name))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	monitor, port := listen("qmp"), listen("probe")
	defer monitor.Close()
	defer port.Close()
	cmd := exec.Command(qemu, append([]string{
		"-accel", "tcg", "-machine", "q35", "-m", "512", "-smp", "2", "-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", image, "-initrd", initramfs(t, moduleDir), "-append", "console=ttyS0 panic=-1",
		"-serial", "file:" + m.console,
		"-chardev", "socket,id=qmp,path=" + sockets + "/qmp", "-mon", "chardev=qmp,mode=control",
		"-chardev", "socket,id=probe,path=" + sockets + "/probe",
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=probe",
	}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // how it ended shows in what is missing
		monitor.Close()
		port.Close()
		close(m.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-m.exited
		if t.Failed() {
			log, _ := os.ReadFile(m.console)
			t.Logf("qemu: %s\nconsole:\n%s", stderr.String(), log)
		}
	})
	if m.qmp, err = monitor.Accept(); err != nil {
		t.Fatalf("qemu did not start: %v", err)
	}
	t.Cleanup(func() { m.qmp.Close() })
	if m.probe, err = port.Accept(); err != nil {
		t.Fatalf("qemu did not start: %v", err)
	}
	t.Cleanup(func() { m.probe.Close() })
	go m.readMonitor()
	m.control("qmp_capabilities", map[string]any{})
	go m.readProbe()
	m.await(EventReady)
	return m
}

// part runs one part of the story. The parts share the machine: after a
// failed one the rest would fail for its reasons.
func (m *machine) part(name string, story func(*testing.T)) {
	m.t.Helper()
	whole := m.t
	if ok := whole.Run(name, func(t *testing.T) { m.t = t; story(t) }); !ok {
		m.t = whole
		whole.FailNow()
	}
	m.t = whole
}

// readMonitor sorts qemu's lines into replies and events.
func (m *machine) readMonitor() {
	for lines := bufio.NewScanner(m.qmp); lines.Scan(); {
		var line struct {
			Return, Error json.RawMessage
			Event         string
			Data          struct{ Device string }
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			m.t.Errorf("qemu says %q", lines.Text())
			return
		}
		switch {
		case line.Return != nil, line.Error != nil:
			m.replies <- line.Error
		case line.Event == "DEVICE_DELETED" && line.Data.Device != "":
			m.removed <- line.Data.Device
		}
	}
}

// readProbe sorts the probe's lines into responses and events.
func (m *machine) readProbe() {
	lines := bufio.NewScanner(m.probe)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r := new(Response)
		if err := json.Unmarshal(lines.Bytes(), r); err != nil {
			m.t.Errorf("the probe says %q", lines.Text())
			return
		}
		if r.ID == 0 {
			m.events <- r.Event
			continue
		}
		m.mu.Lock()
		c := m.responses[r.ID]
		m.mu.Unlock()
		c <- r
	}
}

func wait[T any](m *machine, what string, c <-chan T) T {
	m.t.Helper()
	select {
	case v := <-c:
		return v
	case <-m.exited:
		m.t.Fatalf("the machine ended before: %s", what)
	case <-time.After(patience):
		m.t.Fatalf("no answer: %s", what)
	}
	panic("unreachable")
}

// await takes events until the wanted one comes.
func (m *machine) await(event string) {
	m.t.Helper()
	for wait(m, event, m.events) != event {
	}
}

// control gives qemu an order.
func (m *machine) control(command string, arguments map[string]any) {
	m.t.Helper()
	line, err := json.Marshal(map[string]any{"execute": command, "arguments": arguments})
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.qmp.Write(append(line, '\n')); err != nil {
		m.t.Fatal(err)
	}
	if failure := wait(m, command, m.replies); failure != nil {
		m.t.Fatalf("%s %v: %s", command, arguments, failure)
	}
}

// plug puts a drive into a port; unplug pulls it out.
func (m *machine) plug(id, drive, port, serial string) {
	m.t.Helper()
	m.control("device_add", map[string]any{
		"driver": "usb-storage", "id": id, "drive": drive, "bus": "xhci.0", "port": port, "serial": serial, "removable": true,
	})
}

func (m *machine) unplug(id string) {
	m.t.Helper()
	m.control("device_del", map[string]any{"id": id})
	for wait(m, "unplug "+id, m.removed) != id {
	}
}

// swap puts another card into a slot.
func (m *machine) swap(slot, drive string) {
	m.t.Helper()
	m.control("blockdev-open-tray", map[string]any{"id": slot, "force": true})
	m.control("blockdev-remove-medium", map[string]any{"id": slot})
	m.control("blockdev-insert-medium", map[string]any{"id": slot, "node-name": drive})
	m.control("blockdev-close-tray", map[string]any{"id": slot})
}

// start sends the probe a request without waiting for its response.
func (m *machine) start(q Request) <-chan *Response {
	m.t.Helper()
	c := make(chan *Response, 1)
	m.mu.Lock()
	m.lastID++
	q.ID = m.lastID
	m.responses[q.ID] = c
	m.mu.Unlock()
	line, err := json.Marshal(q)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.probe.Write(append(line, '\n')); err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *machine) ask(q Request) *Response {
	m.t.Helper()
	return wait(m, string(q.Op), m.start(q))
}

// do asks for something that must work.
func (m *machine) do(q Request) *Response {
	m.t.Helper()
	r := m.ask(q)
	if r.Fault != nil {
		m.t.Fatalf("%s %s %s: %v", q.Op, q.Path, q.Identity.Port, r.Fault)
	}
	return r
}

// refuse asks for something that must fail with one of the codes.
func (m *machine) refuse(q Request, codes ...string) *protocol.Fault {
	m.t.Helper()
	r := m.ask(q)
	if r.Fault == nil || !slices.Contains(codes, r.Fault.Code) {
		m.t.Errorf("%s %s %s: %v, want %s", q.Op, q.Path, q.Identity.Port, r.Fault, strings.Join(codes, " or "))
		return protocol.NewFault("")
	}
	return r.Fault
}

// find lists the devices until match holds for one, looking again whenever the
// probe saw a change.
func (m *machine) find(what string, match func(*protocol.Device) bool) *protocol.Device {
	m.t.Helper()
	for {
		devices := m.do(Request{Op: OpList}).Devices
		for i := range devices {
			if match(&devices[i]) {
				return &devices[i]
			}
		}
		select {
		case <-m.events:
		case <-m.exited:
			m.t.Fatalf("the machine ended while it looked for %s", what)
		case <-time.After(patience):
			m.t.Fatalf("%s is not in %s", what, describe(devices))
		}
	}
}

// at finds what is plugged into a port.
func (m *machine) at(port string, lun int) *protocol.Device {
	m.t.Helper()
	return m.find(fmt.Sprintf("port %s, LUN %d", port, lun), func(d *protocol.Device) bool {
		return d.Port == port && d.LUN == lun
	})
}

// gone waits until nothing is plugged into a port.
func (m *machine) gone(port string, lun int) {
	m.t.Helper()
	m.find("a list without "+port, func(d *protocol.Device) bool {
		return d.Kind == protocol.KindDisk && !slices.ContainsFunc(m.do(Request{Op: OpList}).Devices, func(d protocol.Device) bool {
			return d.Port == port && d.LUN == lun
		})
	})
}

func describe(devices []protocol.Device) string {
	var b strings.Builder
	for _, d := range devices {
		fmt.Fprintf(&b, "\n%s %+v %v", d.Path, d.Identity, codes(&d))
	}
	return b.String()
}

func codes(d *protocol.Device) []string {
	var out []string
	for _, f := range d.Refusals {
		out = append(out, f.Code)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
