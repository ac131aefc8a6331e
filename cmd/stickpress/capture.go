package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

func imageCaptureCommand(x *remote) *cobra.Command {
	var o protocol.CaptureOptions
	var list string
	var anyState bool
	cmd := &cobra.Command{
		Use:   "capture HOST SOURCE",
		Short: "Makes a version of the Windows on a stick or in a disk image",
		Long: `Makes a version of the Windows on a stick or in a disk image of a host, and waits
for it.

SOURCE is the stick's port, or the path or name of a file that the host's agent
offers (--capture-dir). Nothing on the source is changed. A Windows that is
encrypted, asleep, or was not shut down properly is refused, and one that was
not generalized (sysprep) unless --any-state is given, which is recorded.`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: x.places(findHosts, findPorts(protocol.JobCapture)),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if list != "" {
				raw, err := os.ReadFile(list)
				if err != nil {
					return fmt.Errorf("read the exclusion list: %w", err)
				}
				o.Exclude = string(raw)
			}
			source, err := findSource(cmd.Context(), c, args[0], args[1])
			if err != nil {
				return err
			}
			in := api.QueueJobInput{
				Kind: protocol.JobCapture, Host: args[0], Devices: []api.QueueDevice{{Identity: source}},
				Options: protocol.JobOptions{Capture: &o},
			}
			if anyState {
				in.Overrides = []string{protocol.FaultCaptureNotGeneralized}
			}
			v, err := x.captureImage(cmd, c, in)
			if err != nil {
				return err
			}
			return showVersion(x, cmd, v)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.Image, "image", "", "name of the image; made if there is none")
	f.StringVar(&o.Version, "version", "", "SemVer of the version")
	f.StringVar(&o.Channel, "channel", "", "channel to point to the version")
	f.StringVar(&o.Notes, "notes", "", "what is in it")
	f.IntVar(&o.Partition, "partition", 0, "number of the partition; 0 for the only one that holds a Windows")
	f.StringVar(&list, "exclude", "", "file with what the image leaves out, a glob a line (default: the console's list)")
	f.BoolVar(&anyState, "any-state", false, "capture it also if it is not generalized")
	_ = cmd.MarkFlagRequired("image") // fails only for a flag that does not exist
	_ = cmd.MarkFlagRequired("version")
	return cmd
}

// findSource finds a stick by its port, or a file by its path or name.
func findSource(ctx context.Context, c *client.Client, host, ref string) (protocol.Identity, error) {
	h, err := c.GetHost(ctx, host)
	if err != nil {
		return protocol.Identity{}, err
	}
	var found []protocol.Identity
	var known []string
	for _, d := range append(h.Devices, h.Files...) {
		if d.Port == ref || d.Kind == protocol.KindFile && filepath.Base(d.Port) == ref {
			found = append(found, d.Identity)
		}
		known = append(known, d.Port)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return protocol.Identity{}, fmt.Errorf("%s is not the only source of that name on %s: give its whole path", ref, h.Name)
	}
	return protocol.Identity{}, absent("%s shows no source %s; it shows: %s", h.Name, ref, strings.Join(known, ", "))
}

// captureImage queues a capture and follows it with a bar to its version.
func (x *remote) captureImage(cmd *cobra.Command, c *client.Client, in api.QueueJobInput) (api.Version, error) {
	in.IdempotencyKey = uuid.NewString()
	job, err := c.QueueJob(cmd.Context(), in)
	if err != nil {
		return api.Version{}, err
	}
	x.tell(cmd, "%s", job.ID)
	b := x.bars(cmd)
	line := b.add("capture")
	for u, err := range c.WatchJob(cmd.Context(), job.ID, 0) {
		if err != nil {
			line.end("lost sight of it")
			b.wait()
			return api.Version{}, err
		}
		job = u.Job
		draw(line, job.Builds[0])
	}
	line.end("")
	b.wait()
	if f := job.Builds[0].Fault; f != nil {
		return api.Version{}, errors.New(locale.English.Fault(f.Code, f.Params))
	}
	return c.GetVersion(cmd.Context(), job.Builds[0].Result.Capture.VersionID)
}
