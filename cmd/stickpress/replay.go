package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// errDifferent ends replay --check when a row is not what its history says.
var errDifferent = errors.New("rows differ from their history; replay without --check sets them right")

// replayCommand makes jobs, builds and sticks anew from their histories.
func replayCommand(environ []string) *cobra.Command {
	var check bool
	replay := &cobra.Command{
		Use:   "replay",
		Short: "Compares jobs, builds and sticks with their histories, and sets right what differs",
		Long: `Makes every job, build and stick anew from its events and compares it with what
is stored. With --check nothing is changed. It may run beside a running server.

Exit status: with --check 1 if anything differs.`,
		Args: cobra.NoArgs,
		RunE: withServer(environ, func(cmd *cobra.Command, _ []string, s *server) error {
			report, err := s.store.Replay(cmd.Context(), check)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, d := range report.Differences {
				fmt.Fprintf(out, "%s %s %s: stored %s, replayed %s\n", d.Kind, d.ID, d.Field, d.Stored, d.Replayed)
			}
			fmt.Fprintf(out, "%s, %s, %s, %s\n", counted(report.Jobs, "job"), counted(report.Sticks, "stick"), counted(report.Events, "event"), counted(len(report.Differences), "difference"))
			if check && len(report.Differences) > 0 {
				return errDifferent
			}
			return nil
		}),
	}
	replay.Flags().BoolVar(&check, "check", false, "only report; fail if anything differs")
	addConfigFlags(replay.Flags())
	return replay
}
