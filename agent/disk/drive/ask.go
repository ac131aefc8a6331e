package drive

import (
	"errors"
	"syscall"
)

// Ask puts a question to a device and returns its answer, of at most size
// bytes; size 0 lets the answer be as long as it is. agent/disk asks with
// DeviceIoControl; tests answer by themselves. Errors wrap what Windows said,
// a syscall.Errno.
type Ask func(code uint32, question []byte, size int) ([]byte, error)

// What Windows says of a device that is not there any more, and of an empty
// slot (winerror.h).
var (
	gone = []syscall.Errno{
		2,    // ERROR_FILE_NOT_FOUND
		3,    // ERROR_PATH_NOT_FOUND
		20,   // ERROR_BAD_UNIT
		55,   // ERROR_DEV_NOT_EXIST
		433,  // ERROR_NO_SUCH_DEVICE
		1167, // ERROR_DEVICE_NOT_CONNECTED
		1617, // ERROR_DEVICE_REMOVED
		1006, // ERROR_FILE_INVALID
		4319, // ERROR_DEVICE_NOT_AVAILABLE
	}
	empty = []syscall.Errno{
		21,   // ERROR_NOT_READY
		1112, // ERROR_NO_MEDIA_IN_DRIVE
	}
)

// Gone reports whether an error means that the device is not there any more.
func Gone(err error) bool { return isOne(err, gone) }

// NoMedium reports whether an error means an empty slot.
func NoMedium(err error) bool { return isOne(err, empty) }

func isOne(err error, of []syscall.Errno) bool {
	for _, e := range of {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
