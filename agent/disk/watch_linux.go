package disk

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// How Watch paces itself: a plugged-in stick makes a burst of events, which
// becomes one signal when it has been quiet for settle, or after latest when
// it never is (a loose plug, another program's many mounts); where an event
// source is missing (a container without netlink), signals come every fallback.
const (
	settle   = 200 * time.Millisecond
	latest   = time.Second
	fallback = 5 * time.Second
)

// Watch signals when the list of devices may have changed: a disk came or
// went (the kernel's uevents), something was mounted or unmounted, a virtual
// stick was made or removed. Signals are not counted: one that nobody has
// taken yet stands for all since. The channel is closed when ctx ends.
func (l *Lister) Watch(ctx context.Context) <-chan struct{} {
	signals := make(chan struct{}, 1)
	stopRead, stopWrite, err := os.Pipe()
	if err != nil { // out of descriptors: poll
		go func() {
			defer close(signals)
			for tick := time.NewTicker(fallback); ; {
				select {
				case <-ctx.Done():
					tick.Stop()
					return
				case <-tick.C:
					signal(signals)
				}
			}
		}()
		return signals
	}
	context.AfterFunc(ctx, func() { stopWrite.Close() })
	w := &watcher{lister: l, stop: int(stopRead.Fd())}
	w.open()
	go func() {
		defer close(signals)
		// Both ends live as long as this goroutine: a context that cannot end
		// holds on to nothing, and the collector would close the pipe.
		defer stopWrite.Close()
		defer stopRead.Close()
		defer w.close()
		w.run(signals)
	}()
	return signals
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watcher owns the descriptors; a missing one is -1, which poll(2) skips.
type watcher struct {
	lister                 *Lister
	stop                   int
	uevents, mounts, files int
}

func (w *watcher) open() {
	w.uevents, w.mounts, w.files = -1, -1, -1
	if fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT); err == nil {
		if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err == nil {
			w.uevents = fd
		} else {
			unix.Close(fd)
		}
	}
	if fd, err := unix.Open(filepath.Join(w.lister.proc(), "self/mountinfo"), unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		w.mounts = fd
	}
	w.openFiles()
}

// openFiles watches the folder of virtual sticks, which may be made later.
func (w *watcher) openFiles() {
	if w.lister.VirtualDir == "" || w.files >= 0 {
		return
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return
	}
	const events = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVE | unix.IN_ATTRIB | unix.IN_CLOSE_WRITE
	if _, err := unix.InotifyAddWatch(fd, w.lister.VirtualDir, events); err != nil {
		unix.Close(fd)
		return
	}
	w.files = fd
}

func (w *watcher) close() {
	for _, fd := range []int{w.uevents, w.mounts, w.files} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

func (w *watcher) run(signals chan<- struct{}) {
	pending := false
	var since time.Time // of the first event that was not signalled
	for {
		if pending && time.Since(since) >= latest {
			pending = false
			signal(signals)
		}
		before := pending
		complete := w.uevents >= 0 && w.mounts >= 0 && (w.files >= 0 || w.lister.VirtualDir == "")
		timeout := -1
		switch {
		case pending:
			timeout = int(settle.Milliseconds())
		case !complete:
			timeout = int(fallback.Milliseconds())
		}
		fds := []unix.PollFd{
			{Fd: int32(w.stop), Events: unix.POLLIN},
			{Fd: int32(w.uevents), Events: unix.POLLIN},
			{Fd: int32(w.mounts), Events: unix.POLLPRI},
			{Fd: int32(w.files), Events: unix.POLLIN},
		}
		n, err := unix.Poll(fds, timeout)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil, fds[0].Revents != 0:
			return
		case n == 0: // quiet, or time for a look without an event
			w.openFiles()
			pending = false
			signal(signals)
			continue
		}
		if fds[1].Revents != 0 && drain(w.uevents, aboutDisks) {
			pending = true
		}
		if fds[2].Revents != 0 {
			// Reading from the start makes the next change show.
			_, _ = unix.Seek(w.mounts, 0, 0)
			drain(w.mounts, anything)
			pending = true
		}
		if fds[3].Revents != 0 && drain(w.files, anything) {
			pending = true
		}
		if pending && !before {
			since = time.Now()
		}
	}
}

func anything([]byte) bool { return true }

// aboutDisks picks the uevents of disks, partitions and USB devices.
func aboutDisks(message []byte) bool {
	return bytes.Contains(message, []byte("\x00SUBSYSTEM=block\x00")) || bytes.Contains(message, []byte("\x00SUBSYSTEM=usb\x00"))
}

// drain reads all there is and reports whether any of it matters. A socket
// that overflowed lost events, which matters.
func drain(fd int, matters func([]byte) bool) bool {
	b, found := make([]byte, 64<<10), false
	for {
		n, err := unix.Read(fd, b)
		switch {
		case err == unix.EINTR:
		case err == unix.ENOBUFS:
			found = true
		case err != nil || n <= 0:
			return found
		default:
			found = found || matters(b[:n])
		}
	}
}
