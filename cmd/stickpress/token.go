package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

func tokenCommand(x *remote) *cobra.Command {
	return x.family("token", "Tokens, by which programs ask the console", tokenListCommand(x), tokenCreateCommand(x), tokenRevokeCommand(x))
}

func tokenListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists one's own tokens, or everyone's for admins, the newest first", api.TokenFields, (*client.Client).ListTokens,
		func(t api.Token) string { return t.ID },
		column[api.Token]{"TOKEN", func(t api.Token) string { return t.ID }},
		column[api.Token]{"NAME", func(t api.Token) string { return t.Name }},
		column[api.Token]{"ROLE", func(t api.Token) string { return string(t.Role) }},
		column[api.Token]{"SCOPES", func(t api.Token) string { return strings.Join(words(t.Scopes), " ") }},
		column[api.Token]{"OWNER", func(t api.Token) string { return t.Login }},
		column[api.Token]{"MADE", func(t api.Token) string { return x.at(t.CreatedAt) }},
		column[api.Token]{"LAST USED", func(t api.Token) string { return x.since(t.LastUsedAt) }},
		column[api.Token]{"EXPIRES", func(t api.Token) string { return x.since(t.ExpiresAt) }},
		column[api.Token]{"REVOKED", func(t api.Token) string { return x.since(t.RevokedAt) }},
	)
}

func tokenCreateCommand(x *remote) *cobra.Command {
	var in api.CreateTokenInput
	var role string
	var scopes []string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Makes a token and prints its secret, which is shown this once",
		Args: cobra.ExactArgs(1),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in.Name, in.Role = args[0], api.Role(role)
			for _, s := range scopes {
				in.Scopes = append(in.Scopes, api.TokenScope(s))
			}
			t, err := c.CreateToken(cmd.Context(), in)
			if err != nil {
				return err
			}
			if x.json {
				return printJSON(cmd, t)
			}
			x.tell(cmd, "%s of %s: the secret is shown this once.", t.ID, t.Login)
			_, err = fmt.Fprintln(cmd.OutOrStdout(), t.Secret)
			return err
		}),
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", string(api.RoleViewer), "viewer, helpdesk or admin: at most one's own")
	f.StringSliceVar(&scopes, "scope", nil, "what it is for, such as read,images:write; may be repeated (default: all that the role allows)")
	f.StringArrayVar(&in.Sites, "site", nil, "ID of a site that it is for; may be repeated (default: all of its owner's)")
	f.DurationVar(&in.TTL, "ttl", 90*24*time.Hour, "how long it is good; 0 for ever")
	f.StringVar(&in.Login, "owner", "", "login of the owner (default: oneself; others: admins only)")
	_ = cmd.RegisterFlagCompletionFunc("role", completeRole) // fails only for a flag that does not exist
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(words(api.TokenScopes), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// words are scopes as they are typed.
func words(scopes []api.TokenScope) []string {
	out := make([]string, 0, len(scopes))
	for _, s := range scopes {
		out = append(out, string(s))
	}
	return out
}

var completeRole = cobra.FixedCompletions([]string{string(api.RoleViewer), string(api.RoleHelpdesk), string(api.RoleAdmin)}, cobra.ShellCompDirectiveNoFileComp)

func tokenRevokeCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "revoke TOKEN", Short: "Ends a token at once, by its ID",
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findTokens),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if err := c.RevokeToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			x.tell(cmd, "%s is of no use any more.", args[0])
			return nil
		}),
	}
}
