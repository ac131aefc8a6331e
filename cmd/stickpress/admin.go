package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/store/pglocal"
)

// adminCommand talks to the database directly: it works when nobody can sign
// in, beside a running server or without one.
func adminCommand(environ []string) *cobra.Command {
	admin := &cobra.Command{
		Use:   "admin",
		Short: "Administers the console from the server's own machine, while it runs or not",
	}
	for _, c := range []*cobra.Command{linkCommand(environ), createUserCommand(environ), unlockCommand(environ), resetCommand(environ)} {
		addConfigFlags(c.Flags())
		admin.AddCommand(c)
	}
	admin.AddCommand(backupCommand(environ), restoreCommand(environ), gcCommand(environ), doctorCommand(environ))
	return admin
}

// withServer runs a command on the console's rooms without its doors.
func withServer(environ []string, command func(*cobra.Command, []string, *server) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		c, from, err := loadConfig(cmd.Flags(), environ)
		if err != nil {
			return err
		}
		if c.DatabaseURL == "" {
			postgres := filepath.Join(c.Data, "postgres")
			if _, err := os.Stat(postgres); err != nil {
				return fmt.Errorf("there is no console in %s: name its folder with --data: %w", c.Data, err)
			}
			c.DatabaseURL, err = pglocal.Attach(postgres) // of a server that runs
			if err != nil && !errors.Is(err, pglocal.ErrNotRunning) {
				return err
			}
		}
		s := &server{config: c, from: from, log: newLogger(c, cmd.ErrOrStderr())}
		defer func() { err = errors.Join(err, s.stop()) }()
		if err := s.openStore(cmd.Context()); err != nil {
			return err
		}
		if err := s.openConsole(cmd.Context()); err != nil {
			return err
		}
		return command(cmd, args, s)
	}
}

// listenAddr is an address as it was configured, for URLs of commands that do
// not listen.
type listenAddr string

func (listenAddr) Network() string  { return "tcp" }
func (a listenAddr) String() string { return string(a) }
