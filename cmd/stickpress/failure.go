package main

import (
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/fault"
)

// The codes of what no console said, in the order of their exit codes.
const (
	failedCode     = "failed"        // exitFailed
	usageCode      = "usage"         // exitUsage
	unverifiedCode = "unverified"    // exitUnverified
	warningsCode   = "warnings"      // exitRefused
	noTokenCode    = "not_signed_in" // exitRefused
	absentCode     = "not_shown"     // exitNotFound
	plannedCode    = "planned"       // exitConflict
	noAnswerCode   = "no_answer"     // exitNetwork
)

// failure is an error for programs, as --json has it: the problem that the
// console answered with, or as much of one as there is.
type failure struct {
	*client.Problem
	Code     string       `json:"code"`
	Detail   string       `json:"detail"`
	Params   fault.Params `json:"params,omitempty"`
	ExitCode int          `json:"exit_code"`
}

func failureOf(err error) failure {
	out := failure{Code: failedCode, Detail: sentence(err), ExitCode: exitCode(err)}
	var p *client.Problem
	var f *fault.Error
	var usage *usageError
	var away *absentError
	switch {
	case errors.As(err, &usage):
		out.Code = usageCode
	case errors.Is(err, errUnverified):
		out.Code = unverifiedCode
	case errors.As(err, &away):
		out.Code = absentCode
	case errors.Is(err, errPlanned):
		out.Code = plannedCode
	case errors.Is(err, errWarnings):
		out.Code = warningsCode
	case errors.Is(err, errNoToken):
		out.Code = noTokenCode
	case errors.As(err, &p):
		out.Problem, out.Code, out.Params = p, p.Code, p.Params
		if p.Detail != "" {
			out.Detail = p.Detail
		}
	case errors.As(err, &f):
		out.Code, out.Params = string(f.Code), f.Params
	case out.ExitCode == exitNetwork:
		out.Code = noAnswerCode
	}
	return out
}

// print writes it as one line.
func (f failure) print(w io.Writer) {
	_ = json.NewEncoder(w).Encode(f) // texts and numbers always encode
}

// wantsJSON reports whether a command was given --json, be it that its other
// flags were not understood.
func wantsJSON(cmd *cobra.Command, args []string) bool {
	flag := cmd.Flags().Lookup("json")
	if flag == nil {
		return false
	}
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return flag.Value.String() == "true" || slices.Contains(args, "--json")
}
