// Package tool runs the foreign programs that the agent builds on (wimlib,
// ntfs-3g, mkfs.fat and mtools; on Windows diskpart, DISM and bcdboot), and the
// console with wimlib, and tells apart the ways in which they end: not installed,
// cancelled, failed. A cancelled program and all that it started is killed, and
// none outlives who started it.
package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Command is one call.
type Command struct {
	Name    string   // looked up where this system has its programs
	Package string   // the distribution's package that holds it
	Args    []string // without the name
	Env     []string // added to the agent's own
	Stdin   io.Reader
	Stdout  io.Writer // nil: only the end is kept, for an error's detail
}

// ExitError says that the program ran and failed.
type ExitError struct {
	Tool   string
	Status int
	Output string // the end of what it wrote to standard error and output
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("%s ended with status %d: %s", e.Tool, e.Status, e.Output)
}

// Unwrap is syscall.ENOSPC when a disk or a volume ran full, which programs
// say in no other way than in words.
func (e *ExitError) Unwrap() error {
	if strings.Contains(e.Output, "No space left on device") { // strerror in the C locale
		return syscall.ENOSPC
	}
	return nil
}

// Exit returns what Run returned if it is the program's own failure, and nil for
// anything else. The cause of a cancelled call may itself be a program's failure:
// of another one, which came first.
func Exit(err error) *ExitError {
	exit, _ := err.(*ExitError) //nolint:errorlint // Run wraps its own in nothing
	return exit
}

// Fault is the failure as data, for callers that know nothing more exact.
func (e *ExitError) Fault() *protocol.Fault {
	return protocol.WrapFault(e, protocol.FaultTool, "tool", e.Tool, "status", e.Status, "detail", e.Output)
}

// killDelay is how long a killed program's pipes may stay open.
const killDelay = 5 * time.Second

// Look finds the programs and returns the fault tool_missing for the first
// one that is not installed.
func Look(commands ...Command) error {
	for _, c := range commands {
		if _, err := c.path(); err != nil {
			return err
		}
	}
	return nil
}

// path finds the program.
func (c Command) path() (string, error) {
	path, err := look(c.Name)
	if err != nil {
		return "", protocol.WrapFault(err, protocol.FaultToolMissing, "tool", c.Name, "package", c.Package)
	}
	return path, nil
}

// Run runs the program to its end. It returns the fault tool_missing, the
// cause of ctx when that ended first, or an *ExitError.
func (c Command) Run(ctx context.Context) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	tail := &tailBuffer{limit: 4 << 10}
	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Env = append(os.Environ(), append([]string{"LC_ALL=C.UTF-8"}, c.Env...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, tail
	if c.Stdout == nil {
		cmd.Stdout = tail
	}
	cmd.WaitDelay = killDelay
	// The kernel kills the program when the thread that started it ends,
	// which must then be no sooner than the program itself.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	group, err := start(cmd)
	if err == nil {
		err = cmd.Wait()
		group.end()
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return stopped(ctx)
	case errors.As(err, &exit):
		return &ExitError{c.Name, exit.ExitCode(), tail.String()}
	}
	return fmt.Errorf("run %s: %w", c.Name, err)
}

// stopped is the cause of ctx, never as a failure of the program that it ended.
func stopped(ctx context.Context) error {
	cause := context.Cause(ctx)
	if Exit(cause) != nil {
		return fmt.Errorf("stopped: %w", cause)
	}
	return cause
}

// tailBuffer keeps the last bytes written to it.
type tailBuffer struct {
	limit int
	buf   []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.limit; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// String is the text without progress lines that a return overwrote.
func (t *tailBuffer) String() string {
	var lines []string
	for line := range bytes.SplitSeq(t.buf, []byte("\n")) {
		if i := bytes.LastIndexByte(bytes.TrimRight(line, "\r"), '\r'); i >= 0 {
			line = line[i+1:]
		}
		if text := strings.TrimSpace(strings.ToValidUTF8(string(line), "?")); text != "" {
			lines = append(lines, text)
		}
	}
	return strings.Join(lines, "\n")
}
