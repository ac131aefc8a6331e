package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/client"
)

func logoutCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "logout [NAME|URL]",
		Short:   "Forgets the token for a console, of the current one without a name",
		GroupID: groupClient,
		Long: `Forgets the token for a console. One that 'stickpress login' had made ends at the
console, too. One that was given to it goes on being good for whoever has a copy:
'stickpress token revoke' ends it.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: x.completeContext,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readServers(x.environ)
			if err != nil {
				return err
			}
			s, err := file.find(strings.Join(args, ""))
			if err != nil {
				return err
			}
			if s.Name == "" {
				return fmt.Errorf("you are not signed in at %s", s.URL)
			}
			ended := endToken(cmd.Context(), &s)
			file.remove(s.Name)
			if err := file.write(); err != nil {
				return err
			}
			warnGood(cmd, &s, ended)
			x.tell(cmd, "Forgot the token for %s.", s.URL)
			return nil
		},
	}
}

// warnGood says of a token that was not ended that it is still good.
func warnGood(cmd *cobra.Command, s *savedServer, err error) {
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "The token %s goes on being good, since the console did not end it: %s\nEnd it on the console's account page.\n", s.TokenID, sentence(err))
	}
}

// endToken ends a token that was made for this program. One that is no token any
// more has ended.
func endToken(ctx context.Context, s *savedServer) error {
	if s.TokenID == "" {
		return nil
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if err = c.RevokeToken(ctx, s.TokenID); client.IsCode(err, "token_invalid") {
		return nil
	}
	return err
}
