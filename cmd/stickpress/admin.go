package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/store/pglocal"
)

// adminCommand talks to the database directly: it works when nobody can sign
// in, beside a running server or without one.
func adminCommand(environ []string) *cobra.Command {
	admin := &cobra.Command{
		Use:   "admin",
		Short: "Administers the console from the server's own machine, while it runs or not",
	}
	link := &cobra.Command{
		Use:   "link LOGIN",
		Short: "Prints a link that signs a person in once",
		Args:  cobra.ExactArgs(1),
		RunE: withServer(environ, func(cmd *cobra.Command, args []string, s *server) error {
			url, err := signInLink(cmd.Context(), s.console, s.config.URL(listenAddr(s.config.Listen)), args[0])
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), url)
			}
			return err
		}),
	}
	var role, name string
	create := &cobra.Command{
		Use:   "create LOGIN",
		Short: "Adds a person; the password is asked for, or read from standard input",
		Args:  cobra.ExactArgs(1),
		RunE: withServer(environ, func(cmd *cobra.Command, args []string, s *server) error {
			password, err := askPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			user, err := s.console.CreateUser(cmd.Context(), api.System("command line"), api.CreateUserInput{
				Login: args[0], Name: name, Role: api.Role(role), Password: password,
			})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s (%s)\n", user.ID, user.Login, user.Role)
			}
			return err
		}),
	}
	create.Flags().StringVar(&role, "role", string(api.RoleAdmin), "viewer, helpdesk or admin")
	create.Flags().StringVar(&name, "name", "", "name as others see it")
	var factor bool
	unlock := &cobra.Command{
		Use:   "unlock LOGIN",
		Short: "Forgets a person's failed sign-ins, and with --second-factor their lost telephone",
		Args:  cobra.ExactArgs(1),
		RunE: withServer(environ, func(cmd *cobra.Command, args []string, s *server) error {
			return unlockUser(cmd.Context(), s.console, args[0], factor)
		}),
	}
	unlock.Flags().BoolVar(&factor, "second-factor", false, "turn the second factor off as well, and end all sessions")
	for _, c := range []*cobra.Command{link, create, unlock} {
		addConfigFlags(c.Flags())
		admin.AddCommand(c)
	}
	return admin
}

// unlockUser is the way back in when nobody else can help.
func unlockUser(ctx context.Context, console *api.Console, login string, factor bool) error {
	system := api.System("command line")
	l, err := console.ListUsers(ctx, system, api.UserFilter{Text: login}, api.Page{Limit: api.MaxPage})
	if err != nil {
		return err
	}
	for _, u := range l.Items {
		if !strings.EqualFold(u.Login, login) {
			continue
		}
		if factor {
			if _, err := console.ResetTOTP(ctx, system, u.ID); err != nil {
				return err
			}
		}
		_, err := console.UnlockUser(ctx, system, u.ID)
		return err
	}
	return fmt.Errorf("nobody has the login %s", login)
}

// withServer runs a command on the console's rooms without its doors.
func withServer(environ []string, command func(*cobra.Command, []string, *server) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		c, _, err := loadConfig(cmd.Flags(), environ)
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
		s := &server{config: c, log: newLogger(c, cmd.ErrOrStderr())}
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

// askPassword reads a password without showing it; from a pipe it takes the
// first line.
func askPassword(in io.Reader, prompt io.Writer) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(prompt, "Password (at least 10 characters): ")
		raw, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(prompt)
		return string(raw), err
	}
	raw, err := io.ReadAll(io.LimitReader(in, 4096))
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSuffix(line, "\r"), err
}

// listenAddr is an address as it was configured, for URLs of commands that do
// not listen.
type listenAddr string

func (listenAddr) Network() string  { return "tcp" }
func (a listenAddr) String() string { return string(a) }
