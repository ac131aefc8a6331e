package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func serveCommand(environ []string) *cobra.Command {
	serve := &cobra.Command{
		Use:   "serve",
		Short: "Runs the console",
		Long: `Runs the console: pages, REST API and the agents' door on one address.

Without DATABASE_URL it keeps a private Postgres in the data folder. On the
first start it prints a link that makes the first admin, unless setup-admin and
setup-password do that without a browser. SIGTERM stops it gently: agents finish
the sticks they began and reconnect elsewhere.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, from, err := loadConfig(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			s, err := startServer(cmd.Context(), c, from, newLogger(c, cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			if err := announce(cmd.Context(), cmd.OutOrStdout(), s); err != nil {
				return errors.Join(err, s.stop())
			}
			return s.wait(cmd.Context())
		},
	}
	addConfigFlags(serve.Flags())
	return serve
}

// announce prints where the console is and, on a fresh one, the link that
// makes the first admin.
func announce(ctx context.Context, w io.Writer, s *server) error {
	fmt.Fprintf(w, "Stickpress %s on %s\n", version, s.url)
	token, needed, err := s.console.SetupToken(ctx)
	if err != nil {
		return err
	}
	if needed {
		at, err := s.console.PublicURL(ctx, s.url)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "First run: open this link to make the first admin. It works once.\n  %s/setup?token=%s\n", at, token)
	}
	return nil
}

// signInPath is the page that a one-time link leads to.
func signInPath(secret string) string { return "/sign-in/link?token=" + secret }
