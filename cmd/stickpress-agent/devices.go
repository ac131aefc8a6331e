package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/agent/protocol"
)

func (p *program) devicesCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "List what this machine sees and which of it could be written",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			devices, err := p.lister().List(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(p.stdout)
				e.SetIndent("", "  ")
				return e.Encode(devices)
			}
			return printDevices(p.stdout, devices)
		},
	}
	p.deviceFlags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func printDevices(w io.Writer, devices []protocol.Device) error {
	if len(devices) == 0 {
		_, err := fmt.Fprintln(w, "No devices.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "PATH\tPORT\tKIND\tDEVICE\tSIZE\tSERIAL\tSPEED\tCAN BE WRITTEN")
	for i := range devices {
		d := &devices[i]
		speed := "-"
		if d.SpeedMbps > 0 {
			speed = fmt.Sprintf("%d Mb/s", d.SpeedMbps)
		}
		serial := cmp.Or(d.Serial, "-")
		if d.DuplicateOf > 0 {
			serial += fmt.Sprintf(" (shared by %d)", d.DuplicateOf+1)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Path, cmp.Or(d.Port, "-"), d.Kind,
			cmp.Or(strings.TrimSpace(d.Vendor+" "+d.Model), "-"), formatBytes(d.Bytes), serial, speed, verdict(d))
	}
	return t.Flush()
}

// verdict says in words whether a device could be written.
func verdict(d *protocol.Device) string {
	var why []string
	if d.Busy {
		why = append(why, "it is being written")
	}
	for _, f := range d.Refusals {
		why = append(why, reason(f))
	}
	if len(why) > 0 {
		return "no: " + strings.Join(why, "; ")
	}
	if len(d.AutomountedAt) > 0 {
		return "yes, after unmounting " + strings.Join(d.AutomountedAt, ", ")
	}
	return "yes"
}

// reasons are the refusals of a device, and what is wrong with one that was
// verified, in English; {name} is a parameter.
var reasons = map[string]string{
	protocol.FaultNotRemovable:   "it is not a removable or USB device",
	protocol.FaultMounted:        "it is mounted at {mount}",
	protocol.FaultSwap:           "it holds swap space in use",
	protocol.FaultSystem:         "the running system is on it",
	protocol.FaultHolders:        "{holder} is built on it (LVM, RAID, encryption or the like)",
	protocol.FaultDataDir:        "this agent's data is on it",
	protocol.FaultLoopNotAllowed: "loop devices need --allow-loop",
	protocol.FaultReadOnly:       "it is write-protected",
	protocol.FaultNoMedium:       "there is no medium in it",
	protocol.FaultTooSmall:       "it is too small, {missing_bytes} bytes are missing",
	protocol.FaultDeviceBusy:     "another program uses it",
	protocol.FaultDeviceGone:     "it is gone",
	protocol.FaultDeviceChanged:  "it is another one now: {what} was {want} and is {have}",
	protocol.FaultNoRecord:       "nothing was recorded of disk {disk_id} on this machine: give the console's record with --record",
	protocol.FaultRecord:         "the record cannot be read: {cause}",
	protocol.FaultOtherStick:     "it is another stick, or this one after another press: {what} is {have}, the record says {want}",
	protocol.FaultVerify:         "it gave back something else than was written to it at offset {offset}: XXH3 {have}, expected {want}",
	protocol.FaultCopyChanged:    "it is a copy of a disk image and not as it was written, at offsets {offsets} first; a computer that started from it or mounted it may have done that",
	protocol.FaultWritten:        "a computer mounted it and wrote to its volume {volume} before Windows ever started from it; first at offset {offset}: XXH3 {have}, expected {want}",
	protocol.FaultUsedChanged:    "Windows has run from it, and something is not as Windows leaves it: {what} {path}",
	protocol.FaultSectorSize:     "its sectors of {sector_size} bytes do not fit the layout",
}

func reason(f *protocol.Fault) string {
	text, ok := reasons[f.Code]
	if !ok {
		return f.Error()
	}
	for name, value := range f.Params {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}
