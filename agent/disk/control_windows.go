package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
)

// openPath opens a device or file for a look (access 0 asks nothing of the
// device and needs no rights) or more; others may do as they like.
func openPath(path string, access uint32) (windows.Handle, error) {
	return create(path, access, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, 0)
}

func create(path string, access, share, flags uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return windows.InvalidHandle, err
	}
	h, err := windows.CreateFile(name, access, share, nil, windows.OPEN_EXISTING, flags, 0)
	if err != nil {
		return windows.InvalidHandle, fmt.Errorf("open %s: %w", path, err)
	}
	return h, nil
}

// closeHandle ends a look; there is nothing to lose.
func closeHandle(h windows.Handle) { _ = windows.CloseHandle(h) }

// control sends a question to a device and returns up to size bytes of answer.
func control(h windows.Handle, code uint32, question []byte, size int) ([]byte, error) {
	answer := make([]byte, size)
	var in, out *byte
	if len(question) > 0 {
		in = &question[0]
	}
	if size > 0 {
		out = &answer[0]
	}
	var n uint32
	err := windows.DeviceIoControl(h, code, in, uint32(len(question)), out, uint32(size), &n, nil)
	if err != nil {
		return nil, fmt.Errorf("control %#x: %w", code, err)
	}
	return answer[:n], nil
}

// controlGrowing is control for answers of unknown length.
func controlGrowing(h windows.Handle, code uint32, question []byte) ([]byte, error) {
	for size := 4 << 10; ; size *= 4 {
		answer, err := control(h, code, question, size)
		small := errors.Is(err, windows.ERROR_MORE_DATA) || errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER)
		if !small || size > 1<<20 {
			return answer, err
		}
	}
}

// asking puts questions to an open device.
func asking(h windows.Handle) drive.Ask {
	return func(code uint32, question []byte, size int) ([]byte, error) {
		if size == 0 {
			return controlGrowing(h, code, question)
		}
		return control(h, code, question, size)
	}
}
