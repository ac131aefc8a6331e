package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/client"
)

func whoamiCommand(x *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "whoami", Short: "Shows whom the console takes one for, and what one may do there", GroupID: groupClient,
		Args: cobra.NoArgs,
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			me, err := c.GetMe(cmd.Context())
			if err != nil {
				return err
			}
			at, err := x.meant()
			if err != nil {
				return err
			}
			return one(x, cmd, me, me.User.Login, func(d *details) {
				d.line("Console", at.URL)
				d.line("Person", me.User.Login+" ("+me.User.Name+")")
				d.line("Role", string(me.Role))
				d.line("Sites", orAll(strings.Join(me.Sites, " "), "every site"))
				d.line("Scopes", orAll(strings.Join(words(me.Scopes), " "), "all that the role allows"))
				if t := me.Token; t != nil {
					d.line("Token", t.ID+" "+t.Name)
					d.line("Expires", orAll(x.since(t.ExpiresAt), "never"))
				}
			})
		}),
	}
	x.addFlags(cmd)
	return cmd
}

// orAll is a text, or what it means that there is none.
func orAll(text, none string) string {
	if text == "" {
		return none
	}
	return text
}
