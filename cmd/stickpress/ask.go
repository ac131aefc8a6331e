package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
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

// terminal reports whether somebody types what is read.
func terminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readLine reads the first line, without its end.
func readLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	if err != nil {
		return "", fmt.Errorf("read an answer: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// askSecret reads a line of a terminal without showing it.
func askSecret(in io.Reader, out io.Writer, prompt string) (string, error) {
	fmt.Fprint(out, prompt)
	raw, err := term.ReadPassword(int(in.(*os.File).Fd())) // see terminal
	fmt.Fprintln(out)
	return string(raw), err
}

// askPassword reads a password without showing it; from a pipe it takes the
// first line.
func askPassword(in io.Reader, out io.Writer) (string, error) {
	if terminal(in) {
		return askSecret(in, out, "Password (at least 10 characters): ")
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxLine))
	return firstLine(raw), err
}

// firstLine is the first line of a text that may have spaces at its ends.
func firstLine(raw []byte) string {
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSuffix(line, "\r")
}

// maxLine bounds what is read of an answer or a password, in bytes.
const maxLine = 4 << 10

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
