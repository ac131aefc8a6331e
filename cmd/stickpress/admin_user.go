package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web"
)

func linkCommand(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "link LOGIN",
		Short: "Prints a link that signs a person in once",
		Args:  cobra.ExactArgs(1),
		RunE: withServer(environ, func(cmd *cobra.Command, args []string, s *server) error {
			link, err := s.console.CreateSignInLink(cmd.Context(), api.System("command line"), api.SignInLinkInput{Login: args[0]})
			if err != nil {
				return err
			}
			return s.printLink(cmd, signInPath(link.Secret))
		}),
	}
}

func createUserCommand(environ []string) *cobra.Command {
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
	return create
}

func unlockCommand(environ []string) *cobra.Command {
	var factor bool
	unlock := &cobra.Command{
		Use:   "unlock LOGIN",
		Short: "Forgets a person's failed sign-ins, and with --second-factor their lost telephone",
		Args:  cobra.ExactArgs(1),
		RunE: withServer(environ, func(cmd *cobra.Command, args []string, s *server) error {
			_, err := unlockUser(cmd.Context(), s.console, args[0], factor)
			return err
		}),
	}
	unlock.Flags().BoolVar(&factor, "second-factor", false, "turn the second factor off as well, and end all sessions")
	return unlock
}

// resetCommand is for whoever forgot the password, when no other admin can help.
func resetCommand(environ []string) *cobra.Command {
	var factor bool
	reset := &cobra.Command{
		Use:   "reset LOGIN",
		Short: "Prints a link by which a person chooses a new password, once",
		Long: `Forgets a person's failed sign-ins and prints a link by which the person chooses a
new password, once, within three days. Their sessions end then. Earlier links stop
working.`,
		Args: cobra.ExactArgs(1),
		RunE: withServer(environ, func(cmd *cobra.Command, args []string, s *server) error {
			u, err := unlockUser(cmd.Context(), s.console, args[0], factor)
			if err != nil {
				return err
			}
			link, err := s.console.CreatePasswordLink(cmd.Context(), api.System("command line"), u.ID)
			if err != nil {
				return err
			}
			return s.printLink(cmd, web.PasswordPath(link.Secret, u.Login))
		}),
	}
	reset.Flags().BoolVar(&factor, "second-factor", false, "turn the second factor off as well, and end all sessions")
	return reset
}

// printLink prints where a page of the console is reached, and beside it why that
// may be wrong.
func (s *server) printLink(cmd *cobra.Command, path string) error {
	at := s.config.reach(s.from)
	if !at.set {
		public, err := s.console.PublicURL(cmd.Context(), "")
		if err != nil {
			return err
		}
		if public != "" {
			at = reached{url: public}
		}
	}
	if at.doubt != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), at.doubt, "If the console is elsewhere, name that by --public-url, or by --listen.")
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), at.url+path)
	return err
}

// unlockUser is the way back in when nobody else can help.
func unlockUser(ctx context.Context, console *api.Console, login string, factor bool) (api.User, error) {
	system := api.System("command line")
	u, err := console.FindUser(ctx, system, login)
	if err != nil {
		return api.User{}, fmt.Errorf("find %s: %w", login, err)
	}
	if factor {
		if _, err := console.ResetTOTP(ctx, system, u.ID); err != nil {
			return api.User{}, err
		}
	}
	return console.UnlockUser(ctx, system, u.ID)
}
