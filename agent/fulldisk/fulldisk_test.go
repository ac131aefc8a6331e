package fulldisk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	full, other := errors.New("full"), errors.New("other")
	at := func(err error) error { return &fs.PathError{Op: "write", Path: "disk.raw", Err: err} }
	for name, c := range map[string]struct {
		err  error
		full bool
	}{
		"in other words": {at(full), true}, "as it is": {at(syscall.ENOSPC), true}, "another": {at(other), false},
	} {
		got := wrap(c.err, []error{full})
		if errors.Is(got, syscall.ENOSPC) != c.full || !errors.Is(got, c.err) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := wrap(nil, []error{full}); err != nil {
		t.Errorf("no error became %v", err)
	}
	if err := Wrap(at(os.ErrExist)); errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v is a full disk", err)
	}
}
