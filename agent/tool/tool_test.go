package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (Command{Name: "cat", Stdin: strings.NewReader("abc"), Stdout: &out}).Run(t.Context()); err != nil || out.String() != "abc" {
		t.Errorf("%q, %v", &out, err)
	}
	err := Command{Name: "sh", Args: []string{"-c", "printf 'one\\rtwo\\n'; echo three >&2; exit 7"}}.Run(t.Context())
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Status != 7 || !strings.Contains(exit.Output, "two") || strings.Contains(exit.Output, "one") {
		t.Errorf("%v", err)
	}
	if f := exit.Fault(); f.Code != protocol.FaultTool || f.Params["status"] != "7" {
		t.Errorf("%v", f)
	}
}

func TestNoSpace(t *testing.T) {
	t.Parallel()
	err := Command{Name: "sh", Args: []string{"-c", "cat /etc/passwd > /dev/full"}}.Run(t.Context())
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	c := Command{Name: "no-such-program", Package: "no-such-package"}
	for _, err := range []error{c.Run(t.Context()), Look(c)} {
		if f := protocol.AsFault(err); f.Code != protocol.FaultToolMissing || f.Params["package"] != "no-such-package" {
			t.Errorf("%v", err)
		}
	}
	if err := Look(Command{Name: "sh"}); err != nil {
		t.Error(err)
	}
}

// A cancelled program is killed together with what it started: the pipe that
// the grandchild holds open is closed.
func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Command{Name: "sh", Args: []string{"-c", "(echo started; exec sleep 1000) & wait"}, Stdout: write}.Run(ctx)
	}()
	if _, err := read.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	cause := protocol.NewFault(protocol.FaultCancelled)
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

// What cancelled a program is not that program's own failure, even if it is
// another program's.
func TestExit(t *testing.T) {
	t.Parallel()
	first := Command{Name: "sh", Args: []string{"-c", "exit 28"}}.Run(t.Context())
	if exit := Exit(first); exit == nil || exit.Status != 28 {
		t.Errorf("%v is its own failure", first)
	}
	for _, cause := range []error{first, fmt.Errorf("apply image: %w", first)} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		err := Command{Name: "sh", Args: []string{"-c", "sleep 1000"}}.Run(ctx)
		if exit := Exit(err); exit != nil || !errors.Is(err, first) {
			t.Errorf("cancelled by another one's failure: %v", err)
		}
	}
}
