package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settingAnnotation marks the flags that are settings of the console.
const settingAnnotation = "stickpress_setting"

// groupFlags has the help of each command show its own flags first, and apart from
// them the settings, which all commands of the console take.
func groupFlags(root *cobra.Command) {
	usage := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		shared := pflag.NewFlagSet("", pflag.ContinueOnError)
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Annotations[settingAnnotation] != nil {
				shared.AddFlag(f)
			}
		})
		if !shared.HasFlags() {
			return usage(cmd)
		}
		text := shared.FlagUsages()
		shared.VisitAll(func(f *pflag.Flag) { f.Hidden = true })
		err := usage(cmd)
		shared.VisitAll(func(f *pflag.Flag) { f.Hidden = false })
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStderr(), "\nSettings of the console, of all commands on its machine:\n%s", text)
		return err
	})
}

// leadingFlags are how all commands of the client answer. Before the name of a
// command they are understood as behind it, by those that have them.
var leadingFlags = []struct{ name, short string }{{"json", ""}, {"quiet", "q"}, {"utc", ""}}

// takeLeading lets a family be told leading flags: of a flag that it does not know,
// the next word would be taken for its value.
func takeLeading(family *cobra.Command) {
	for _, f := range leadingFlags {
		if family.Flag(f.name) == nil {
			family.Flags().BoolP(f.name, f.short, false, "")
			_ = family.Flags().MarkHidden(f.name) // fails only for a flag that does not exist
		}
	}
}

// leads refuses a leading flag that is followed by no command.
func leads(family *cobra.Command) error {
	for _, f := range leadingFlags {
		if flag := family.Flag(f.name); flag.Hidden && flag.Changed {
			return wrong(family, "--%s goes with a command", f.name)
		}
	}
	return nil
}
