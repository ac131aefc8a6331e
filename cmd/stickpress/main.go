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
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set when the program is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// execute is main without the process around it: it runs a command, says what
// went wrong and returns the exit code.
func execute(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd, err := run(ctx, args, environ, stdin, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, context.Canceled):
	case wantsJSON(cmd, args):
		failureOf(err).print(stderr)
	default:
		fmt.Fprintln(stderr, "stickpress:", sentence(err))
	}
	return exitCode(err)
}

// run runs a command, and returns it. What is wrong with the command line itself,
// before the command began, comes back as a usageError.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) (*cobra.Command, error) {
	root := rootCommand(environ)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	began := false
	noteBegin(root, &began)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !began {
		return cmd, &usageError{cmd, err}
	}
	return cmd, err
}

// noteBegin notes that a command began: what fails before is the command line.
func noteBegin(cmd *cobra.Command, began *bool) {
	if do := cmd.RunE; do != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return do(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		noteBegin(sub, began)
	}
}

// The groups of commands in the help.
const (
	groupServer = "server"
	groupClient = "client"
)

func rootCommand(environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "stickpress",
		Short:         "Builds portable Windows sticks by the hundred",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.AddGroup(
		&cobra.Group{ID: groupServer, Title: "The console, on its own machine:"},
		&cobra.Group{ID: groupClient, Title: "A client of a console, from any machine:"},
	)
	for _, c := range []*cobra.Command{
		serveCommand(environ), configCommand(environ), adminCommand(environ), replayCommand(environ), trialCommand(environ),
	} {
		c.GroupID = groupServer
		root.AddCommand(c)
	}
	root.AddCommand(clientCommands(environ)...)
	root.AddCommand(manCommand())
	addCompletion(root)
	needSubcommands(root)
	groupFlags(root)
	return root
}

// clientCommands are those that ask a console over REST.
func clientCommands(environ []string) []*cobra.Command {
	x := newRemote(environ)
	return []*cobra.Command{
		loginCommand(x), logoutCommand(x), whoamiCommand(x), contextCommand(x),
		imageCommand(x), channelCommand(x), templateCommand(x), hostCommand(x), jobCommand(x), stickCommand(x),
		requestCommand(x), eventsCommand(x), siteCommand(x),
		userCommand(x), tokenCommand(x), certificateCommand(x),
	}
}

// needSubcommands makes a family without the name of one of its commands show
// its help, and refuse what is none.
func needSubcommands(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		needSubcommands(sub)
	}
	if cmd.Runnable() || !cmd.HasSubCommands() {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("%q is no command of %q", args[0], cmd.CommandPath())
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return errors.New(text)
	}
	takeLeading(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := leads(cmd); err != nil {
			return err
		}
		return cmd.Help()
	}
}
