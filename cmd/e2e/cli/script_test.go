package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// codeCommand is 'code N PROGRAM ARG…' in scripts: the exit code is N.
func codeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARG…")
	}
	got := "0"
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = strconv.Itoa(exit.ExitCode())
	case err != nil:
		got = err.Error()
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// valueCommand is 'value PATH [WANT]' in scripts: what the last output has at a
// path such as builds.0.state is WANT, or goes into $VALUE. A leading number is
// the element of an array, or of an output of one object a line the line; -1 is
// the last one.
func valueCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: value PATH [WANT]")
	}
	v := outputOf(ts)
	for step := range strings.SplitSeq(args[0], ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err == nil && n < 0 {
				n += len(in)
			}
			if err != nil || n < 0 || n >= len(in) {
				ts.Fatalf("%s: there are %d", args[0], len(in))
			}
			v = in[n]
		default:
			v = nil
		}
	}
	got := ""
	if v != nil {
		got = fmt.Sprint(v)
	}
	if len(args) == 1 {
		if got == "" {
			ts.Fatalf("%s: nothing there", args[0])
		}
		ts.Setenv("VALUE", got)
		return
	}
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %q", args[0], got)
	}
}

// outputOf reads the last output: one JSON value, or one a line.
func outputOf(ts *testscript.TestScript) any {
	text := ts.ReadFile("stdout")
	var v any
	if err := json.Unmarshal([]byte(text), &v); err == nil {
		return v
	}
	var all []any
	for line := range strings.Lines(text) {
		var v any
		ts.Check(json.Unmarshal([]byte(line), &v))
		all = append(all, v)
	}
	return all
}
