package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// choose finds the sticks that the flags name among those that a host shows
// now: first the ports, then the sticks, each in the order of its flags.
func (n *newJob) choose(h api.Host) ([]api.Device, error) {
	var chosen []api.Device
	for _, name := range []struct {
		flag  string
		given []string
		is    func(api.Device, string) bool
	}{
		{"--port", n.ports, func(d api.Device, ref string) bool { return d.Port == ref || d.PortLabel == ref }},
		{"--stick", n.sticks, func(d api.Device, ref string) bool {
			return d.StickID == ref || d.Serial == ref || d.StickID != "" && api.ShortName(d.StickID) == strings.ToUpper(ref)
		}},
	} {
		for _, ref := range name.given {
			var found []api.Device
			for _, d := range h.Devices {
				if ref != "" && name.is(d, ref) {
					found = append(found, d)
				}
			}
			switch len(found) {
			case 0:
				return nil, absent("%s %s: %s", name.flag, ref, shownBy(h))
			case 1:
				chosen = append(chosen, found[0])
			default:
				return nil, fmt.Errorf("%s %s: %d sticks of %s are called that: name them by their ports", name.flag, ref, len(found), h.Name)
			}
		}
	}
	return chosen, nil
}

// shownBy says which sticks a host shows.
func shownBy(h api.Host) string {
	var ports []string
	for _, d := range h.Devices {
		if d.Writable {
			ports = append(ports, portText(d.PortLabel, d.Port))
		}
	}
	switch {
	case len(ports) > 0:
		return h.Name + " shows no such stick; it shows " + strings.Join(ports, ", ")
	case !h.Online:
		return h.Name + " is offline and shows no stick"
	}
	return h.Name + " shows no stick that may be written"
}

// confirm shows what is erased and asks. Where somebody may miss it, the number
// of sticks is to be typed, as on the console's page.
func (n *newJob) confirm(cmd *cobra.Command, h api.Host, chosen []api.Device) error {
	if !n.in.Kind.Writes() {
		return nil
	}
	out := cmd.ErrOrStderr()
	fmt.Fprintf(out, "Everything on these sticks of %s will be erased:\n\n", clean(h.Name))
	printDevices(out, chosen)
	if !terminal(cmd.InOrStdin()) {
		return wrong(cmd, "nothing was queued: there is nobody to ask; --yes erases them without asking")
	}
	care := false
	for i := range chosen {
		care = care || chosen[i].NeedsCare()
	}
	want, question := "yes", "\nErase them? Type yes: "
	if care {
		want = strconv.Itoa(len(chosen))
		question = "\nOne of them holds other data, or belongs to somebody. To erase them, type their number: "
	}
	fmt.Fprint(out, question)
	answer, err := readLine(cmd.InOrStdin())
	if err != nil {
		return err
	}
	if !strings.EqualFold(answer, want) {
		return errors.New("nothing was queued, and no stick was touched")
	}
	return nil
}

// printDevices prints sticks as a host shows them.
func printDevices(w io.Writer, all []api.Device) {
	tw := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PORT\tMODEL\tSERIAL\tSIZE\tHOLDS\tBELONGS TO")
	for i := range all {
		d := &all[i]
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", clean(portText(d.PortLabel, d.Port)), clean(deviceName(*d)), clean(d.Serial),
			locale.Bytes(d.Bytes), clean(strings.Join(d.Volumes, ", ")), clean(strings.TrimSpace(d.Life+" "+d.Holder)))
	}
	_ = tw.Flush() // the terminal is gone if this fails
}

// deviceName is what a stick is sold as.
func deviceName(d api.Device) string {
	if name := strings.TrimSpace(d.Vendor + " " + d.Model); name != "" {
		return name
	}
	return d.Kind
}
