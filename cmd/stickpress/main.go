// Command stickpress is the console: the server, its administration and the
// client. This package only wires rooms together; what the console can do is
// in package api.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/locale"
)

// version is set when the program is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "stickpress:", sentence(err))
	}
	os.Exit(exitCode(err))
}

// run is main without the process around it.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	root := rootCommand(environ)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

func rootCommand(environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "stickpress",
		Short:         "Builds portable Windows sticks by the hundred",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.AddCommand(serveCommand(environ), configCommand(environ), adminCommand(environ), replayCommand(environ), imageCommand(environ), jobCommand(environ), certificateCommand(environ), trialCommand(environ))
	return root
}

// sentence renders a fault as people read it, with its cause behind it; other
// errors are sentences already.
func sentence(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err.Error()
	}
	text := locale.English.Fault(string(f.Code), f.Params)
	if f.Err != nil {
		text += " (" + f.Err.Error() + ")"
	}
	return text
}

// Exit codes.
const (
	exitFailed     = 1 // the command failed
	exitUnverified = 3 // trial: not every build was verified
)

// errUnverified ends trial when a stick was not verified.
var errUnverified = errors.New("not every stick was verified")

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUnverified):
		return exitUnverified
	}
	return exitFailed
}
