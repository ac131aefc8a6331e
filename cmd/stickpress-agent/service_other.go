//go:build !windows

package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// defaultData is the data directory unless another one is named.
func defaultData() string { return "/var/lib/stickpress-agent" }

// serviceCommands: elsewhere a service manager reads a file of ours
// (deploy/stickpress-agent.service).
func (*program) serviceCommands() []*cobra.Command { return nil }

// serviceFlag adds nothing.
func (*program) serviceFlag(*pflag.FlagSet) {}

// managed runs work, which a service manager ends with a signal.
func (*program) managed(_ bool, work func() error) error { return work() }
