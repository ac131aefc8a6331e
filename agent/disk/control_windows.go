package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
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

// exchange is control for codes that answer in the question's own form.
func exchange(h windows.Handle, code uint32, question []byte) ([]byte, error) {
	return control(h, code, question, len(question))
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

// vanished reports whether an error means that the device is not there any
// more (winerror.h).
func vanished(err error) bool {
	for _, e := range []error{
		windows.ERROR_FILE_NOT_FOUND, windows.ERROR_PATH_NOT_FOUND, windows.ERROR_BAD_UNIT, windows.ERROR_DEV_NOT_EXIST,
		windows.ERROR_NO_SUCH_DEVICE, windows.ERROR_DEVICE_NOT_CONNECTED, windows.ERROR_DEVICE_REMOVED,
		windows.ERROR_FILE_INVALID, windows.ERROR_DEVICE_NOT_AVAILABLE,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// noMedium reports whether an error means an empty slot.
func noMedium(err error) bool {
	return errors.Is(err, windows.ERROR_NOT_READY) || errors.Is(err, windows.ERROR_NO_MEDIA_IN_DRIVE)
}
