package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// addYes is the flag of commands that ask before they do something for good.
func addYes(cmd *cobra.Command, sure *bool) {
	cmd.Flags().BoolVarP(sure, "yes", "y", false, "do not ask")
}

// askName lets somebody type the name of what is about to end.
func (x *remote) askName(cmd *cobra.Command, sure bool, name, what string) error {
	if sure {
		return nil
	}
	if !terminal(cmd.InOrStdin()) {
		return wrong(cmd, "nothing was done: there is nobody to ask; --yes does it without asking")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s\nType %s to go on: ", what, clean(name))
	answer, err := readLine(cmd.InOrStdin())
	if err != nil {
		return err
	}
	if answer != name {
		return errors.New("nothing was done")
	}
	return nil
}

// maxInput bounds what is read of standard input, in bytes: an answer file is
// the largest thing that comes that way.
const maxInput = 4 << 20

// readAll reads standard input up to maxInput.
func readAll(in io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err == nil && len(raw) > maxInput {
		err = errors.New("standard input is longer than 4 MiB")
	}
	return raw, err
}
