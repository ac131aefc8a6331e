package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Writes the manual pages of all commands into a folder",
		Long: `Writes the manual pages of all commands into a folder, which is made if there is
none: stickpress.1, stickpress-job-create.1 and so on. SOURCE_DATE_EPOCH dates
them.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make the folder of the manual: %w", err)
			}
			header := doc.GenManHeader{Section: "1", Source: "Stickpress " + version, Manual: "Stickpress"}
			return doc.GenManTree(cmd.Root(), &header, args[0])
		},
	}
}
