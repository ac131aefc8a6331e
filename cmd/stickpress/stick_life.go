package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

func stickIssueCommand(x *remote) *cobra.Command {
	var in api.IssueStickInput
	cmd := &cobra.Command{
		Use: "issue STICK", Short: "Hands a stick out to somebody",
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findSticks),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in.ID = args[0]
			s, err := c.IssueStick(cmd.Context(), in)
			if err != nil {
				return err
			}
			return showStick(x, cmd, s, nil)
		}),
	}
	cmd.Flags().StringVar(&in.Holder, "to", "", "who gets it")
	cmd.Flags().StringVar(&in.Reference, "ticket", "", "the ticket that asked for it")
	_ = cmd.MarkFlagRequired("to") // fails only for a flag that does not exist
	return cmd
}

func stickReturnCommand(x *remote) *cobra.Command {
	return &cobra.Command{
		Use: "return STICK", Short: "Takes a stick back, also one that was retired",
		Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findSticks),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			s, err := c.ReturnStick(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return showStick(x, cmd, s, nil)
		}),
	}
}

// stickMoveCommand says what became of a stick, and why.
func stickMoveCommand(x *remote, use, short string, move func(*client.Client, context.Context, api.MoveStickInput) (api.Stick, error)) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: x.places(findSticks),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			s, err := move(c, cmd.Context(), api.MoveStickInput{ID: args[0], Reason: reason})
			if err != nil {
				return err
			}
			return showStick(x, cmd, s, nil)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what is known of it")
	return cmd
}
