package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the generated part of docs/cli.md anew")

// The reference in docs/cli.md is what the commands say of themselves, and its
// table of exit codes has every one.
func TestReference(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "cli.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- From here on written by `go test ./cmd/stickpress -run TestReference -update`. -->\n"
	head, _, ok := strings.Cut(string(raw), mark)
	if !ok {
		t.Fatalf("%s has no line %q", path, mark)
	}
	want := head + mark + reference(rootCommand(nil))
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if want != string(raw) {
		t.Errorf("%s is not what the commands say: run the command that stands in it", path)
	}
	var listed []int
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(head, -1) {
		n, _ := strconv.Atoi(m[1])
		listed = append(listed, n)
	}
	if all := []int{
		exitOK, exitFailed, exitUsage, exitUnverified, exitRefused, exitNotFound, exitConflict, exitNetwork, exitInterrupted,
	}; !slices.Equal(listed, all) {
		t.Errorf("the table has the exit codes %v, want %v", listed, all)
	}
}

// reference describes the commands of the client.
func reference(root *cobra.Command) string {
	var b strings.Builder
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		describe(&b, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	for _, c := range root.Commands() {
		if c.GroupID == groupClient {
			walk(c)
		}
	}
	return b.String()
}

func describe(b *strings.Builder, c *cobra.Command) {
	level := "##"
	if c.Parent().HasParent() {
		level = "###"
	}
	fmt.Fprintf(b, "\n%s %s\n\n", level, c.CommandPath())
	if c.HasSubCommands() {
		fmt.Fprintf(b, "%s.\n", c.Short)
		return
	}
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "```\n%s\n```\n\n%s\n", strings.TrimSuffix(c.UseLine(), " [flags]"), strings.ReplaceAll(text, "<", `\<`))
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	var rows []string
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			rows = append(rows, flagRow(f))
		}
	})
	if len(rows) > 0 {
		fmt.Fprintf(b, "\n| flag | |\n|---|---|\n%s\n", strings.Join(rows, "\n"))
	}
}

func flagRow(f *pflag.Flag) string {
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	usage := f.Usage
	switch f.DefValue {
	case "", "false", "[]", "0":
	default:
		usage += " (" + f.DefValue + ")"
	}
	return fmt.Sprintf("| `%s` | %s |", name, strings.NewReplacer("|", `\|`, "<", `\<`).Replace(usage))
}
