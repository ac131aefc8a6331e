package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// How a check of the doctor came out.
const (
	findingOK   = "ok"
	findingWarn = "warn" // it works, and should be looked after
	findingFail = "fail" // something does not work, or is about to be lost
)

// finding is what one check of the doctor found.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Says   string `json:"says"`
	Do     string `json:"do,omitempty"`
}

// errUnwell ends the doctor when a check failed.
var errUnwell = errors.New("something is wrong; see above")

func doctorCommand(environ []string) *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Looks whether the console is well, and says what to do where it is not",
		Long: `Looks at the database, the disk, the clock, the programs that are needed, the master
key, image files, hosts, certificates and the public URL. Nothing is changed. It works
beside a running server or without one.

Exit status: 1 if anything failed; warnings are no failure.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, from, err := loadConfig(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			d := &doctor{config: c, from: from}
			d.all(cmd.Context(), newLogger(c, cmd.ErrOrStderr()))
			if json {
				err = printJSON(cmd, d.findings)
			} else {
				for _, f := range d.findings {
					fmt.Fprintf(cmd.OutOrStdout(), "%-4s  %-12s  %s\n", f.Status, f.Check, clean(f.Says))
					if f.Do != "" {
						fmt.Fprintf(cmd.OutOrStdout(), "%20s→ %s\n", "", clean(f.Do))
					}
				}
			}
			if err == nil && d.failed() {
				err = errUnwell
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print JSON")
	addConfigFlags(cmd.Flags())
	return cmd
}

// doctor collects findings.
type doctor struct {
	config   Config
	from     origin
	findings []finding
}

func (d *doctor) say(status, check, do, says string, args ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(says, args...)), " ") // some errors have several lines
	d.findings = append(d.findings, finding{check, status, text, do})
}

func (d *doctor) ok(check, says string, args ...any) { d.say(findingOK, check, "", says, args...) }

func (d *doctor) warn(check, do, says string, args ...any) {
	d.say(findingWarn, check, do, says, args...)
}

func (d *doctor) fail(check, do, says string, args ...any) {
	d.say(findingFail, check, do, says, args...)
}

func (d *doctor) failed() bool {
	for _, f := range d.findings {
		if f.Status == findingFail {
			return true
		}
	}
	return false
}
