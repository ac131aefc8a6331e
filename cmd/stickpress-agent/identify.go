package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
)

func (p *program) identifyCommand() *cobra.Command {
	seconds := 10
	cmd := &cobra.Command{
		Use:   "identify PORT",
		Short: "Let the light of a stick flash by reading it",
		Long:  "Let the light of a stick flash by reading it, to find its socket. PORT is as in\n'stickpress-agent devices'; the device's path does, too. Nothing is written.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if seconds < 1 || seconds > protocol.MaxIdentifySeconds {
				return usageError{fmt.Errorf("--seconds %d: want 1 to %d", seconds, protocol.MaxIdentifySeconds)}
			}
			l := p.lister()
			devices, err := l.List(cmd.Context())
			if err != nil {
				return err
			}
			i := slices.IndexFunc(devices, func(d protocol.Device) bool { return d.Port == args[0] || d.Path == args[0] })
			if i < 0 {
				return fmt.Errorf("nothing is in port %s", args[0])
			}
			d := &devices[i]
			for _, f := range d.Refusals {
				if f.Code == protocol.FaultDeviceBusy {
					return errors.New(d.Path + ": " + reason(f))
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Duration(seconds)*time.Second)
			defer cancel()
			fmt.Fprintf(p.stdout, "Reading %s in port %s for %d s.\n", d.Path, d.Port, seconds)
			return l.Blink(ctx, d.Identity, time.Now, func(ctx context.Context, pause time.Duration) error {
				return backoff.Sleep(ctx, backoff.System{}, pause)
			})
		},
	}
	p.deviceFlags(cmd.Flags())
	cmd.Flags().IntVar(&seconds, "seconds", seconds, "how long")
	return cmd
}
