package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

func userCommand(x *remote) *cobra.Command {
	return x.family("user", "People who sign in", userListCommand(x), userShowCommand(x), userCreateCommand(x))
}

func userListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists people by login", api.UserFields, (*client.Client).ListUsers,
		func(u api.User) string { return u.ID },
		column[api.User]{"LOGIN", func(u api.User) string { return u.Login }},
		column[api.User]{"NAME", func(u api.User) string { return u.Name }},
		column[api.User]{"ROLE", func(u api.User) string { return string(u.Role) }},
		column[api.User]{"FROM", func(u api.User) string { return u.Origin }},
		column[api.User]{"DISABLED", func(u api.User) string { return yes(u.Disabled) }},
		column[api.User]{"LAST SIGN-IN", func(u api.User) string { return x.since(u.LastSignInAt) }},
		column[api.User]{"ID", func(u api.User) string { return u.ID }},
	)
}

func userShowCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Shows a person", Args: cobra.ExactArgs(1),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			u, err := c.GetUser(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return showUser(x, cmd, u)
		}),
	}
}

func showUser(x *remote, cmd *cobra.Command, u api.User) error {
	return one(x, cmd, u, u.ID, func(d *details) {
		d.line("Login", u.Login)
		d.line("ID", u.ID)
		d.line("Name", u.Name)
		d.line("Role", string(u.Role))
		d.line("Sites", strings.Join(u.Sites, " "))
		d.line("From", u.Origin)
		d.line("Second factor", yes(u.SecondFactor))
		d.line("Disabled", yes(u.Disabled))
		d.line("Locked until", x.since(u.LockedUntil))
		d.line("Last sign-in", x.since(u.LastSignInAt))
	})
}

func userCreateCommand(x *remote) *cobra.Command {
	var in api.CreateUserInput
	var role string
	var stdin bool
	cmd := &cobra.Command{
		Use: "create LOGIN", Short: "Adds a person",
		Long: `Adds a person. Without a password only a link lets the person in, which is made on
the person's page, or by 'stickpress admin link' on the server.`,
		Args: cobra.ExactArgs(1),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in.Login, in.Role = args[0], api.Role(role)
			if stdin {
				var err error
				if in.Password, err = askPassword(cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			u, err := c.CreateUser(cmd.Context(), in)
			if err != nil {
				return err
			}
			return showUser(x, cmd, u)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", string(api.RoleHelpdesk), "viewer, helpdesk or admin")
	f.StringVar(&in.Name, "name", "", "name as others see it (default: the login)")
	f.StringArrayVar(&in.Sites, "site", nil, "ID of a site that the person sees and uses; may be repeated (default: every site)")
	f.BoolVar(&stdin, "password-stdin", false, "read a password from standard input, or ask for it")
	_ = cmd.RegisterFlagCompletionFunc("role", completeRole) // fails only for a flag that does not exist
	return cmd
}
