package api_test

import (
	"errors"
	"testing"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// wantFault fails unless err is a fault of this code.
func wantFault(t *testing.T, err error, code fault.Code) {
	t.Helper()
	_ = faultOf(t, err, code)
}

// faultOf is wantFault for who wants to see more of it.
func faultOf(t *testing.T, err error, code fault.Code) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("error is %v, want fault %s", err, code)
	}
	return f
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// got is the code of an error, "" if it is no fault.
func got(err error) fault.Code {
	var f *fault.Error
	if !errors.As(err, &f) {
		return ""
	}
	return f.Code
}
