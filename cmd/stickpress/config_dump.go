package main

import "github.com/spf13/cobra"

func configCommand(environ []string) *cobra.Command {
	config := &cobra.Command{Use: "config", Short: "Shows how the server is configured"}
	dump := &cobra.Command{
		Use:   "dump",
		Short: "Prints every setting with its value and where it came from; secrets are masked",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, from, err := loadConfig(cmd.Flags(), environ)
			if from == nil {
				return err
			}
			// A setting that is wrong is shown too: that is when one looks.
			if dumpErr := c.dump(cmd.OutOrStdout(), from); dumpErr != nil {
				return dumpErr
			}
			return err
		},
	}
	addConfigFlags(dump.Flags())
	config.AddCommand(dump)
	return config
}
