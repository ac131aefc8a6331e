package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/locale"
)

// Exit codes, of every command. Scripts rely on them: docs/cli.md lists them,
// and none ever gets another meaning.
const (
	exitOK          = 0
	exitFailed      = 1   // something else went wrong, here or on the console
	exitUsage       = 2   // the command line is wrong; nothing was asked
	exitUnverified  = 3   // the job ended, and not every stick is as it should be
	exitRefused     = 4   // the console refused: what was asked is wrong, or who asked may not
	exitNotFound    = 5   // there is no such thing, or it is not for whoever asked
	exitConflict    = 6   // the state of things is against it, or somebody else was faster
	exitNetwork     = 7   // no answer from the console: whether a change was made is not known
	exitInterrupted = 130 // Ctrl-C; what runs on the console goes on
)

// errUnverified ends a command whose job left a stick that is not as it should
// be.
var errUnverified = errors.New("not every stick was verified")

// errPlanned ends a command that was to wait for a job which begins later.
var errPlanned = errors.New("planned")

// errWarnings ends a strict check that found something.
var errWarnings = errors.New("there are warnings, which --strict refuses")

// errNoToken ends a command that nobody is signed in for.
var errNoToken = errors.New("no token")

// absentError is a stick, or a source, that a host does not show.
type absentError struct{ error }

func absent(format string, args ...any) error {
	return &absentError{fmt.Errorf(format, args...)}
}

// usageError is a command line that cannot be meant.
type usageError struct {
	cmd *cobra.Command
	err error
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%v (see '%s --help')", e.err, e.cmd.CommandPath())
}

func (e *usageError) Unwrap() error { return e.err }

// wrong is a usageError with a sentence.
func wrong(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{cmd, fmt.Errorf(format, args...)}
}

// exitCode is the exit code that an error means.
func exitCode(err error) int {
	var usage *usageError
	var away *absentError
	var p *client.Problem
	var f *fault.Error
	var broken *url.Error
	var cut net.Error
	var local *fs.PathError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errUnverified):
		return exitUnverified
	case errors.Is(err, errWarnings), errors.Is(err, errNoToken):
		return exitRefused
	case errors.As(err, &away):
		return exitNotFound
	case errors.Is(err, errPlanned):
		return exitConflict
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &p):
		return exitOfStatus(p.Status)
	case errors.As(err, &f):
		return exitOfStatus(f.Kind.Status())
	case errors.As(err, &local):
		return exitFailed // a file of this machine: what the system says of it passes for a net.Error, too
	case errors.As(err, &broken), errors.As(err, &cut), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, client.ErrSilent):
		return exitNetwork
	}
	return exitFailed
}

// exitOfStatus is the exit code for a refusal with an HTTP status.
func exitOfStatus(status int) int {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return exitConflict
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return exitNetwork
	}
	if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
		return exitRefused
	}
	return exitFailed
}

// sentence is an error as people read it: of the console its own sentence, with
// the code and the ID under which its log has more.
func sentence(err error) string {
	var p *client.Problem
	var f *fault.Error
	var broken *url.Error
	switch {
	case errors.As(err, &p):
		return problemSentence(p)
	case errors.As(err, &f):
		text := locale.English.Fault(string(f.Code), f.Params)
		if f.Err != nil && f.Kind == fault.KindInternal {
			text += " (" + f.Err.Error() + ")"
		}
		return text
	case errors.As(err, &broken):
		at := broken.URL
		if u, err := url.Parse(at); err == nil {
			at = u.Scheme + "://" + u.Host
		}
		return fmt.Sprintf("no answer from %s: %v%s", at, broken.Err, trustHint(err))
	}
	return err.Error()
}

func problemSentence(p *client.Problem) string {
	var b strings.Builder
	if p.Detail == "" { // of what went wrong in the background, the console tells the code
		b.WriteString(locale.English.Fault(p.Code, p.Params))
	} else {
		b.WriteString(p.Detail)
	}
	fmt.Fprintf(&b, " [%s", p.Code)
	if p.RequestID != "" {
		b.WriteString(", request " + p.RequestID)
	}
	b.WriteByte(']')
	for _, e := range p.Errors {
		if e.Detail != p.Detail { // else it is said above
			fmt.Fprintf(&b, "\n  %s: %s", e.Location, e.Detail)
		}
	}
	return b.String()
}
